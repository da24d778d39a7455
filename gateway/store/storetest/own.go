// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

const (
	ownLog    = "own-log"
	ownOrigin = "gateway.example/own"
	noLog     = "no-log"
)

// GrowTree is a gateway.GrowTree.
func GrowTree(old tiletree.Tree, leaves []gateway.LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
	hashes := make([][tiletree.HashSize]byte, len(leaves))
	for i, l := range leaves {
		hashes[i] = l
	}
	return tiletree.AppendRecords(old, hashes, read)
}

// openOwn returns a store with an own log.
func (o opening) openOwn(t testing.TB) *testStore {
	s := o.open()
	noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
	return s
}

// ownSubmissions returns submissions to the own log, each with an entry of its own, by name.
func ownSubmissions(names ...string) (subs []gateway.NewSubmission) {
	for _, n := range names {
		subs = append(subs, NewSubmission(tenant, n, ownLog))
	}
	return subs
}

// numbered returns so many names.
func numbered(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprint(prefix, " ", i))
	}
	return names
}

func sequence(t testing.TB, s gateway.Store, log string, limit, want int) gateway.OwnLog {
	t.Helper()
	l, n, err := s.Sequence(t.Context(), log, limit, GrowTree)
	noError(t, err)
	if n != want {
		t.Fatalf("%d records were sequenced, want %d", n, want)
	}
	if stored := readOwn(t, s, log); stored != l {
		t.Fatalf("the own log is %+v, and was said to be %+v", stored, l)
	}
	return l
}

func readOwn(t testing.TB, s gateway.Store, log string) gateway.OwnLog {
	t.Helper()
	l, err := s.OwnLog(t.Context(), log)
	noError(t, err)
	return l
}

// sequenceNames has the entries of new submissions sequenced, and returns the submissions.
func sequenceNames(t testing.TB, s gateway.Store, names ...string) []gateway.Submission {
	t.Helper()
	subs := enqueueAll(t, s, ownSubmissions(names...)...)
	sequence(t, s, ownLog, len(names)+1, len(names))
	return subs
}

// anchorAt notes that the checkpoint of a size is anchored, which the own log had.
func anchorAt(t testing.TB, s gateway.Store, size uint64) gateway.OwnAnchor {
	t.Helper()
	a := gateway.OwnAnchor{Tree: treeOf(recordNames(t, s, ownLog)[:size]), Submission: newID(fmt.Sprint("anchor ", size))}
	noError(t, s.KeepAnchor(t.Context(), ownLog, a))
	return a
}

// logAnchored logs up to limit records and returns the submissions that this has changed.
func logAnchored(t testing.TB, s gateway.Store, limit int) []string {
	t.Helper()
	changed, err := s.LogAnchored(t.Context(), ownLog, limit)
	noError(t, err)
	return wantProgress(t, s, changed)
}

// recordNames returns the names of the entries that are a log's records, read in pages.
func recordNames(t testing.TB, s gateway.Store, log string) (names []string) {
	t.Helper()
	for {
		bodies, err := s.OwnRecords(t.Context(), log, uint64(len(names)), 100)
		noError(t, err)
		for _, b := range bodies {
			name, ok := strings.CutPrefix(string(b), "body of ")
			if !ok {
				t.Fatalf("a record is %q", b)
			}
			names = append(names, name)
		}
		if len(bodies) < 100 {
			return names
		}
	}
}

// grown is a tree in memory, with the tiles that a log has that was never anywhere else.
type grown struct {
	tree  tiletree.Tree
	tiles map[tiletree.Tile][]byte // by their place: without their width
}

func growInMemory(names []string) *grown {
	g := &grown{tree: tiletree.EmptyTree(), tiles: map[tiletree.Tile][]byte{}}
	leaves := make([]gateway.LeafHash, len(names))
	for i, n := range names {
		leaves[i] = sha256.Sum256([]byte("leaf" + n))
	}
	tree, tiles, err := GrowTree(g.tree, leaves, nil)
	if err != nil {
		panic(err)
	}
	g.tree = tree
	for _, t := range tiles {
		g.tiles[tiletree.Tile{Level: t.Level, Index: t.Index}] = t.Hashes
	}
	return g
}

func treeOf(names []string) tiletree.Tree { return growInMemory(names).tree }

