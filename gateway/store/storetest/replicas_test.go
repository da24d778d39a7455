// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// openFile opens a sound store, which tests break.
func openFile(t *testing.T, path string, o Options) gateway.Store {
	s, err := sqlite.Open(t.Context(), path, sqlite.Options{MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes, Now: o.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// copyFiles copies a store as a crash leaves it.
func copyFiles(t *testing.T, path string) string {
	crashed := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(crashed+suffix, b, 0o600)
		}
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return crashed
}

// breakStores returns a driver of stores that are broken in some way. What one of several gateways knows, the others may
// be told: breaker is called for each test.
func breakStores(breaker func() func(gateway.Store) gateway.Store) Driver {
	return func(t *testing.T, o Options) Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		broken := breaker()
		return Opened{
			Store:   broken(openFile(t, path, o)),
			Another: func() gateway.Store { return broken(openFile(t, path, o)) },
			Reopen:  func() gateway.Store { return broken(openFile(t, path, o)) },
			Crash:   func() gateway.Store { return broken(openFile(t, copyFiles(t, path), o)) },
		}
	}
}

// replica is one of several gateways on a store, of which it does some things otherwise.
type replica struct {
	gateway.Store
	*together
	checkpoint func(r *replica, ctx context.Context, shard gateway.Shard) (*gateway.Checkpoint, error)
	keep       func(r *replica, ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error)
	forked     func(r *replica, ctx context.Context, shard gateway.Shard) error
	claim      func(r *replica, ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error)
	extend     func(r *replica, ctx context.Context, leases []gateway.Lease, lease time.Duration) ([]gateway.Lease, error)
	finish     func(r *replica, ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error)
	settle     func(r *replica, ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error)
	progress   func(r *replica, ctx context.Context, ids []string) ([]gateway.Progress, error)
	retired    func(r *replica, ctx context.Context) ([]string, error)

	mu    sync.Mutex // guards what follows: what it remembers
	kept  map[gateway.Shard]*gateway.Checkpoint
	seen  map[string]gateway.Progress
	names []string
	read  bool
	sound map[gateway.Shard]bool
}

// together is what all replicas of a test know.
type together struct {
	mu      sync.Mutex // guards what follows
	fences  map[int64]int64
	claimed []gateway.Claimed
}

func (r *replica) Checkpoint(ctx context.Context, shard gateway.Shard) (*gateway.Checkpoint, error) {
	if r.checkpoint != nil {
		return r.checkpoint(r, ctx, shard)
	}
	return r.Store.Checkpoint(ctx, shard)
}

func (r *replica) KeepCheckpoint(ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
	if r.keep != nil {
		return r.keep(r, ctx, shard, old, c)
	}
	return r.Store.KeepCheckpoint(ctx, shard, old, c)
}

func (r *replica) Forked(ctx context.Context, shard gateway.Shard) error {
	if r.forked != nil {
		return r.forked(r, ctx, shard)
	}
	return r.Store.Forked(ctx, shard)
}

func (r *replica) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	if r.claim != nil {
		return r.claim(r, ctx, p)
	}
	return r.noteClaim(r.Store.Claim(ctx, p))
}

func (r *replica) noteClaim(claimed []gateway.Claimed, err error) ([]gateway.Claimed, error) {
	r.together.mu.Lock()
	defer r.together.mu.Unlock()
	r.claimed = append(r.claimed, claimed...)
	for _, c := range claimed {
		r.fences[c.ID] = c.Fence
	}
	return claimed, err
}

// newestFence returns the fence that an entry has by now.
func (r *replica) newestFence(id int64) int64 {
	r.together.mu.Lock()
	defer r.together.mu.Unlock()
	return r.fences[id]
}

func (r *replica) Extend(ctx context.Context, leases []gateway.Lease, lease time.Duration) ([]gateway.Lease, error) {
	if r.extend != nil {
		return r.extend(r, ctx, leases, lease)
	}
	return r.Store.Extend(ctx, leases, lease)
}

func (r *replica) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	if r.finish != nil {
		return r.finish(r, ctx, outcomes)
	}
	return r.Store.Finish(ctx, outcomes)
}

func (r *replica) Settle(ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
	if r.settle != nil {
		return r.settle(r, ctx, settlements)
	}
	return r.Store.Settle(ctx, settlements)
}

func (r *replica) Progress(ctx context.Context, ids []string) ([]gateway.Progress, error) {
	if r.progress != nil {
		return r.progress(r, ctx, ids)
	}
	return r.Store.Progress(ctx, ids)
}

