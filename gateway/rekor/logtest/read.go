// SPDX-License-Identifier: Apache-2.0

package logtest

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// testFind: what is there from an index on is found, with its proof, and nothing else.
func testFind(t *testing.T, s Server, once bool) {
	l := s.Open(t, new(rekortest.Checkpoints), 0)
	growLog(s, 300)
	e, absent := prepareSigned(t, l, "present"), prepareSigned(t, l, "absent")
	if _, err := l.Add(t.Context(), l.Describe().Shard, e); err != nil {
		t.Fatal(err)
	}
	growLog(s, 300)
	leaves := []gateway.LeafHash{e.LeafHash, absent.LeafHash}
	for from, want := range map[uint64]int{0: 1, 300: 1, 301: 0, 601: 0, 1 << 62: 0} {
		found, err := l.Find(t.Context(), l.Describe().Shard, leaves, from, math.MaxUint64)
		if err != nil || len(found.Inclusions) != want || found.AbsentTo != 601 {
			t.Errorf("from %d: %v, %v; want %d", from, found, err, want)
			continue
		}
		if want == 1 {
			s.CheckInclusion(t, found.Inclusions[e.LeafHash], e)
		}
	}
	for _, w := range []struct{ from, to, absentTo uint64 }{{0, 300, 300}, {0, 301, 301}, {301, 400, 400}, {400, 9999, 601}, {601, 602, 601}} {
		found, err := l.Find(t.Context(), l.Describe().Shard, leaves, w.from, w.to)
		want := w.from <= 300 && w.to > 300
		if err != nil || (found.Inclusions[e.LeafHash] != nil) != want || found.AbsentTo != w.absentTo {
			t.Errorf("from %d to %d: %v, %v", w.from, w.to, found, err)
		}
	}
	if once {
		return
	}
	s.Append(e.Body)
	if found, err := l.Find(t.Context(), l.Describe().Shard, leaves, 300, math.MaxUint64); err != nil || found.Doubled != 1 || indexOf(found.Inclusions[e.LeafHash]) != 300 {
		t.Errorf("logged again: %v, %v", found, err)
	}
}

// growLog logs n entries of others.
func growLog(s Server, n int) {
	entries := make([][]byte, n)
	for i := range entries {
		entries[i] = fmt.Appendf(nil, "entry %d after %d", i, s.Size())
	}
	s.Append(entries...)
}

func wantSize(t *testing.T, l gateway.Log, want uint64) {
	t.Helper()
	if got, err := l.Size(t.Context(), l.Describe().Shard); err != nil || got != want {
		t.Fatalf("size %d, %v; want %d", got, err, want)
	}
}

func testForkInCheckpoint(t *testing.T, s Server) { testForkOf(t, s, 3) }

// testForkOfWholeTree: a consistency proof from a size that is a power of two does not have the root of that size.
func testForkOfWholeTree(t *testing.T, s Server) { testForkOf(t, s, 4) }

func testForkOf(t *testing.T, s Server, size int) {
	store := new(rekortest.Checkpoints)
	l := s.Open(t, store, 0)
	growLog(s, size)
	wantSize(t, l, uint64(size))
	s.Fork(1)
	growLog(s, 2)
	if _, err := l.Size(t.Context(), l.Describe().Shard); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("got %v", err)
	}
	wantFork(t, s, l, store)
}

func testForkInAnswer(t *testing.T, s Server) {
	store := new(rekortest.Checkpoints)
	l := s.Open(t, store, 0)
	growLog(s, 3)
	wantSize(t, l, 3)
	s.Fork(1)
	if got, err := l.Add(t.Context(), l.Describe().Shard, prepareSigned(t, l, "on the other side")); !errors.Is(err, gateway.ErrFork) || got != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	wantFork(t, s, l, store)
}

