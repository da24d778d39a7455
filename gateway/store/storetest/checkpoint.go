// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// OpenCheckpoints makes an empty gateway.Checkpoints, as Driver does a store.
type OpenCheckpoints func(t *testing.T) (c gateway.Checkpoints, reopen func() gateway.Checkpoints)

// RunCheckpoints runs the conformance tests of gateway.Checkpoints, which Run includes.
func RunCheckpoints(t *testing.T, open OpenCheckpoints) {
	for name, test := range checkpointTests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, reopen := open(t)
			test(t, c, reopen)
		})
	}
}

// checkpointTests each take an empty store. They see a testing.TB, so that they can be tried on
// stores that break a promise.
var checkpointTests = map[string]func(t testing.TB, c gateway.Checkpoints, reopen func() gateway.Checkpoints){
	"Checkpoint":             testCheckpoint,
	"Checkpoint/shards":      testShards,
	"Checkpoint/swap":        testSwap,
	"Checkpoint/first":       testFirst,
	"Checkpoint/one winner":  testOneWinner,
	"Checkpoint/lost update": testLostUpdate,
	"Checkpoint/empty tree":  testEmptyTree,
	"Checkpoint/absurd size": testAbsurdSize,
	"Fork/forked":            testFork,
	"Fork/evidence":          testEvidence,
	"Fork/absurd":            testAbsurdFork,
}

var (
	shardA = gateway.Shard{Origin: "a", KeyID: [32]byte{1}}
	// shardB has the same origin and another key, shardC the same key and another origin.
	shardB = gateway.Shard{Origin: "a", KeyID: [32]byte{2}}
	shardC = gateway.Shard{Origin: "c", KeyID: [32]byte{1}}
)

func newCheckpoint(size uint64, note string) gateway.Checkpoint {
	return gateway.Checkpoint{Size: size, Root: [32]byte{byte(size)}, Envelope: []byte(note)}
}

func newFork(shard gateway.Shard, note string) gateway.Fork {
	return gateway.Fork{
		Shard: shard, Small: newCheckpoint(10, "small side of "+note), Large: newCheckpoint(12, "large side of "+note),
		PrefixRoot: [32]byte{7}, Consistency: [][]byte{slices.Repeat([]byte{8}, 32), slices.Repeat([]byte{9}, 32)},
	}
}

func wantCheckpoint(t testing.TB, s gateway.Checkpoints, shard gateway.Shard, want *gateway.Checkpoint) {
	t.Helper()
	got, err := s.Checkpoint(t.Context(), shard)
	noError(t, err)
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("checkpoint of %s is %v, want %v", shard.Origin, got, want)
	}
}

// wantKept tries to keep c in the place of old, and checks what is kept then by the answer and by
// reading.
func wantKept(t testing.TB, s gateway.Checkpoints, old *gateway.Checkpoint, c, want gateway.Checkpoint) {
	t.Helper()
	kept, err := s.KeepCheckpoint(t.Context(), shardA, old, c)
	noError(t, err)
	if !reflect.DeepEqual(kept, &want) {
		t.Fatalf("keeping %v in the place of %v: kept %v, want %v", c, old, kept, want)
	}
	wantCheckpoint(t, s, shardA, &want)
}

func testCheckpoint(t testing.TB, s gateway.Checkpoints, reopen func() gateway.Checkpoints) {
	wantCheckpoint(t, s, shardA, nil)
	ten, eleven := newCheckpoint(10, "ten"), newCheckpoint(11, "eleven")
	wantKept(t, s, nil, ten, ten)
	wantKept(t, s, &ten, eleven, eleven)
	wantKept(t, s, &eleven, eleven, eleven)
	wantCheckpoint(t, reopen(), shardA, &eleven)
}

func testShards(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	ten, nine := newCheckpoint(10, "ten"), newCheckpoint(9, "nine")
	wantKept(t, s, nil, ten, ten)
	for _, other := range []gateway.Shard{shardB, shardC} {
		wantCheckpoint(t, s, other, nil)
		kept, err := s.KeepCheckpoint(t.Context(), other, nil, nine)
		if err != nil || !kept.Equal(&nine) {
			t.Fatalf("keeping the first checkpoint of another shard: %v, %v", kept, err)
		}
		wantCheckpoint(t, s, other, &nine)
	}
	wantCheckpoint(t, s, shardA, &ten)
}

// testSwap: a checkpoint is replaced only when old is exactly what is kept, whatever the sizes. A
// store that keeps the larger one, or compares only a part of old, fails.
func testSwap(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	ten, twelve := newCheckpoint(10, "ten"), newCheckpoint(12, "twelve")
	wantKept(t, s, nil, ten, ten)
	size, root, note := ten, ten, ten
	size.Size, root.Root, note.Envelope = 9, [32]byte{99}, []byte("other ten")
	for _, stale := range []*gateway.Checkpoint{nil, &size, &root, &note, &twelve} {
		wantKept(t, s, stale, twelve, ten)
	}
	wantKept(t, s, &ten, note, note) // of the same size
	wantKept(t, s, &note, size, size)
	wantKept(t, s, &size, twelve, twelve)
}

