// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var finishTests = map[string]func(*testing.T, opener){
	"Finish/logged": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, NewSubmission(tenant, "one", logA, "e1", "e2"))[0]
		held := claimEntries(t, s, start, 2)
		wantIDs(t, finishEntries(t, s, loggedOutcome(held[0])), sub.ID)
		got := wantState(t, s, sub, gateway.Partial).Entries[0]
		if got.State != gateway.Logged || got.InDoubt || got.LogIndex == nil || *got.LogIndex != uint64(held[0].ID) {
			t.Errorf("entry is %+v", got)
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(held[1])), sub.ID)
		wantState(t, s, sub, gateway.Logged)
		if got := claimEntries(t, s, after(time.Hour), 9); len(got) != 0 {
			t.Errorf("claimed what is logged: %+v", got)
		}
	},

	"Finish/retry": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		wantIDs(t, finishEntries(t, s, retryOutcome(claimOne(t, s, start), time.Second)))
		got := wantState(t, s, sub, gateway.Pending).Entries[0]
		if got.InDoubt || got.Problem != "OVERLOADED" || got.NextAt != after(time.Second) || got.LastSentAt != start {
			t.Errorf("entry is %+v", got)
		}
		if early := claimEntries(t, s, after(time.Second-time.Millisecond), 1); len(early) != 0 {
			t.Errorf("claimed before its time: %+v", early)
		}
		if again := claimOne(t, s, after(time.Second)); again.InDoubt || again.Attempts != 2 {
			t.Errorf("claimed again: %+v", again)
		}
	},

	"Finish/untried": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		for range 3 { // which are no attempts
			outcome := retryOutcome(claimOne(t, s, start), 0)
			outcome.Untried, outcome.Problem = true, ""
			finishEntries(t, s, outcome)
		}
		if got := wantState(t, s, sub, gateway.Pending).Entries[0]; got.Attempts != 0 || got.InDoubt || got.Problem != "" {
			t.Errorf("entry is %+v", got)
		}
		held := claimOne(t, s, start)
		if held.Attempts != 1 {
			t.Errorf("claimed again: %+v", held)
		}
		for _, o := range []gateway.Outcome{loggedOutcome(held), failedOutcome(held), {EntryID: held.ID, Fence: held.Fence, Retry: true, InDoubt: true}} {
			o.Untried = true
			if _, err := s.Finish(t.Context(), []gateway.Outcome{o}); err == nil {
				t.Errorf("taken: %+v", o)
			}
		}
	},

	"Finish/retry in doubt": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		outcome := retryOutcome(claimOne(t, s, start), time.Second)
		outcome.InDoubt = true
		s.setClock(after(time.Second))
		finishEntries(t, s, outcome)
		if got := claimEntries(t, s, after(time.Minute), 1); len(got) != 0 {
			t.Errorf("claimed though it is in doubt: %+v", got)
		}
		if got := listDoubtful(t, s, shard); len(got) != 1 || !got[0].LastSentAt.Equal(after(time.Second)) || got[0].SentAgo != 59*time.Second {
			t.Errorf("in doubt is %+v", got)
		}
	},

	"Finish/fenced": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"))[0]
		stale := claimOne(t, s, start)
		s.setClock(after(time.Minute))
		resendDoubtful(t, s)
		current := claimOne(t, s, after(time.Minute))
		two := enqueueAll(t, s, newSubmission("two"))[0]
		good := claimOne(t, s, after(time.Minute))

		changed, err := s.Finish(t.Context(), []gateway.Outcome{failedOutcome(stale), loggedOutcome(good)})
		wantError(t, err, gateway.ErrLeaseLost)
		wantIDs(t, wantProgress(t, s, changed), two.ID)
		wantState(t, s, two, gateway.Logged)
		if e := wantState(t, s, one, gateway.Pending).Entries[0]; e.Problem != "" || !e.InDoubt {
			t.Errorf("a stale outcome was applied: %+v", e)
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(current)), one.ID)
	},

	"Finish/late but not claimed again": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"))[0]
		late := claimOne(t, s, start)
		claimEntries(t, s, after(time.Hour), 0)
		finishEntries(t, s, loggedOutcome(late))
		wantState(t, s, one, gateway.Logged)
	},

	"Finish/twice": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"))[0]
		e := claimOne(t, s, start)
		_, err := s.Finish(t.Context(), []gateway.Outcome{retryOutcome(e, time.Hour), failedOutcome(e)})
		wantError(t, err, gateway.ErrLeaseLost)
		_, err = s.Finish(t.Context(), []gateway.Outcome{failedOutcome(e)})
		wantError(t, err, gateway.ErrLeaseLost)
		wantState(t, s, one, gateway.Pending)
		wantPending(t, s, logA, 1)
	},

	"Finish/several at once": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		subs := enqueueAll(t, s, newSubmission("one"), newSubmission("two"), newSubmission("three"), newSubmission("four"))
		held := claimEntries(t, s, start, 4)
		stale := loggedOutcome(held[0])
		stale.Fence--
		twice := loggedOutcome(held[1])
		twice.Inclusion = NewInclusion(99)
		changed, err := s.Finish(t.Context(), []gateway.Outcome{
			stale, loggedOutcome(held[0]), loggedOutcome(held[1]), twice, retryOutcome(held[2], time.Hour), loggedOutcome(held[2]), failedOutcome(held[3]),
		})
		wantError(t, err, gateway.ErrLeaseLost)
		wantIDs(t, wantProgress(t, s, changed), subs[0].ID, subs[1].ID, subs[3].ID)
		for i, want := range []gateway.State{gateway.Logged, gateway.Logged, gateway.Pending, gateway.Failed} {
			e := wantState(t, s, subs[i], want).Entries[0]
			if want == gateway.Logged && *e.LogIndex != uint64(held[i].ID) {
				t.Errorf("entry %d is at %d", i, *e.LogIndex)
			}
		}
		wantPending(t, s, logA, 1)
	},

	"Finish/never claimed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"))[0]
		_, err := s.Finish(t.Context(), []gateway.Outcome{failedOutcome(gateway.Claimed{Entry: one.Entries[0]}), {EntryID: 12345, Fail: true}})
		wantError(t, err, gateway.ErrLeaseLost)
		wantSame(t, getSubmission(t, s, tenant, one.ID), one)
	},

	"Finish/malformed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"), newSubmission("two"))[0]
		held := claimEntries(t, s, start, 2)
		both := loggedOutcome(held[1])
		both.Fail = true
		noKind, noProof, huge := loggedOutcome(held[1]), loggedOutcome(held[1]), loggedOutcome(held[1])
		noKind.Inclusion.Kind, noProof.Inclusion.Proof, huge.Inclusion.Index = "", nil, 1<<63
		token := failedOutcome(held[1])
		token.Tokens = [][]byte{{1}}
		for _, bad := range []gateway.Outcome{
			{EntryID: held[1].ID, Fence: held[1].Fence}, both, noKind, noProof, huge, token,
		} {
			if changed, err := s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(held[0]), bad}); err == nil || len(changed) != 0 {
				t.Errorf("outcome %+v: %+v, %v", bad, changed, err)
			}
		}
		wantState(t, s, one, gateway.Pending) // nothing of it was applied
		finishEntries(t, s, loggedOutcome(held[0]), loggedOutcome(held[1]))
	},

	"Finish/nothing": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		wantIDs(t, finishEntries(t, s))
	},
}