// testForkFoundMeanwhile: another process finds a fork while an entry is under way. Its answer
// does not count any more.
func testForkFoundMeanwhile(t *testing.T, s Server) {
	store := new(rekortest.Checkpoints)
	l := s.Open(t, store, 0)
	growLog(s, 3)
	wantSize(t, l, 3)
	if err := store.KeepFork(t.Context(), gateway.Fork{Shard: l.Describe().Shard}); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Add(t.Context(), l.Describe().Shard, prepareSigned(t, l, "under way")); !errors.Is(err, gateway.ErrFork) || got != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	wantNotUsed(t, s, l, store)
}

// wantFork checks that evidence is kept that stands alone, and that the log is not used.
func wantFork(t *testing.T, s Server, l gateway.Log, store gateway.Checkpoints) {
	t.Helper()
	forks, err := store.Forks(t.Context())
	if err != nil || len(forks) != 1 || forks[0].Shard != l.Describe().Shard {
		t.Fatalf("evidence is %v, %v", forks, err)
	}
	if err := tiles.VerifyFork(forks[0], s.Verifier()); err != nil {
		t.Errorf("evidence: %v", err)
	}
	wantNotUsed(t, s, l, store)
}

// wantNotUsed checks that the log is refused for good, and after a restart.
func wantNotUsed(t *testing.T, s Server, l gateway.Log, store gateway.Checkpoints) {
	t.Helper()
	requests := s.Requests()
	e := prepareSigned(t, l, "after the fork")
	for _, l := range []gateway.Log{l, s.Open(t, store, 0)} {
		if _, err := l.Add(t.Context(), l.Describe().Shard, e); !errors.Is(err, gateway.ErrFork) || errors.Is(err, gateway.ErrNotSent) {
			t.Errorf("adding: %v", err)
		}
		if _, err := l.Size(t.Context(), l.Describe().Shard); !errors.Is(err, gateway.ErrFork) {
			t.Errorf("size: %v", err)
		}
		if _, err := l.Find(t.Context(), l.Describe().Shard, []gateway.LeafHash{e.LeafHash}, 0, math.MaxUint64); !errors.Is(err, gateway.ErrFork) {
			t.Errorf("finding: %v", err)
		}
	}
	if s.Requests() != requests {
		t.Error("an entry was sent to a forked log")
	}
}

// testTiles: while tiles are broken no answer counts, and none is taken for a fork. Once they are
// intact again, all works as before.
func testTiles(t *testing.T, s Server, how Breakage, want string) {
	store := new(rekortest.Checkpoints)
	l := s.Open(t, store, 0)
	growLog(s, 5)
	wantSize(t, l, 5)
	growLog(s, 2)
	s.BreakTiles(how)
	if _, err := l.Size(t.Context(), l.Describe().Shard); OutcomeOf(err) != want {
		t.Errorf("size: %v", err)
	}
	e := prepareSigned(t, l, "doubtful")
	if got, err := l.Add(t.Context(), l.Describe().Shard, e); OutcomeOf(err) != want || got != nil {
		t.Errorf("adding: %v, %v", got, err)
	}
	if found, err := l.Find(t.Context(), l.Describe().Shard, []gateway.LeafHash{e.LeafHash}, 0, math.MaxUint64); OutcomeOf(err) != want || len(found.Inclusions) != 0 || found.AbsentTo != 0 {
		t.Errorf("finding: %v, %v", found, err)
	}
	if kept, err := store.Checkpoint(t.Context(), l.Describe().Shard); err != nil || kept.Size != 5 {
		t.Errorf("kept %v, %v", kept, err)
	}
	s.BreakTiles(Intact)
	wantSize(t, l, 8)
	if err := store.Forked(t.Context(), l.Describe().Shard); err != nil {
		t.Error(err)
	}
	found, err := l.Find(t.Context(), l.Describe().Shard, []gateway.LeafHash{e.LeafHash}, 0, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	s.CheckInclusion(t, found.Inclusions[e.LeafHash], e)
}
