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