// testFirst: nothing is in the place of a checkpoint that is not kept.
func testFirst(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	ten := newCheckpoint(10, "ten")
	kept, err := s.KeepCheckpoint(t.Context(), shardA, &ten, newCheckpoint(11, "eleven"))
	if err != nil || kept != nil {
		t.Fatalf("kept %v, %v", kept, err)
	}
	wantCheckpoint(t, s, shardA, nil)
}

// testOneWinner: of many calls with the same old, one wins, and all return the winner.
func testOneWinner(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	const n = 16
	var old *gateway.Checkpoint
	for round := range 3 {
		var wg sync.WaitGroup
		kept := make([]*gateway.Checkpoint, n)
		for i := range n {
			wg.Go(func() {
				c := newCheckpoint(uint64(10*round+i%2), fmt.Sprint(round, "/", i)) // of contradicting histories
				var err error
				if kept[i], err = s.KeepCheckpoint(t.Context(), shardA, old, c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, k := range kept {
			if k == nil || !k.Equal(kept[0]) {
				t.Fatalf("round %d: one was told that %v is kept, another %v", round, k, kept[0])
			}
		}
		wantCheckpoint(t, s, shardA, kept[0])
		old = kept[0]
	}
}

// testLostUpdate: each of many that read, add one and swap until they win leaves a trace.
func testLostUpdate(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	const workers, rounds = 4, 6
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for range rounds {
				if err := addOne(t, s, w); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	got, err := s.Checkpoint(t.Context(), shardA)
	noError(t, err)
	if got == nil || got.Size != workers*rounds {
		t.Errorf("kept %v after %d swaps", got, workers*rounds)
	}
}

func addOne(t testing.TB, s gateway.Checkpoints, worker int) error {
	old, err := s.Checkpoint(t.Context(), shardA)
	if err != nil {
		return err
	}
	for {
		next := newCheckpoint(1, fmt.Sprint("one by ", worker))
		if old != nil {
			next = newCheckpoint(old.Size+1, fmt.Sprint(old.Size+1, " by ", worker))
		}
		kept, err := s.KeepCheckpoint(t.Context(), shardA, old, next)
		if err != nil || kept.Equal(&next) {
			return err
		}
		if kept.Equal(old) {
			return fmt.Errorf("%v was kept, but not replaced", kept)
		}
		old = kept
	}
}

func testEmptyTree(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	zero := newCheckpoint(0, "empty")
	wantKept(t, s, nil, zero, zero)
}

func testAbsurdSize(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	if kept, err := s.KeepCheckpoint(t.Context(), shardA, nil, newCheckpoint(1<<63, "huge")); err == nil || kept != nil {
		t.Errorf("keeping a checkpoint of size 2^63: %v, %v", kept, err)
	}
	wantCheckpoint(t, s, shardA, nil)
}

func testFork(t testing.TB, s gateway.Checkpoints, reopen func() gateway.Checkpoints) {
	noError(t, s.Forked(t.Context(), shardA))
	noError(t, s.KeepFork(t.Context(), newFork(shardA, "it")))
	for range 2 {
		wantError(t, s.Forked(t.Context(), shardA), gateway.ErrFork)
		noError(t, s.Forked(t.Context(), shardB))
		noError(t, s.Forked(t.Context(), shardC))
		wantCheckpoint(t, s, shardA, nil)
		s = reopen()
	}
}

// testEvidence: all of the evidence comes back, in order, once each.
func testEvidence(t testing.TB, s gateway.Checkpoints, reopen func() gateway.Checkpoints) {
	equal := newFork(shardC, "third")
	equal.Large.Size, equal.PrefixRoot, equal.Consistency = equal.Small.Size, equal.Large.Root, nil
	want := []gateway.Fork{newFork(shardA, "first"), newFork(shardB, "first"), newFork(shardA, "second"), equal}
	for _, f := range append(want, want...) {
		noError(t, s.KeepFork(t.Context(), f))
	}
	for range 2 {
		got, err := s.Forks(t.Context())
		noError(t, err)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("forks\n%+v\nwant\n%+v", got, want)
		}
		s = reopen()
	}
}

func testAbsurdFork(t testing.TB, s gateway.Checkpoints, _ func() gateway.Checkpoints) {
	huge, short := newFork(shardA, "huge"), newFork(shardA, "short")
	huge.Large.Size = 1 << 63
	short.Consistency[1] = short.Consistency[1][:31]
	for _, f := range []gateway.Fork{huge, short} {
		if err := s.KeepFork(t.Context(), f); err == nil {
			t.Errorf("kept %+v", f)
		}
	}
	if forks, err := s.Forks(t.Context()); err != nil || len(forks) != 0 {
		t.Errorf("forks %v, %v", forks, err)
	}
}
