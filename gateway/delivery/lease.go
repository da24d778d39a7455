// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// leases are the leases that a worker holds. They are short, so that the entries of a dead process
// are soon free, and are extended while this process lives. An entry is under way no longer than its lease
// lasts: what follows from its end may rely on that. So its call's deadline is the lease's end, as far as it is known to be when
// the call is about to begin, and each time that the lease is extended.
type leases struct {
	length time.Duration

	mu   sync.Mutex // guards held
	held map[int64]*heldLease
}

// heldLease is the lease of an entry that is under way.
type heldLease struct {
	gateway.Lease
	leaf  gateway.LeafHash
	shard gateway.Shard
	from  uint64      // the entry is not in the shard before
	since steady.Mark // it was given, or extended, no earlier
	lost  bool        // the store says so
	end   *time.Timer
	stop  context.CancelCauseFunc // of the call under way
}

// send is an entry to be sent under a lease: not after it, and not beyond the end of ctx.
type send struct {
	gateway.Claimed
	ctx   context.Context
	lease *heldLease
	since steady.Mark // it was claimed no earlier
	slot  *slot       // the call's; nil: it waits for one
}

// errLeaseEnded is why a call is ended whose entry is somebody else's by now.
var errLeaseEnded = errors.New("the entry's lease has ended")

func newLeases(length time.Duration) *leases {
	return &leases{length: length, held: map[int64]*heldLease{}}
}

// addClaimed notes entries that were claimed no earlier than claimedAt, and returns those that are not under
// way here. An entry under way is not sent a second time, which could log it twice; its call has ended or
// is about to, since its lease was lost.
func (l *leases) addClaimed(work context.Context, entries []gateway.Claimed, claimedAt steady.Mark) (fresh []*send) {
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
		h := &heldLease{Lease: gateway.Lease{EntryID: e.ID, Fence: e.Fence}, leaf: e.LeafHash, shard: e.Shard, since: claimedAt, stop: stop}
		if e.SentAtTreeSize != nil {
			h.from = *e.SentAtTreeSize
		}
		h.end = time.AfterFunc(l.length-claimedAt.Elapsed(), func() { stop(errLeaseEnded) })
		l.held[e.ID] = h
		fresh = append(fresh, &send{Claimed: e, ctx: ctx, lease: h, since: claimedAt})
	}
	return fresh
}

// checkLease returns errLeaseEnded when s may not be sent any more. No clock that it goes by stands still, or can be set back: a process
// that was stopped, or whose machine slept, sends nothing when it wakes.
func (l *leases) checkLease(s *send) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.ctx.Err() != nil || l.hasEndedLocked(s.lease) {
		return errLeaseEnded
	}
	return nil
}

func (l *leases) hasEndedLocked(h *heldLease) bool { return h.lost || h.since.Elapsed() >= l.length }

// releaseOutcomes forgets the leases of outcomes that are about to be stored, and sets each
// outcome's fence to that of the last lease. It returns the entries that may have been sent, and whose leases had ended by then.
func (l *leases) releaseOutcomes(outcomes []gateway.Outcome) (late []lateEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, o := range outcomes {
		if held, ok := l.held[o.EntryID]; ok {
			outcomes[i].Fence = held.Fence
			held.end.Stop()
			held.stop(nil)
			if l.hasEndedLocked(held) && (o.Inclusion != nil || o.InDoubt) {
				late = append(late, lateEntry{leaf: held.leaf, shard: held.shard, from: held.from, since: time.Now()})
			}
			delete(l.held, o.EntryID)
		}
	}
	return late
}

// count returns how many leases are held: those of entries whose outcomes are not stored yet.
func (l *leases) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.held)
}

// listAged returns the leases that were given, or extended, a third of their time ago or longer, and since when the list is true.
func (l *leases) listAged() (aged []gateway.Lease, since steady.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.held {
		if h.since.Elapsed() >= l.length/3 {
			aged = append(aged, h.Lease)
		}
	}
	return aged, steady.Now()
}

// noteExtended notes that the leases were extended, no earlier than at since, but for those that are lost,
// whose calls end.
func (l *leases) noteExtended(extended, lost []gateway.Lease, since steady.Mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, lease := range lost {
		if h := l.held[lease.EntryID]; h != nil && h.Lease == lease {
			h.lost = true
			h.end.Stop()
			h.stop(errLeaseEnded)
		}
	}
	for _, lease := range extended {
		if h := l.held[lease.EntryID]; h != nil && h.Lease == lease && h.end.Stop() {
			h.since = since
			h.end.Reset(l.length - since.Elapsed())
		}
	}
}

// isHeld reports whether the entry is under way here.
func (l *leases) isHeld(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[id] != nil
}

// extendLeases extends leases before half of their time is over, until ctx ends. An entry that the log answers sooner costs nothing.
func (w *worker) extendLeases(ctx context.Context) {
	tick := time.NewTicker(w.timing.Lease / 6)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		aged, since := w.held.listAged()
		if len(aged) == 0 {
			continue
		}
		lost, err := w.store.Extend(ctx, aged, w.timing.Lease)
		switch {
		case err == nil:
			w.held.noteExtended(aged, lost, since)
		case ctx.Err() == nil:
			w.logger.Error("extending leases", "error", err)
		}
	}
}
