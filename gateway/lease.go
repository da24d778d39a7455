// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// leases are those that a worker holds. They are short, so that a dead process's entries
// are soon free, and extended for as long as the process lives.
type leases struct {
	mu   *sync.Mutex
	held map[int64]Lease // by entry
}

func newLeases() leases { return leases{mu: &sync.Mutex{}, held: map[int64]Lease{}} }

func (l leases) add(entries []Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		l.held[e.ID] = Lease{EntryID: e.ID, Fence: e.Fence}
	}
}

// remove forgets the leases that outcomes released, but not those claimed again since.
func (l leases) remove(outcomes []Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, o := range outcomes {
		if l.held[o.EntryID].Fence == o.Fence {
			delete(l.held, o.EntryID)
		}
	}
}

func (l leases) all() []Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.held))
}

// extendLeases extends what the worker holds, thrice as often as it must, until ctx ends.
func (w *Worker) extendLeases(ctx context.Context) {
	tick := time.NewTicker(w.cfg.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := w.now()
		if err := w.store.Extend(ctx, w.held.all(), now, now.Add(w.cfg.Lease)); err != nil && ctx.Err() == nil {
			w.logger.Error("extending leases", "error", err)
		}
	}
}
