// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// leases are the leases that a worker holds. They are short, so that the entries of a dead process
// are soon free, and are extended while this process lives.
type leases struct {
	mu   *sync.Mutex             // over held
	held map[int64]gateway.Lease // by entry; owned by the claiming, finishing and extending goroutines
}

func newLeases() leases { return leases{mu: &sync.Mutex{}, held: map[int64]gateway.Lease{}} }

// addClaimed notes claimed entries and returns those that are not under way yet. An entry under way
// can be claimed again here when its lease has run out: the machine slept, its clock jumped, the
// store stalled. It is not sent a second time, which could log it twice; the call under way goes on
// under the new lease.
func (l leases) addClaimed(entries []gateway.Claimed) []gateway.Claimed {
	l.mu.Lock()
	defer l.mu.Unlock()
	var fresh []gateway.Claimed
	for _, e := range entries {
		if _, underWay := l.held[e.ID]; !underWay {
			fresh = append(fresh, e)
		}
		l.held[e.ID] = gateway.Lease{EntryID: e.ID, Fence: e.Fence}
	}
	return fresh
}

// releaseOutcomes forgets the leases of outcomes that are about to be stored, and sets each
// outcome's fence to that of the last lease.
func (l leases) releaseOutcomes(outcomes []gateway.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range outcomes {
		if held, ok := l.held[o.EntryID]; ok {
			outcomes[i].Fence = held.Fence
			delete(l.held, o.EntryID)
		}
	}
}

func (l leases) listHeld() []gateway.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.held))
}

// extendLeases extends all leases held, every third of a lease's time, until ctx ends.
func (w *worker) extendLeases(ctx context.Context) {
	tick := time.NewTicker(w.timing.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.store.Extend(ctx, w.held.listHeld(), w.timing.Lease); err != nil && ctx.Err() == nil {
			w.logger.Error("extending leases", "error", err)
		}
	}
}
