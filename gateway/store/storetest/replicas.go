// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// replicaTests are about several gateways that have opened the same data: what one has done, all see, and what only one
// may have, one has.
var replicaTests = map[string]func(testing.TB, opening){
	// Of two histories one is kept, and both are told which.
	"Replicas/checkpoint": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		first, second, third := newCheckpoint(10, "ten"), newCheckpoint(11, "eleven"), newCheckpoint(12, "twelve")
		contradicts := newCheckpoint(11, "another eleven")
		wantCheckpoint(t, two, shardA, nil)
		wantKept(t, one, nil, first, first)
		wantKept(t, two, nil, contradicts, first)
		wantKept(t, two, &first, second, second)
		wantKept(t, one, &first, contradicts, second)
		wantCheckpoint(t, one, shardA, &second)
		wantKept(t, one, &second, third, third)
		wantCheckpoint(t, two, shardA, &third)
	},

	"Replicas/one winner": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		var old *gateway.Checkpoint
		for round := range 5 {
			var wg sync.WaitGroup
			kept := make([]*gateway.Checkpoint, 8)
			for i := range kept {
				s := []*testStore{one, two}[i%2]
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
			old = kept[0]
		}
	},

	// A fork that one has seen stops all.
	"Replicas/fork": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		noError(t, two.Forked(t.Context(), shardA))
		noError(t, one.KeepFork(t.Context(), newFork(shardA, "it")))
		for _, s := range []*testStore{one, two} {
			wantError(t, s.Forked(t.Context(), shardA), gateway.ErrFork)
		}
		if forks, err := two.Forks(t.Context()); err != nil || len(forks) != 1 {
			t.Errorf("forks %v, %v", forks, err)
		}
	},

	// No row is handed to two workers.
	"Replicas/claim": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		subs := make([]gateway.NewSubmission, 100)
		for i := range subs {
			subs[i] = newSubmission(fmt.Sprint(i))
		}
		enqueueAll(t, one, subs...)
		var leased sync.Map
		take := func(s *testStore, limit int) int {
			claimed, err := s.Claim(t.Context(), claimParams(limit))
			if err != nil {
				t.Error(err)
			}
			for _, c := range claimed {
				if _, twice := leased.LoadOrStore(c.ID, true); twice {
					t.Errorf("entry %d was leased twice", c.ID)
				}
			}
			return len(claimed)
		}
		taken := take(one, 10) + take(two, 10)
		if taken != 20 {
			t.Errorf("%d claimed, want 20", taken)
		}
		var all atomic.Int64
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				for n := 1; n > 0 && all.Load() < 80; {
					n = take([]*testStore{one, two}[i%2], 7)
					all.Add(int64(n))
				}
			})
		}
		wg.Wait()
		for _, s := range []*testStore{one, two} { // what was locked at that moment may have been passed over
			all.Add(int64(take(s, 100)))
		}
		if all.Load() != 80 {
			t.Errorf("%d claimed, want 80", all.Load())
		}
	},

	// Who was paused beyond its lease has lost it to another, whatever it does with it.
	"Replicas/fence": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		sub := enqueueAll(t, one, newSubmission("one"))[0]
		paused := claimOne(t, one, start)
		one.setClock(after(time.Hour))
		settleEntries(t, two, gateway.Settlement{EntryID: paused.ID, Fence: paused.Fence, AbsentTo: 9, Resend: true})
		taken := claimOne(t, two, after(time.Hour))
		if lost, err := one.Extend(t.Context(), []gateway.Lease{leaseOf(paused)}, time.Hour); err != nil || len(lost) != 1 {
			t.Errorf("a lost lease was extended: %v", err)
		}
		for _, outcome := range []gateway.Outcome{retryOutcome(paused, 0), failedOutcome(paused), loggedOutcome(paused)} {
			_, err := one.Finish(t.Context(), []gateway.Outcome{outcome})
			wantError(t, err, gateway.ErrLeaseLost)
		}
		one.setClock(after(2 * time.Hour))
		_, err := one.Settle(t.Context(), []gateway.Settlement{{EntryID: paused.ID, Fence: paused.Fence, Resend: true}})
		wantError(t, err, gateway.ErrLeaseLost)
		wantIDs(t, finishEntries(t, two, loggedOutcome(taken)), sub.ID)
		wantState(t, one, sub, gateway.Logged)
	},

	// Any gateway answers for any submission, as it is now.
	"Replicas/answers": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		sub := enqueueAll(t, one, newSubmission("one"), NewSubmission(other, "of another", logB))[0]
		again := enqueueAll(t, two, newSubmission("one"), NewSubmission("carol", "new", logC))
		if !again[0].Existing || again[0].ID != sub.ID || again[1].Existing {
			t.Errorf("enqueued at the other gateway: %+v", again)
		}
		wantProgress(t, one, []gateway.Progress{progressOf(t, two, sub.ID)})
		finishEntries(t, two, loggedOutcome(claimOne(t, two, start)))
		for _, s := range []*testStore{one, two} {
			wantState(t, s, sub, gateway.Logged)
			if p := progressOf(t, s, sub.ID); p.State != gateway.Logged {
				t.Errorf("progress is %+v", p)
			}
			if got := listAll(t, s, tenant, gateway.ListParams{State: gateway.Logged}); len(got) != 1 {
				t.Errorf("listed %+v", got)
			}
			if a, err := s.Archived(t.Context(), tenant, sub.ID); err != nil || a.Entries[0].Inclusion == nil {
				t.Errorf("archived %+v, %v", a, err)
			}
			wantPending(t, s, logA, 0)
			wantPending(t, s, logB, 1)
			wantPending(t, s, logC, 1)
		}
	},

	"Replicas/retired": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		enqueueAll(t, two, newSubmission("before"))
		if names, err := two.RetiredLogs(t.Context()); err != nil || len(names) != 0 {
			t.Errorf("retired: %q, %v", names, err)
		}
		retireAll(t, one, gateway.RetireParams{Log: logA})
		if names, err := two.RetiredLogs(t.Context()); err != nil || !slices.Equal(names, []string{logA}) {
			t.Errorf("retired: %q, %v", names, err)
		}
		if later := enqueueAll(t, two, newSubmission("later"))[0]; later.State != gateway.Failed {
			t.Errorf("enqueued: %+v", later)
		}
		if got := claimAllOf(t, two, logA); len(got) != 0 {
			t.Errorf("claimed %+v", got)
		}
	},

	// What another gateway has under way is no matter of doubt.
	"Replicas/doubt": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		_, err := one.KeepCheckpoint(t.Context(), shard, nil, newCheckpoint(33, "kept"))
		noError(t, err)
		enqueueAll(t, one, newSubmission("leased"), newSubmission("new"))
		held := claimOne(t, one, start)
		if n, err := two.DoubtPending(t.Context(), logA, shard); err != nil || n != 0 {
			t.Errorf("%d put in doubt: %v", n, err)
		}
		finishEntries(t, one, loggedOutcome(held))
		if n, err := two.DoubtPending(t.Context(), logA, shard); err != nil || n != 1 {
			t.Errorf("%d put in doubt: %v", n, err)
		}
		if got := claimAllOf(t, one, logA); len(got) != 0 {
			t.Errorf("claimed %+v", got)
		}
	},

	// Gateways that store the same things in any order, claim and finish, agree on one row for each, and none fails.
	"Replicas/work": func(t testing.TB, o opening) {
		one := o.open()
		two := one.another()
		const things, workers = 30, 4
		var fresh atomic.Int64
		var wg sync.WaitGroup
		for w := range workers {
			s := []*testStore{one, two}[w%2]
			wg.Go(func() {
				var subs []gateway.NewSubmission
				for i := range things {
					sub := NewSubmission(tenant, fmt.Sprint(i), logA, fmt.Sprint(i), fmt.Sprint("shared ", i%7))
					sub.ID = newID(fmt.Sprintf("%d by %d", i, w))
					subs = append(subs, sub)
				}
				if w >= workers/2 {
					slices.Reverse(subs)
				}
				for part := range slices.Chunk(subs, 10) {
					out, err := s.Enqueue(t.Context(), part)
					for _, e := range out {
						if err = errors.Join(err, e.Err); err == nil && !e.Submission.Existing {
							fresh.Add(1)
						}
					}
					if err := errors.Join(err, finishSome(t, s)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if fresh.Load() != things {
			t.Errorf("%d new submissions, want %d", fresh.Load(), things)
		}
		for range 20 {
			noError(t, finishSome(t, one))
		}
		if got := listAll(t, two, tenant, gateway.ListParams{State: gateway.Logged}); len(got) != things {
			t.Errorf("%d of %d logged", len(got), things)
		}
		wantPending(t, two, logA, 0)
	},
}

// finishSome claims a few entries and logs them.
func finishSome(t testing.TB, s gateway.Store) error {
	claimed, err := s.Claim(t.Context(), claimParams(9))
	var outcomes []gateway.Outcome
	for _, c := range claimed {
		outcomes = append(outcomes, loggedOutcome(c))
	}
	if err == nil {
		_, err = s.Finish(t.Context(), outcomes)
	}
	return err
}

func progressOf(t testing.TB, s gateway.Store, id string) gateway.Progress {
	t.Helper()
	all, err := s.Progress(t.Context(), []string{id})
	noError(t, err)
	if len(all) != 1 {
		t.Fatalf("progress of %d submissions", len(all))
	}
	return all[0]
}
