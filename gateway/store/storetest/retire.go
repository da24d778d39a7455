// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// retireAll retires a log, page by page, and returns the sum.
func retireAll(t testing.TB, s *testStore, p gateway.RetireParams) (sum gateway.Retired) {
	t.Helper()
	if p.Limit == 0 {
		p.Limit = 100
	}
	for range 1000 {
		r, err := s.Retire(t.Context(), p)
		noError(t, err)
		sum.GivenUp, sum.Changed = sum.GivenUp+r.GivenUp, append(sum.Changed, r.Changed...)
		if !r.More {
			return sum
		}
	}
	t.Fatal("retiring never ends")
	return sum
}

func wantUnsettled(t testing.TB, s *testStore, inDoubt, leased int) {
	t.Helper()
	_, err := s.Retire(t.Context(), gateway.RetireParams{Log: logA, Limit: 9})
	var unsettled *gateway.UnsettledError
	if !errors.As(err, &unsettled) || unsettled.InDoubt != inDoubt || unsettled.Leased != leased {
		t.Fatalf("retiring: %v, want %d in doubt and %d under way", err, inDoubt, leased)
	}
}

// What waits for a log that is gone is given up.
var retireTests = map[string]func(testing.TB, opening){
	"Retire/pending": func(t testing.TB, o opening) {
		s := o.open()
		subs := enqueueAll(t, s, newSubmission("alone"), twoLogs("one of two", 1), twoLogs("both", 2), newSubmission("logged"))
		claimed := claimEntries(t, s, start, 4)
		finishEntries(t, s, retryOutcome(claimed[0], 0), retryOutcome(claimed[1], 0), retryOutcome(claimed[2], 0), loggedOutcome(claimed[3]))
		r := retireAll(t, s, gateway.RetireParams{Log: logA, Limit: 2})
		if r.GivenUp != 3 {
			t.Errorf("given up: %+v", r)
		}
		wantIDs(t, r.Changed, subs[0].ID, subs[1].ID, subs[2].ID)
		for i, want := range []gateway.State{gateway.Failed, gateway.Pending, gateway.Failed, gateway.Logged} {
			e := wantState(t, s, subs[i], want).Entries[0]
			if want != gateway.Logged && (e.State != gateway.Failed || e.Problem != gateway.ProblemRetired) {
				t.Errorf("entry is %+v", e)
			}
		}
		wantPending(t, s, logA, 0)
		for _, c := range claimAllOf(t, s, logB) {
			finishEntries(t, s, loggedOutcome(c))
		}
		wantState(t, s, subs[1], gateway.Logged)
		wantState(t, s, subs[2], gateway.Failed)
	},

	"Retire/unsettled": func(t testing.TB, o opening) {
		s := o.open()
		subs := enqueueAll(t, s, newSubmission("unknown"), newSubmission("lapsed"), newSubmission("leased"), newSubmission("new"))
		held := claimEntries(t, s, start, 3)
		extendLeases(t, s, time.Hour, leaseOf(held[2]))
		unknown := retryOutcome(held[0], 0)
		unknown.InDoubt = true
		finishEntries(t, s, unknown)
		s.setClock(after(2 * time.Minute))
		wantUnsettled(t, s, 2, 1)
		wantState(t, s, subs[3], gateway.Pending)
		if names, err := s.RetiredLogs(t.Context()); err != nil || len(names) != 0 {
			t.Errorf("retired all the same: %q, %v", names, err)
		}
		if r := retireAll(t, s, gateway.RetireParams{Log: logA, GiveUpDoubt: true}); r.GivenUp != 4 {
			t.Errorf("given up: %+v", r)
		}
		for _, sub := range subs {
			wantState(t, s, sub, gateway.Failed)
		}
		_, err := s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(held[2])})
		wantError(t, err, gateway.ErrLeaseLost)
	},

	// Nothing waits for a retired log any more, until it is one of ours again.
	"Retire/for good": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, newSubmission("before"))
		retireAll(t, s, gateway.RetireParams{Log: logA})
		subs := enqueueAll(t, s, newSubmission("later"), twoLogs("one of two", 1), newSubmission("before"))
		for i, want := range []gateway.State{gateway.Failed, gateway.Pending, gateway.Failed} {
			if subs[i].State != want || subs[i].Entries[0].Problem != gateway.ProblemRetired {
				t.Errorf("enqueued: %+v", subs[i])
			}
			wantSame(t, getSubmission(t, s, tenant, subs[i].ID), subs[i])
		}
		if got := claimAllOf(t, s, logA); len(got) != 0 {
			t.Errorf("claimed %+v", got)
		}
		wantPending(t, s, logA, 0)
		names, err := s.RetiredLogs(t.Context())
		noError(t, err)
		if !slices.Equal(names, []string{logA}) {
			t.Errorf("retired: %q", names)
		}
		noError(t, s.Reinstate(t.Context(), logA))
		wantError(t, s.Reinstate(t.Context(), logA), gateway.ErrNotFound)
		if again := enqueueAll(t, s, newSubmission("later"))[0]; again.State != gateway.Pending {
			t.Errorf("submitted again: %+v", again)
		}
		finishEntries(t, s, loggedOutcome(claimOf(t, s, logA)))
	},

	// What was given up may be in the log all the same: once it is wanted again, it is looked for before it is sent.
	"Retire/wanted again": func(t testing.TB, o opening) {
		s := o.open()
		names := []string{"unknown", "leased", "not sent", "new"}
		var subs []gateway.NewSubmission
		for _, name := range names {
			subs = append(subs, newSubmission(name))
		}
		enqueueAll(t, s, subs...)
		held := claimEntries(t, s, start, 3)
		unknown := retryOutcome(held[0], time.Hour)
		unknown.InDoubt = true
		finishEntries(t, s, unknown, retryOutcome(held[2], time.Hour))
		retireAll(t, s, gateway.RetireParams{Log: logA, GiveUpDoubt: true})
		noError(t, s.Reinstate(t.Context(), logA))
		for _, again := range enqueueAll(t, s, subs...) {
			wantState(t, s, again, gateway.Pending)
		}
		s.setClock(after(time.Hour))
		doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: logA, Shard: shard, Limit: 9})
		noError(t, err)
		if len(doubts) != 2 || doubts[0].ID != held[0].ID || doubts[1].ID != held[1].ID || *doubts[0].SentAtTreeSize != *held[0].SentAtTreeSize {
			t.Errorf("in doubt: %+v", doubts)
		}
		if claimed := claimAllOf(t, s, logA); len(claimed) != 2 || claimed[0].ID != held[2].ID {
			t.Errorf("sent again: %+v", claimed)
		}
	},

	"Retire/unknown": func(t testing.TB, o opening) {
		s := o.open()
		_, err := s.Retire(t.Context(), gateway.RetireParams{Log: "unknown", Limit: 9})
		wantError(t, err, gateway.ErrNotFound)
		wantError(t, s.Reinstate(t.Context(), "unknown"), gateway.ErrNotFound)
	},

	"ListLogs": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, newSubmission("leased"), newSubmission("unknown"), newSubmission("new"), NewSubmission(tenant, "there", logB))
		held := claimEntries(t, s, start, 2)
		extendLeases(t, s, time.Hour, leaseOf(held[0]))
		unknown := retryOutcome(held[1], 0)
		unknown.InDoubt = true
		finishEntries(t, s, unknown)
		retireAll(t, s, gateway.RetireParams{Log: logB})
		s.setClock(after(time.Minute))
		logs, err := s.ListLogs(t.Context())
		noError(t, err)
		if len(logs) != 2 || !logs[1].Retired || logs[1].Pending != 0 || logs[1].Oldest != 0 || len(logs[1].Shards) != 0 {
			t.Fatalf("logs are %+v", logs)
		}
		l := logs[0]
		if l.Log != logA || l.Pending != 3 || l.InDoubt != 1 || l.Leased != 1 || l.Oldest != time.Minute || l.Retired {
			t.Errorf("log is %+v", l)
		}
		if len(l.Shards) != 1 || l.Shards[0] != (gateway.ShardStatus{Shard: shard, Pending: 2, InDoubt: 1}) {
			t.Errorf("shards are %+v", l.Shards)
		}
	},
}
