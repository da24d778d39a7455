// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

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
