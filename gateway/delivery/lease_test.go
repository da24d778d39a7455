// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

func claimedEntry(id, fence int64) gateway.Claimed {
	return gateway.Claimed{Entry: gateway.Entry{ID: id, Fence: fence}}
}

// someSlots are n slots of a budget without limits.
func someSlots(t *testing.T, n int) []*slot {
	t.Helper()
	slots, _, _ := newBudget("log", Limits{InFlight: n}, Timing{}.withDefaults(), Metrics{}.withDefaults(), false).takeSlots(n)
	if len(slots) != n {
		t.Fatalf("%d slots, want %d", len(slots), n)
	}
	return slots
}

// addWithSlots is addClaimed, with one of slots for each entry. It returns the slots that are left over, too.
func addWithSlots(work context.Context, l *leases, entries []gateway.Claimed, claimedAt steady.Mark, slots []*slot) (sends []*send, left []*slot) {
	sends = l.addClaimed(work, entries, claimedAt)
	for i, s := range sends {
		s.slot = slots[i]
	}
	return sends, slots[len(sends):]
}

// TestCallEndsWithLease: a call lasts as long as its lease, extended or not, and no longer.
func TestCallEndsWithLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeases(15 * time.Second)
		claimedAt := steady.Now()
		time.Sleep(5 * time.Second) // the store took its time
		sends, _ := addWithSlots(t.Context(), l, []gateway.Claimed{claimedEntry(1, 1), claimedEntry(2, 1), claimedEntry(3, 1)}, claimedAt, someSlots(t, 3))
		kept, lapsing, lost := sends[0], sends[1], sends[2]
		held, since := l.listAged()
		time.Sleep(2 * time.Second)
		l.noteExtended([]gateway.Lease{kept.lease.Lease}, []gateway.Lease{lost.lease.Lease}, since)
		if len(held) != 3 || lost.ctx.Err() == nil || kept.ctx.Err() != nil || lapsing.ctx.Err() != nil || l.checkLease(lost) == nil || l.checkLease(kept) != nil {
			t.Error("7 s after the claim")
		}
		time.Sleep(8*time.Second - time.Millisecond)
		if l.checkLease(lapsing) != nil {
			t.Error("a call ended before its lease")
		}
		time.Sleep(2 * time.Millisecond)
		if !errors.Is(context.Cause(lapsing.ctx), errLeaseEnded) || l.checkLease(lapsing) == nil || l.checkLease(kept) != nil {
			t.Errorf("15 s after the claim: %v", context.Cause(lapsing.ctx))
		}
		l.noteExtended([]gateway.Lease{lapsing.lease.Lease}, nil, steady.Now()) // too late
		if l.checkLease(lapsing) == nil {
			t.Error("a call goes on whose lease had ended")
		}
		time.Sleep(5 * time.Second)
		if l.checkLease(kept) == nil {
			t.Error("a call outlives its extended lease")
		}
	})
}

// TestExtendsInTime: a lease is not extended before a third of its time is over, and is before the second half begins.
func TestExtendsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const length = 15 * time.Second
		store := &extendingStore{extended: map[int64][]time.Time{}}
		w := newWorker(&scriptedLog{}, Config{Store: store, Timing: Timing{Lease: length}.withDefaults(), Metrics: Metrics{}.withDefaults(), Logger: slog.New(slog.DiscardHandler)})
		ctx, stop := context.WithCancel(t.Context())
		var extending sync.WaitGroup
		extending.Go(func() { w.extendLeases(ctx) })
		given := map[int64]time.Time{}
		for id := range int64(20) {
			given[id] = time.Now()
			addWithSlots(ctx, w.held, []gateway.Claimed{claimedEntry(id, 1)}, steady.Now(), someSlots(t, 1))
			time.Sleep(333 * time.Millisecond)
		}
		time.Sleep(2 * length)
		stop()
		extending.Wait()
		for id, last := range given {
			if len(store.extended[id]) < 3 {
				t.Errorf("lease %d was extended %d times", id, len(store.extended[id]))
			}
			for _, at := range store.extended[id] {
				if d := at.Sub(last); d < length/3 || d > length/2 {
					t.Errorf("lease %d was extended after %v", id, d)
				}
				last = at
			}
		}
	})
}

// extendingStore notes when it is asked to extend leases.
type extendingStore struct {
	gateway.Work
	extended map[int64][]time.Time // by entry
}

func (s *extendingStore) Extend(_ context.Context, leases []gateway.Lease, _ time.Duration) ([]gateway.Lease, error) {
	for _, l := range leases {
		s.extended[l.EntryID] = append(s.extended[l.EntryID], time.Now())
	}
	return nil, nil
}

// TestSleptThrough: where only the clock of the machine has seen time pass, and no timer has, a lease has ended.
func TestSleptThrough(t *testing.T) {
	l := newLeases(15 * time.Second)
	fresh, _ := addWithSlots(t.Context(), l, []gateway.Claimed{claimedEntry(1, 1)}, steady.Now(), someSlots(t, 1))
	s := fresh[0]
	s.lease.since = s.lease.since.Add(-time.Minute)
	if l.checkLease(s) == nil {
		t.Error("sent after a minute's sleep")
	}
	l.releaseOutcomes([]gateway.Outcome{{EntryID: 1}})
}

// TestClaimedWhileUnderWay: what is claimed again while it is under way here is not sent beside itself, and its outcome is
// that of the last lease.
func TestClaimedWhileUnderWay(t *testing.T) {
	l := newLeases(15 * time.Second)
	if fresh, left := addWithSlots(t.Context(), l, []gateway.Claimed{claimedEntry(1, 1)}, steady.Now(), someSlots(t, 2)); len(fresh) != 1 || len(left) != 1 || !l.isHeld(1) {
		t.Fatalf("%d to send, %d slots left", len(fresh), len(left))
	}
	if fresh, left := addWithSlots(t.Context(), l, []gateway.Claimed{claimedEntry(1, 2)}, steady.Now(), someSlots(t, 1)); len(fresh) != 0 || len(left) != 1 {
		t.Error("it is sent beside itself")
	}
	outcomes := []gateway.Outcome{{EntryID: 1, Fence: 1}}
	if l.releaseOutcomes(outcomes); outcomes[0].Fence != 2 || l.isHeld(1) {
		t.Errorf("released as %+v", outcomes)
	}
}

// TestIDGivenTwice: a store that was put back may give the ID of what is under way to another entry. That one is not
// sent, and what was under way says nothing of it.
func TestIDGivenTwice(t *testing.T) {
	l := newLeases(15 * time.Second)
	addWithSlots(t.Context(), l, []gateway.Claimed{claimedEntry(1, 1)}, steady.Now(), someSlots(t, 1))
	another := claimedEntry(1, 2)
	another.LeafHash = gateway.LeafHash{9}
	if fresh, _ := addWithSlots(t.Context(), l, []gateway.Claimed{another}, steady.Now(), someSlots(t, 1)); len(fresh) != 0 {
		t.Error("it is sent although its ID is under way")
	}
	outcomes := []gateway.Outcome{{EntryID: 1, Fence: 1}}
	if l.releaseOutcomes(outcomes); outcomes[0].Fence != 1 {
		t.Errorf("the outcome of one entry is said to be another's: %+v", outcomes)
	}
}
