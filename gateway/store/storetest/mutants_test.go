// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// mutant is a gateway.Checkpoints with one promise broken.
type mutant struct {
	gateway.Checkpoints
	keep   func(ctx context.Context, s gateway.Checkpoints, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error)
	shard  func(gateway.Shard) gateway.Shard // of checkpoints
	fork   func(*gateway.Fork)               // as stored
	forked func(gateway.Shard) gateway.Shard // as asked for
}

func (m mutant) Checkpoint(ctx context.Context, shard gateway.Shard) (*gateway.Checkpoint, error) {
	if m.shard != nil {
		shard = m.shard(shard)
	}
	return m.Checkpoints.Checkpoint(ctx, shard)
}

func (m mutant) KeepCheckpoint(ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
	if m.shard != nil {
		shard = m.shard(shard)
	}
	if m.keep != nil {
		return m.keep(ctx, m.Checkpoints, shard, old, c)
	}
	return m.Checkpoints.KeepCheckpoint(ctx, shard, old, c)
}

func (m mutant) KeepFork(ctx context.Context, f gateway.Fork) error {
	if m.fork != nil {
		m.fork(&f)
	}
	return m.Checkpoints.KeepFork(ctx, f)
}

func (m mutant) Forked(ctx context.Context, shard gateway.Shard) error {
	if m.forked != nil {
		shard = m.forked(shard)
	}
	return m.Checkpoints.Forked(ctx, shard)
}

// keepIf stores c in the place of whatever is kept if may says so, in one step.
func keepIf(may func(kept, old *gateway.Checkpoint, c gateway.Checkpoint) bool) mutant {
	var mu sync.Mutex
	return mutant{keep: func(ctx context.Context, s gateway.Checkpoints, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
		mu.Lock()
		defer mu.Unlock()
		kept, err := s.Checkpoint(ctx, shard)
		if err != nil || !may(kept, old, c) {
			return kept, err
		}
		return s.KeepCheckpoint(ctx, shard, kept, c)
	}}
}

var mutants = map[string]mutant{
	"the larger one wins": keepIf(func(kept, _ *gateway.Checkpoint, c gateway.Checkpoint) bool {
		return kept == nil || c.Size > kept.Size
	}),
	"the larger one wins over old": keepIf(func(kept, old *gateway.Checkpoint, c gateway.Checkpoint) bool {
		return kept.Equal(old) && (kept == nil || c.Size > kept.Size)
	}),
	"the last one wins": keepIf(func(_, _ *gateway.Checkpoint, _ gateway.Checkpoint) bool { return true }),
	"old is compared by size": keepIf(func(kept, old *gateway.Checkpoint, _ gateway.Checkpoint) bool {
		return kept == old || kept != nil && old != nil && kept.Size == old.Size
	}),
	"old is compared by size and root": keepIf(func(kept, old *gateway.Checkpoint, _ gateway.Checkpoint) bool {
		return kept == old || kept != nil && old != nil && kept.Size == old.Size && kept.Root == old.Root
	}),
	"nothing is as good as old": keepIf(func(kept, old *gateway.Checkpoint, _ gateway.Checkpoint) bool {
		return kept == nil || kept.Equal(old)
	}),
	"no old is any old": keepIf(func(kept, old *gateway.Checkpoint, _ gateway.Checkpoint) bool {
		return old == nil || kept.Equal(old)
	}),
	"compares and swaps in two steps": {keep: func(ctx context.Context, s gateway.Checkpoints, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
		kept, err := s.Checkpoint(ctx, shard)
		if err != nil || !kept.Equal(old) {
			return kept, err
		}
		for range 100 {
			runtime.Gosched()
		}
		for err == nil && !kept.Equal(&c) {
			kept, err = s.KeepCheckpoint(ctx, shard, kept, c)
		}
		return kept, err
	}},
	"says that it kept": {keep: func(ctx context.Context, s gateway.Checkpoints, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
		_, err := s.KeepCheckpoint(ctx, shard, old, c)
		return &c, err
	}},
	"knows origins only": {shard: func(s gateway.Shard) gateway.Shard { s.KeyID = [32]byte{}; return s }},
	"knows keys only":    {shard: func(s gateway.Shard) gateway.Shard { s.Origin = ""; return s }},
	"forks of any key":   {forked: func(s gateway.Shard) gateway.Shard { return gateway.Shard{Origin: s.Origin, KeyID: shardA.KeyID} }},
	"loses the proof":    {fork: func(f *gateway.Fork) { f.Consistency = nil }},
	"loses a hash":       {fork: func(f *gateway.Fork) { f.Consistency = f.Consistency[:len(f.Consistency)/2] }},
	"loses the prefix":   {fork: func(f *gateway.Fork) { f.PrefixRoot = [32]byte{} }},
	"loses the key":      {fork: func(f *gateway.Fork) { f.KeyID = [32]byte{} }},
	"swaps the sides":    {fork: func(f *gateway.Fork) { f.Small, f.Large = f.Large, f.Small }},
}

// TestMutants: a store that breaks a promise fails a test; one that keeps all passes.
func TestMutants(t *testing.T) {
	if failed := failures(t, new(rekortest.Checkpoints), false); len(failed) != 0 {
		t.Errorf("a good store fails: %q", failed)
	}
	for name, m := range mutants {
		t.Run(name, func(t *testing.T) {
			if failed := failures(t, m, false); len(failed) == 0 {
				t.Error("passes")
			}
		})
	}
	if failed := failures(t, new(rekortest.Checkpoints), true); len(failed) == 0 {
		t.Error("a store that forgets passes")
	}
}

// failures names the tests that fail on s, a fresh one for each; one that forgets is empty after
// reopening.
func failures(t *testing.T, s gateway.Checkpoints, forgets bool) (failed []string) {
	for name, test := range checkpointTests {
		fresh := gateway.Checkpoints(new(rekortest.Checkpoints))
		if m, ok := s.(mutant); ok {
			m.Checkpoints = fresh
			fresh = m
		}
		reopen := func() gateway.Checkpoints {
			if forgets {
				return new(rekortest.Checkpoints)
			}
			return fresh
		}
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // Fatal ends it
			defer close(done)
			test(r, fresh, reopen)
		}()
		<-done
		if r.failed {
			failed = append(failed, name)
		}
	}
	slices.Sort(failed)
	return failed
}
