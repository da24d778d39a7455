// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"cmp"
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// queued is an entry of a fakeQueue.
type queued struct {
	gateway.Claimed
	tenant   string
	priority gateway.Priority
	queuedAt time.Time
	turn     int // how many of its tenant's stood in its line before it, or were claimed before it came
	waits    bool
}

// fakeQueue is a queue whose order of claims is given by compare.
type fakeQueue struct {
	now     time.Time
	entries []*queued
	turns   map[string]int // given, by tenant
	claims  int
	compare comparison
	last    bool // an entry that is shared belongs to the last that needs it
}

func (f *fakeQueue) Enqueue(_ context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	for _, sub := range subs {
		for _, n := range sub.Entries {
			if i := slices.IndexFunc(f.entries, func(q *queued) bool { return q.LeafHash == n.LeafHash }); i >= 0 {
				e := f.entries[i]
				e.priority = max(e.priority, sub.Priority)
				if f.last {
					e.tenant, e.turn = sub.Tenant, f.nextTurn(sub)
				}
				continue
			}
			e := &queued{tenant: sub.Tenant, priority: sub.Priority, queuedAt: f.now, turn: f.nextTurn(sub)}
			e.ID, e.LeafHash, e.Body, e.Fence = int64(len(f.entries)+1), n.LeafHash, n.Body, 1
			f.entries = append(f.entries, e)
		}
	}
	return make([]gateway.Enqueued, len(subs)), nil
}

func (f *fakeQueue) nextTurn(sub gateway.NewSubmission) int {
	if f.turns == nil {
		f.turns = map[string]int{}
	}
	line := sub.Tenant + sub.Priority.String()
	f.turns[line]++
	return f.turns[line]
}

func (f *fakeQueue) Claim(_ context.Context, p gateway.ClaimParams) (claimed []gateway.Claimed, err error) {
	for len(claimed) < p.Limit {
		f.claims++
		var best *queued
		for _, e := range f.entries {
			if e.State == gateway.Logged || e.waits || e.NextAt.After(f.now) {
				continue
			}
			if best == nil || cmp.Or(f.compare(f, e, best), cmp.Compare(e.ID, best.ID)) < 0 {
				best = e
			}
		}
		if best == nil {
			break
		}
		best.waits = true
		claimed = append(claimed, best.Claimed)
	}
	return claimed, nil
}

func (f *fakeQueue) Finish(_ context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	for _, o := range outcomes {
		e := f.entries[o.EntryID-1]
		if e.waits = false; o.Retry {
			e.NextAt = f.now.Add(o.RetryIn)
		} else {
			e.State = gateway.Logged
		}
	}
	return nil, nil
}

// rank is an entry's priority, or that of old backfill when a share is due to it.
func rank(f *fakeQueue, e *queued) int {
	old := e.priority == gateway.Backfill && f.now.Sub(e.queuedAt) >= gateway.BackfillAge
	if old && f.claims%gateway.BackfillShare == 0 {
		return 1
	}
	return int(e.priority)
}

func byRank(f *fakeQueue, a, b *queued) int { return -cmp.Compare(rank(f, a), rank(f, b)) }

func byTurn(_ *fakeQueue, a, b *queued) int { return cmp.Compare(a.turn, b.turn) }

func byPriority(_ *fakeQueue, a, b *queued) int { return -cmp.Compare(a.priority, b.priority) }

func byAge(_ *fakeQueue, a, b *queued) int { return a.queuedAt.Compare(b.queuedAt) }

// inOrderOf compares by the first of all that tells two entries apart.
func inOrderOf(all ...comparison) comparison {
	return func(f *fakeQueue, a, b *queued) int {
		for _, compare := range all {
			if c := compare(f, a, b); c != 0 {
				return c
			}
		}
		return 0
	}
}

func byTenant(_ *fakeQueue, a, b *queued) int { return cmp.Compare(a.tenant, b.tenant) }

// byHash is an order that has nothing to do with age.
func byHash(_ *fakeQueue, a, b *queued) int { return slices.Compare(a.LeafHash[:], b.LeafHash[:]) }

type comparison = func(f *fakeQueue, a, b *queued) int

func reversed(c comparison) comparison {
	return func(f *fakeQueue, a, b *queued) int { return -c(f, a, b) }
}

// always compares as where a share is due to old backfill.
func always(c comparison) comparison {
	return func(f *fakeQueue, a, b *queued) int { return c(&fakeQueue{now: f.now}, a, b) }
}

// aged compares as where all have waited for long.
func aged(c comparison) comparison {
	return func(f *fakeQueue, a, b *queued) int {
		return c(&fakeQueue{now: f.now.Add(gateway.BackfillAge), claims: f.claims}, a, b)
	}
}

// TestOrderMutants: a store that is unfair fails a test, one that is fair passes.
func TestOrderMutants(t *testing.T) {
	fair := inOrderOf(byRank, byTurn, byAge)
	if failed := unfair(t, fakeQueue{compare: fair}); len(failed) != 0 {
		t.Errorf("a fair store fails: %q", failed)
	}
	for name, mutant := range map[string]fakeQueue{
		"starves backfill":           {compare: inOrderOf(byPriority, byTurn, byAge)},
		"serves one tenant only":     {compare: inOrderOf(byRank, byTenant, byAge)},
		"first come, first served":   {compare: inOrderOf(byRank, byAge)},
		"ignores age":                {compare: inOrderOf(byRank, byHash)},
		"last come, first served":    {compare: inOrderOf(byRank, reversed(byTurn))},
		"knows no priorities":        {compare: inOrderOf(byTurn, byAge)},
		"old backfill first":         {compare: inOrderOf(always(byRank), byTurn, byAge)},
		"all backfill is old":        {compare: inOrderOf(aged(byRank), byTurn, byAge)},
		"shared belongs to the last": {compare: fair, last: true},
	} {
		t.Run(name, func(t *testing.T) {
			if failed := unfair(t, mutant); len(failed) == 0 {
				t.Error("passes")
			} else {
				t.Logf("fails %q", failed)
			}
		})
	}
}

// unfair names the tests that fail on a copy of f.
func unfair(t *testing.T, f fakeQueue) (failed []string) {
	for name, test := range orderTests {
		s := f
		s.now = start
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() { // Fatal ends it
			defer close(done)
			test(r, ordered{&s, func(at time.Time) { s.now = at }})
		}()
		<-done
		if r.failed {
			failed = append(failed, name)
		}
	}
	slices.Sort(failed)
	return failed
}