// wantSound checks that a log is the one of its records, with all tiles, and that each of them is there once. It returns their names.
func wantSound(t testing.TB, s gateway.Store, log string) []string {
	t.Helper()
	l, names := readOwn(t, s, log), recordNames(t, s, log)
	sorted := slices.Sorted(slices.Values(names))
	if len(slices.Compact(sorted)) != len(names) {
		t.Fatalf("a record is there twice: %q", names)
	}
	g := growInMemory(names)
	if l.Tree != g.tree {
		t.Fatalf("the tree is of %d records, %x, and should be of %d, %x", l.Tree.Size, l.Tree.Root, g.tree.Size, g.tree.Root)
	}
	if l.Logged > l.Anchored.Size || l.Anchored.Size > l.Tree.Size {
		t.Fatalf("%d records are logged, %d anchored, of %d", l.Logged, l.Anchored.Size, l.Tree.Size)
	}
	for place, want := range g.tiles {
		wantTile(t, s, log, place, want)
	}
	return names
}

// wantTile checks a tile at each width, and that it is no wider.
func wantTile(t testing.TB, s gateway.Store, log string, tile tiletree.Tile, want []byte) {
	t.Helper()
	whole := len(want) / tiletree.HashSize
	var asked []tiletree.Tile
	for _, width := range []int{1, (whole + 1) / 2, whole} {
		tile.Width = width
		asked = append(asked, tile)
	}
	got, err := s.OwnTiles(t.Context(), log, asked)
	noError(t, err)
	for i, a := range asked {
		if len(got) != len(asked) || !bytes.Equal(got[i], want[:a.Width*tiletree.HashSize]) {
			t.Fatalf("tile %+v is not what it should be: %x", a, got)
		}
	}
	tile.Width = whole + 1
	wantNoTile(t, s, log, tile)
}

func wantNoTile(t testing.TB, s gateway.Store, log string, tile tiletree.Tile) {
	t.Helper()
	got, err := s.OwnTiles(t.Context(), log, []tiletree.Tile{tile})
	if !errors.Is(err, gateway.ErrNotFound) || got != nil {
		t.Fatalf("tile %+v: %x, %v", tile, got, err)
	}
}