func (r *replica) RetiredLogs(ctx context.Context) ([]string, error) {
	if r.retired != nil {
		return r.retired(r, ctx)
	}
	return r.Store.RetiredLogs(ctx)
}

// replicaMutants each break a promise that one gateway alone would not miss.
var replicaMutants = map[string]*replica{
	"keeps checkpoints by what it has kept itself": {
		keep: func(r *replica, ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if own := r.kept[shard]; own != nil && !own.Equal(old) {
				return own, nil
			}
			for {
				there, err := r.Store.Checkpoint(ctx, shard)
				if err != nil {
					return nil, err
				}
				kept, err := r.Store.KeepCheckpoint(ctx, shard, there, c)
				if err != nil || kept.Equal(&c) {
					r.kept[shard] = kept
					return kept, err
				}
			}
		},
	},
	"reads a checkpoint once": {
		checkpoint: func(r *replica, ctx context.Context, shard gateway.Shard) (*gateway.Checkpoint, error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if own := r.kept[shard]; own != nil {
				return own, nil
			}
			c, err := r.Store.Checkpoint(ctx, shard)
			r.kept[shard] = c
			return c, err
		},
	},
	"asks once whether a log is forked": {
		forked: func(r *replica, ctx context.Context, shard gateway.Shard) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.sound[shard] {
				return nil
			}
			err := r.Store.Forked(ctx, shard)
			r.sound[shard] = err == nil
			return err
		},
	},
	"hands out what another has": {
		claim: func(r *replica, ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
			r.together.mu.Lock()
			n := min(len(r.claimed), 1)
			again := append([]gateway.Claimed(nil), r.claimed[:n]...)
			r.together.mu.Unlock()
			own, err := r.noteClaim(r.Store.Claim(ctx, p))
			return append(own, again...), err
		},
	},
	"extends any lease": {
		extend: func(r *replica, ctx context.Context, leases []gateway.Lease, lease time.Duration) ([]gateway.Lease, error) {
			newest := append([]gateway.Lease(nil), leases...)
			for i := range newest {
				newest[i].Fence = r.newestFence(newest[i].EntryID)
			}
			return r.Store.Extend(ctx, newest, lease)
		},
	},
	"finishes any lease": {
		finish: func(r *replica, ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
			newest := append([]gateway.Outcome(nil), outcomes...)
			for i := range newest {
				newest[i].Fence = r.newestFence(newest[i].EntryID)
			}
			return r.Store.Finish(ctx, newest)
		},
	},
	"settles what was read before": {
		settle: func(r *replica, ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
			newest := append([]gateway.Settlement(nil), settlements...)
			for i := range newest {
				newest[i].Fence = r.newestFence(newest[i].EntryID)
			}
			return r.Store.Settle(ctx, newest)
		},
	},
	"remembers how far a submission is": {
		progress: func(r *replica, ctx context.Context, ids []string) (all []gateway.Progress, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, id := range ids {
				if _, ok := r.seen[id]; !ok {
					found, err := r.Store.Progress(ctx, []string{id})
					if err != nil || len(found) == 0 {
						return nil, err
					}
					r.seen[id] = found[0]
				}
				all = append(all, r.seen[id])
			}
			return all, nil
		},
	},
	"reads once which logs are retired": {
		retired: func(r *replica, ctx context.Context) (_ []string, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if !r.read {
				r.names, err = r.Store.RetiredLogs(ctx)
				r.read = err == nil
			}
			return r.names, err
		},
	},
}

func (r *replica) breaker() func(gateway.Store) gateway.Store {
	all := &together{fences: map[int64]int64{}}
	return func(s gateway.Store) gateway.Store {
		return &replica{
			Store: s, together: all, checkpoint: r.checkpoint, keep: r.keep, forked: r.forked, claim: r.claim, extend: r.extend, finish: r.finish,
			settle: r.settle, progress: r.progress, retired: r.retired,
			kept: map[gateway.Shard]*gateway.Checkpoint{}, seen: map[string]gateway.Progress{}, sound: map[gateway.Shard]bool{},
		}
	}
}

// TestReplicaMutants: gateways that disagree fail a test, those that agree pass.
func TestReplicaMutants(t *testing.T) {
	if failed := findFailure(t, breakStores(new(replica).breaker), "", replicaTests); failed != "" {
		t.Errorf("a good store fails: %q", failed)
	}
	for name, m := range replicaMutants {
		t.Run(name, func(t *testing.T) {
			failed := findFailure(t, breakStores(m.breaker), "", replicaTests)
			if failed == "" {
				t.Error("passes")
			}
			t.Log("fails", failed)
		})
	}
}
