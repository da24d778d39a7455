// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// leases are the leases that a worker holds. They are short, so that the entries of a dead process
// are soon free, and are extended while this process lives. An entry is under way no longer than its lease
// lasts: what follows from its end may rely on that.
type leases struct {
	length time.Duration

	mu   sync.Mutex // guards held
	held map[int64]*heldLease
}

// heldLease is the lease of an entry that is under way.
type heldLease struct {
	gateway.Lease
	leaf  gateway.LeafHash
	since time.Time // it was given, or extended, no earlier
	end   *time.Timer
	stop  context.CancelCauseFunc // of the call under way
	slot  *slot
}

// send is an entry to be sent under a lease: not after it, and not beyond the end of ctx.
type send struct {
	gateway.Claimed
	ctx   context.Context
	lease *heldLease // whose slot is the call's
}

// errLeaseEnded is why a call is ended whose entry is somebody else's by now.
var errLeaseEnded = errors.New("the entry's lease has ended")

func newLeases(length time.Duration) *leases {
	return &leases{length: length, held: map[int64]*heldLease{}}
}

// addClaimed notes entries that were claimed no earlier than claimedAt, and returns those that are not under
// way here, each with one of slots, and the slots that are left over. An entry under way is not sent a second time, which could log it twice; its call has ended or
// is about to, since its lease was lost.
func (l *leases) addClaimed(work context.Context, entries []gateway.Claimed, claimedAt time.Time, slots []*slot) (fresh []send, left []*slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		if h := l.held[e.ID]; h != nil {
			if h.leaf == e.LeafHash {
				h.Lease = gateway.Lease{EntryID: e.ID, Fence: e.Fence}
			} // else the store is an older copy, and has given the ID again: no outcome of the one is the other's
			continue
		}
		ctx, stop := context.WithCancelCause(work)
		h := &heldLease{Lease: gateway.Lease{EntryID: e.ID, Fence: e.Fence}, leaf: e.LeafHash, since: claimedAt, stop: stop, slot: slots[0]}
		slots = slots[1:]
		h.end = time.AfterFunc(l.length-time.Since(claimedAt), func() { stop(errLeaseEnded) })
		l.held[e.ID] = h
		fresh = append(fresh, send{Claimed: e, ctx: ctx, lease: h})
	}
	return fresh, slots
}

// isOver reports whether s may not be sent any more. It asks the clock of the wall, too: the other one may
// stand still while the machine sleeps.
func (l *leases) isOver(s send) bool {
	l.mu.Lock()
	since := s.lease.since
	l.mu.Unlock()
	now := time.Now()
	return s.ctx.Err() != nil || now.Sub(since) >= l.length || now.Round(0).Sub(since.Round(0)) >= l.length
}

// releaseOutcomes forgets the leases of outcomes that are about to be stored, and sets each
// outcome's fence to that of the last lease.
func (l *leases) releaseOutcomes(outcomes []gateway.Outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var slots []*slot
	for i, o := range outcomes {
		if held, ok := l.held[o.EntryID]; ok {
			outcomes[i].Fence = held.Fence
			held.end.Stop()
			held.stop(nil)
			slots = append(slots, held.slot)
			delete(l.held, o.EntryID)
		}
	}
	freeSlots(slots)
}

// listHeld returns all leases, and since when the list is true.
func (l *leases) listHeld() ([]gateway.Lease, time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]gateway.Lease, 0, len(l.held))
	for _, h := range l.held {
		all = append(all, h.Lease)
	}
	return all, time.Now()
}

// noteExtended notes that the leases were extended, no earlier than at since, but for those that are lost,
// whose calls end.
func (l *leases) noteExtended(extended, lost []gateway.Lease, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lease := range lost {
		if h := l.held[lease.EntryID]; h != nil && h.Lease == lease {
			h.end.Stop()
			h.stop(errLeaseEnded)
		}
	}
	for _, lease := range extended {
		if h := l.held[lease.EntryID]; h != nil && h.Lease == lease && h.end.Stop() {
			h.since = since
			h.end.Reset(l.length - time.Since(since))
		}
	}
}

// isHeld reports whether the entry is under way here.
func (l *leases) isHeld(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[id] != nil
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
		held, since := w.held.listHeld()
		lost, err := w.store.Extend(ctx, held, w.timing.Lease)
		switch {
		case err == nil:
			w.held.noteExtended(held, lost, since)
		case ctx.Err() == nil:
			w.logger.Error("extending leases", "error", err)
		}
	}
}