// ownTests are about the gateway's own logs.
var ownTests = map[string]func(testing.TB, opening){
	"Own/added": func(t testing.TB, o opening) {
		s := o.open()
		_, err := s.OwnLog(t.Context(), ownLog)
		wantError(t, err, gateway.ErrNotFound)
		for range 2 {
			noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
			if l := readOwn(t, s, ownLog); l != (gateway.OwnLog{ID: ownLog, Origin: ownOrigin, Tree: tiletree.EmptyTree()}) {
				t.Errorf("a new log is %+v", l)
			}
		}
		sequenceNames(t, s, "one")
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		if l := readOwn(t, s, ownLog); l.Tree.Size != 1 {
			t.Errorf("added again it is %+v", l)
		}
		enqueueAll(t, s, planned(tenant, "of another log"))
		moveAll(t, s, gateway.MoveParams{}) // to logB: logA has nothing any more
		retireAll(t, s, gateway.RetireParams{Log: logA})
		for _, other := range [][2]string{{ownLog, "another.example"}, {"another-log", ownOrigin}, {logA, "a.example"}, {logB, "b.example"}} {
			wantError(t, s.AddOwnLog(t.Context(), other[0], other[1]), gateway.ErrOtherOrigin)
		}
		for _, none := range []string{"another-log", logA, logB, noLog} {
			_, err := s.OwnLog(t.Context(), none)
			wantError(t, err, gateway.ErrNotFound)
		}
		for _, bad := range [][2]string{{"", "a.example"}, {noLog, ""}, {noLog, "a\nb"}, {noLog, "\x00"}, {noLog, "\xff"}} {
			if err := s.AddOwnLog(t.Context(), bad[0], bad[1]); err == nil {
				t.Errorf("added %q", bad)
			}
		}
		wantSound(t, s, ownLog)
	},

	// Each entry gets the next index, in the order of the queue, a few at a time.
	"Own/sequenced": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		sequence(t, s, ownLog, 9, 0)
		names := numbered("record", 10)
		enqueueAll(t, s, ownSubmissions(names...)...)
		for _, n := range []int{3, 1, 0, 5} {
			sequence(t, s, ownLog, n, n)
		}
		enqueueAll(t, s, ownSubmissions("later")...)
		sequence(t, s, ownLog, 9, 2)
		_, n, err := s.Sequence(t.Context(), ownLog, 9, func(tiletree.Tree, []gateway.LeafHash, tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
			t.Error("asked to grow by nothing")
			return tiletree.Tree{}, nil, nil
		})
		if err != nil || n != 0 {
			t.Errorf("%d sequenced, %v", n, err)
		}
		if got := wantSound(t, s, ownLog); !slices.Equal(got, append(names, "later")) {
			t.Errorf("the records are %q", got)
		}
		_, _, err = s.Sequence(t.Context(), noLog, 9, GrowTree)
		wantError(t, err, gateway.ErrNotFound)
	},

	// What fails, or makes no tree, leaves all as it was.
	"Own/undone": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		sequenceNames(t, s, "first")
		before := readOwn(t, s, ownLog)
		enqueueAll(t, s, ownSubmissions("one", "two")...)
		failure := errors.New("a failure")
		for name, spoil := range map[string]func(*tiletree.Tree, *[]tiletree.TileData) error{
			"failure":   func(*tiletree.Tree, *[]tiletree.TileData) error { return failure },
			"too small": func(tree *tiletree.Tree, _ *[]tiletree.TileData) error { tree.Size--; return nil },
			"too large": func(tree *tiletree.Tree, _ *[]tiletree.TileData) error { tree.Size++; return nil },
			"no tiles":  func(_ *tiletree.Tree, tiles *[]tiletree.TileData) error { *tiles = nil; return nil },
			"narrow tile": func(_ *tiletree.Tree, tiles *[]tiletree.TileData) error {
				(*tiles)[0].Hashes = (*tiles)[0].Hashes[:32]
				return nil
			},
			"no wider tile": func(_ *tiletree.Tree, tiles *[]tiletree.TileData) error { cutToOne(&(*tiles)[0]); return nil },
		} {
			l, n, err := s.Sequence(t.Context(), ownLog, 9, func(old tiletree.Tree, leaves []gateway.LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
				tree, tiles, err := GrowTree(old, leaves, read)
				return tree, tiles, errors.Join(err, spoil(&tree, &tiles))
			})
			if err == nil || name == "failure" && !errors.Is(err, failure) || n != 0 || l != (gateway.OwnLog{}) {
				t.Errorf("%s: %+v, %d, %v", name, l, n, err)
			}
			if after := readOwn(t, s, ownLog); after != before {
				t.Fatalf("%s: the log is %+v", name, after)
			}
			wantSound(t, s, ownLog)
		}
		sequence(t, s, ownLog, 9, 2)
		if got := wantSound(t, s, ownLog); !slices.Equal(got, []string{"first", "one", "two"}) {
			t.Errorf("the records are %q", got)
		}
	},

	// An entry is one record for ever, whoever sends it again, and when.
	"Own/once": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		shared := func(name string) gateway.NewSubmission { return NewSubmission(other, name, ownLog, "shared") }
		first := shared("first")
		subs := enqueueAll(t, s, first, shared("in the same batch"), ownSubmissions("shared")[0])
		subs = append(subs, enqueueAll(t, s, first, shared("queued"))...)
		sequence(t, s, ownLog, 9, 1)
		subs = append(subs, enqueueAll(t, s, first, shared("sequenced"))...)
		sequence(t, s, ownLog, 9, 0)
		anchorAt(t, s, 1)
		logAnchored(t, s, 9)
		subs = append(subs, enqueueAll(t, s, first, shared("logged"))...)
		sequence(t, s, ownLog, 9, 0)
		for _, sub := range subs {
			if e := wantState(t, s, sub, gateway.Logged).Entries[0]; *e.LogIndex != 0 {
				t.Errorf("entry is %+v", e)
			}
		}
		wantSound(t, s, ownLog)
	},

	"Own/tiles": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		names := numbered("record", 700)
		enqueueAll(t, s, ownSubmissions(names...)...)
		for _, n := range []int{1, 1, 253, 1, 1, 255, 3, 185} { // up to 2, 255, 256, 257, 512, 515 and 700
			sequence(t, s, ownLog, n, n)
			wantSound(t, s, ownLog)
		}
		whole := tiletree.Tile{Width: 256}
		noError(t, func() error { _, err := s.OwnTiles(t.Context(), ownLog, []tiletree.Tile{whole}); return err }())
		if got, err := s.OwnTiles(t.Context(), ownLog, nil); err != nil || len(got) != 0 {
			t.Errorf("no tiles are %x, %v", got, err)
		}
		for _, none := range []tiletree.Tile{
			{Width: 257}, {Width: 0}, {Width: -1}, {Index: 3, Width: 1}, {Level: 1, Index: 1, Width: 1}, {Level: 2, Width: 1}, {Level: 255, Width: 1}, {Index: 1 << 63, Width: 1},
		} {
			wantNoTile(t, s, ownLog, none)
		}
		for _, log := range []string{noLog, logA} {
			wantNoTile(t, s, log, whole)
		}
		if _, err := s.OwnTiles(t.Context(), ownLog, []tiletree.Tile{whole, {Level: 2, Width: 1}}); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("one that is there, and one that is not: %v", err)
		}
	},

	"Own/records": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		names := numbered("record", 9)
		enqueueAll(t, s, ownSubmissions(names...)...)
		sequence(t, s, ownLog, 7, 7)
		for _, test := range []struct {
			from uint64
			n    int
			want []string
		}{{0, 100, names[:7]}, {0, 2, names[:2]}, {3, 2, names[3:5]}, {6, 5, names[6:7]}, {7, 5, nil}, {1 << 63, 5, nil}, {1<<64 - 1, 5, nil}, {0, 0, nil}, {0, -1, nil}} {
			bodies, err := s.OwnRecords(t.Context(), ownLog, test.from, test.n)
			noError(t, err)
			var got []string
			for _, b := range bodies {
				got = append(got, strings.TrimPrefix(string(b), "body of "))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("%d records from %d on are %q, want %q", test.n, test.from, got, test.want)
			}
		}
		_, err := s.OwnRecords(t.Context(), noLog, 0, 1)
		wantError(t, err, gateway.ErrNotFound)
	},

	"Own/anchored": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		sequenceNames(t, s, numbered("record", 300)...)
		names := recordNames(t, s, ownLog)
		_, err := s.OwnAnchor(t.Context(), ownLog, 0)
		wantError(t, err, gateway.ErrNotFound)
		larger := gateway.OwnAnchor{Tree: treeOf(append(slices.Clone(names), "more")), Submission: newID("larger")}
		otherRoot, otherPast := larger, larger
		otherRoot.Size, otherPast.Size = 300, 7
		for name, a := range map[string]gateway.OwnAnchor{"larger": larger, "other root": otherRoot, "root of another past": otherPast, "empty": {Tree: tiletree.EmptyTree()}} {
			if err := s.KeepAnchor(t.Context(), ownLog, a); !errors.Is(err, gateway.ErrOtherAnchor) {
				t.Errorf("%s: %v", name, err)
			}
		}
		wantError(t, s.KeepAnchor(t.Context(), noLog, larger), gateway.ErrNotFound)
		second := anchorAt(t, s, 300)
		if got := readOwn(t, s, ownLog).Anchored; got != second {
			t.Errorf("anchored is %+v", got)
		}
		first := anchorAt(t, s, 7) // later than the larger one
		again := first
		again.Submission = newID("another")
		noError(t, s.KeepAnchor(t.Context(), ownLog, again))
		wantError(t, s.KeepAnchor(t.Context(), ownLog, otherPast), gateway.ErrOtherAnchor)
		if got := readOwn(t, s, ownLog).Anchored; got != second {
			t.Errorf("the last anchor is %+v", got)
		}
		for index, want := range map[uint64]gateway.OwnAnchor{0: first, 6: first, 7: second, 299: second} {
			if got, err := s.OwnAnchor(t.Context(), ownLog, index); err != nil || got != want {
				t.Errorf("record %d is covered by %+v, %v; want %+v", index, got, err, want)
			}
		}
		for _, index := range []uint64{300, 1 << 63} {
			_, err := s.OwnAnchor(t.Context(), ownLog, index)
			wantError(t, err, gateway.ErrNotFound)
		}
		_, err = s.OwnAnchor(t.Context(), noLog, 0)
		wantError(t, err, gateway.ErrNotFound)
	},

	// An entry is Logged, at its index, once an anchor covers it, and not before.
	"Own/logged": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		subs := enqueueAll(t, s, ownSubmissions(numbered("record", 6)...)...)
		sequence(t, s, ownLog, 5, 5)
		wantIDs(t, logAnchored(t, s, 9))
		before, err := s.Stats(t.Context())
		noError(t, err)
		anchorAt(t, s, 4)
		for _, want := range [][]gateway.Submission{subs[:1], nil, subs[1:3], subs[3:4], nil} {
			var ids []string
			for _, sub := range want {
				ids = append(ids, sub.ID)
			}
			wantIDs(t, logAnchored(t, s, len(want)), ids...)
		}
		wantIDs(t, logAnchored(t, s, 9))
		if l := readOwn(t, s, ownLog); l.Logged != 4 || l.Anchored.Size != 4 || l.Tree.Size != 5 {
			t.Errorf("the log is %+v", l)
		}
		wantPending(t, s, ownLog, 2)
		if stats, err := s.Stats(t.Context()); err != nil || 3*stats.PendingBytes[ownLog] != before.PendingBytes[ownLog] {
			t.Errorf("%d of %d bytes wait, for 2 of 6 entries, %v", stats.PendingBytes[ownLog], before.PendingBytes[ownLog], err)
		}
		for i, sub := range subs {
			wantLogged(t, s, sub, i, i < 4)
		}
		sequence(t, s, ownLog, 9, 1)
		anchorAt(t, s, 6)
		wantIDs(t, logAnchored(t, s, 9), subs[4].ID, subs[5].ID)
		wantPending(t, s, ownLog, 0)
		_, err = s.LogAnchored(t.Context(), noLog, 9)
		wantError(t, err, gateway.ErrNotFound)
		wantSound(t, s, ownLog)
	},

	// A submission that waits for several entries, and for another log, too.
	"Own/beside others": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		in := NewSubmission(tenant, "both", ownLog, "e1", "e2")
		in.Entries, in.Needed = append(in.Entries, newEntry(logA, "e3")), 2
		sub := enqueueAll(t, s, in)[0]
		enqueueAll(t, s, newSubmission("ordinary"))
		sequence(t, s, ownLog, 9, 2)
		anchorAt(t, s, 1)
		wantIDs(t, logAnchored(t, s, 9), sub.ID)
		wantState(t, s, sub, gateway.Partial)
		anchorAt(t, s, 2)
		wantIDs(t, logAnchored(t, s, 9), sub.ID)
		wantState(t, s, sub, gateway.Partial)
		wantPending(t, s, ownLog, 0)
		for _, c := range claimEntries(t, s, start, 9) {
			finishEntries(t, s, loggedOutcome(c))
		}
		wantState(t, s, sub, gateway.Logged)
		archived, err := s.Archived(t.Context(), tenant, sub.ID)
		noError(t, err)
		for i, kind := range []string{gateway.KindOwnRecord, gateway.KindOwnRecord, "test proof"} {
			if got := archived.Entries[i].Inclusion; got == nil || got.Kind != kind || (len(got.Proof) == 0) != (i < 2) {
				t.Errorf("inclusion %d is %+v", i, got)
			}
		}
		wantSound(t, s, ownLog)
	},

	// What is done with what waits for other logs is not done with it.
	"Own/never sent": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		in := planned(tenant, "one")
		in.Takeover = []string{logA, ownLog}
		passed := enqueueAll(t, s, in)[0]
		own := ownSubmissions("queued", "sequenced")
		for i := range own {
			own[i].Takeover = []string{logA, logB, ownLog}
		}
		subs := enqueueAll(t, s, own...)
		sequence(t, s, ownLog, 1, 1)
		if got := claimAllOf(t, s, ownLog); len(got) != 0 {
			t.Errorf("claimed %+v", got)
		}
		_, err := s.KeepCheckpoint(t.Context(), shard, nil, newCheckpoint(1, "kept"))
		noError(t, err)
		if n, err := s.DoubtPending(t.Context(), ownLog, shard); n != 0 || err != nil {
			t.Errorf("%d in doubt, %v", n, err)
		}
		for _, p := range []gateway.MoveParams{{From: ownLog, To: logB}, {From: ownLog, To: noLog, InDoubt: true}, {From: logA, To: ownLog}, {From: noLog, To: ownLog, Planned: true}} {
			p.Limit = 9
			_, err := s.Move(t.Context(), p)
			wantError(t, err, gateway.ErrOwnLog)
		}
		for _, giveUp := range []bool{false, true} {
			_, err := s.Retire(t.Context(), gateway.RetireParams{Log: ownLog, Limit: 9, GiveUpDoubt: giveUp})
			wantError(t, err, gateway.ErrOwnLog)
		}
		wantError(t, s.Reinstate(t.Context(), ownLog), gateway.ErrNotFound)
		failed := failedOutcome(claimOne(t, s, start))
		failed.Next = []string{ownLog}
		wantIDs(t, finishEntries(t, s, failed), passed.ID)
		wantLogs(t, s, passed, gateway.Failed, logA)
		for i, sub := range subs {
			wantSame(t, getSubmission(t, s, tenant, sub.ID), subs[i])
		}
		wantPending(t, s, ownLog, 2)
		sequence(t, s, ownLog, 9, 1)
		wantSound(t, s, ownLog)
	},

	"Own/listed": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		enqueueAll(t, s, ownSubmissions("one", "two")...)
		s.setClock(after(time.Minute))
		if logs, err := s.ListLogs(t.Context()); err != nil || len(logs) != 1 || logs[0].Log != ownLog || logs[0].Pending != 2 || logs[0].Oldest != time.Minute {
			t.Errorf("logs are %+v, %v", logs, err)
		}
		wantPending(t, s, ownLog, 2)
		sequence(t, s, ownLog, 9, 2)
		wantPending(t, s, ownLog, 2)
	},

	// Logs of the gateway's own know nothing of one another.
	"Own/several": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		noError(t, s.AddOwnLog(t.Context(), "second-log", "second.example"))
		second := NewSubmission(tenant, "second", "second-log", "same leaf", "b")
		enqueueAll(t, s, NewSubmission(tenant, "first", ownLog, "a", "same leaf"), second, newSubmission("of another"))
		sequence(t, s, ownLog, 9, 2)
		wantSound(t, s, ownLog)
		if l := readOwn(t, s, "second-log"); l.Tree.Size != 0 {
			t.Errorf("the other is %+v", l)
		}
		sequence(t, s, "second-log", 9, 2)
		wantSound(t, s, "second-log")
		anchorAt(t, s, 2)
		logAnchored(t, s, 9)
		if changed, err := s.LogAnchored(t.Context(), "second-log", 9); err != nil || len(changed) != 0 {
			t.Errorf("logged by the other's anchor: %+v, %v", changed, err)
		}
		wantPending(t, s, "second-log", 2)
		_, err := s.OwnAnchor(t.Context(), "second-log", 0)
		wantError(t, err, gateway.ErrNotFound)
		if got := claimEntries(t, s, start, 9); len(got) != 1 {
			t.Errorf("claimed %+v", got)
		}
	},

	// None of it needs what is cold, but records themselves.
	"Own/cold": func(t testing.TB, o opening) {
		s := o.openOwn(t)
		enqueueAll(t, s, ownSubmissions("one", "two")...)
		show := s.hideCold()
		defer show()
		noError(t, s.AddOwnLog(t.Context(), ownLog, ownOrigin))
		l := sequence(t, s, ownLog, 9, 2)
		noError(t, s.KeepAnchor(t.Context(), ownLog, gateway.OwnAnchor{Tree: l.Tree, Submission: newID("anchor")}))
		_, err := s.OwnAnchor(t.Context(), ownLog, 1)
		noError(t, err)
		_, err = s.OwnTiles(t.Context(), ownLog, []tiletree.Tile{{Width: 2}})
		noError(t, err)
		if changed, err := s.LogAnchored(t.Context(), ownLog, 9); err != nil || len(changed) != 2 {
			t.Errorf("%+v, %v", changed, err)
		}
		if _, err := s.OwnRecords(t.Context(), ownLog, 0, 9); err == nil {
			t.Error("OwnRecords does not notice that cold data is hidden")
		}
	},
}

// cutToOne leaves one hash of a tile.
func cutToOne(t *tiletree.TileData) { t.Width, t.Hashes = 1, t.Hashes[:tiletree.HashSize] }

// wantLogged checks whether a submission's only entry is Logged as the record of an index.
func wantLogged(t testing.TB, s gateway.Store, sub gateway.Submission, index int, logged bool) {
	t.Helper()
	want := gateway.Pending
	if logged {
		want = gateway.Logged
	}
	e := wantState(t, s, sub, want).Entries[0]
	if e.State != want || logged != (e.LogIndex != nil) || logged && *e.LogIndex != uint64(index) || e.Problem != "" || e.InDoubt {
		t.Errorf("entry %d is %+v", index, e)
	}
	archived, err := s.Archived(t.Context(), sub.Tenant, sub.ID)
	noError(t, err)
	got := archived.Entries[0].Inclusion
	if logged != (got != nil) || logged && (got.Kind != gateway.KindOwnRecord || got.Index != uint64(index) || got.Proof != nil) {
		t.Errorf("inclusion %d is %+v", index, got)
	}
}
