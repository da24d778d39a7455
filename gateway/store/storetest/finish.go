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
		if again := claimOne(t, s, after(time.Second)); again.InDoubt || again.Attempts != 2 || again.SentAgo != time.Second {
			t.Errorf("claimed again: %+v", again)
		}
	},

	"Finish/retry in doubt": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		outcome := retryOutcome(claimOne(t, s, start), time.Second)
		outcome.InDoubt = true
		finishEntries(t, s, outcome)
		second := claimOne(t, s, after(time.Minute))
		if !second.InDoubt || second.LastSentAt != start || second.SentAgo != time.Minute {
			t.Errorf("claimed again: %+v", second)
		}
		// The second claim only looked for it: it was last sent by the first.
		outcome = retryOutcome(second, time.Minute)
		outcome.InDoubt, outcome.SentAt = true, second.LastSentAt
		finishEntries(t, s, outcome)
		third := claimOne(t, s, after(2*time.Minute))
		if !third.InDoubt || third.LastSentAt != start || third.SentAgo != 2*time.Minute {
			t.Errorf("claimed a third time: %+v", third)
		}
		// The third sent it, and does not say when.
		s.setClock(after(2*time.Minute + time.Second))
		outcome = retryOutcome(third, 0)
		outcome.InDoubt = true
		finishEntries(t, s, outcome)
		if fourth := claimOne(t, s, after(3*time.Minute)); fourth.SentAgo != 59*time.Second {
			t.Errorf("claimed a fourth time: %+v", fourth)
		}
	},

	// Absence that is proven stays proven, and says nothing of an entry that is not in doubt.
	"Finish/absent to": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		for _, step := range []struct {
			inDoubt        bool
			absentTo, want uint64
		}{{true, 10, 10}, {true, 8, 10}, {false, 20, 10}, {true, 0, 10}, {true, 11, 11}} {
			c := claimOne(t, s, start)
			outcome := retryOutcome(c, 0)
			outcome.InDoubt, outcome.AbsentTo = step.inDoubt, step.absentTo
			finishEntries(t, s, outcome)
			if e := getSubmission(t, s, tenant, newSubmission("one").ID).Entries[0]; e.AbsentTo != step.want {
				t.Errorf("absent to %d after %+v", e.AbsentTo, step)
			}
		}
		s = reopen()
		c := claimOne(t, s, start)
		if c.AbsentTo != 11 {
			t.Errorf("claimed with absence to %d", c.AbsentTo)
		}
		huge := retryOutcome(c, 0)
		huge.InDoubt, huge.AbsentTo = true, 1<<63
		if _, err := s.Finish(t.Context(), []gateway.Outcome{huge}); err == nil {
			t.Error("absence to 2^63 was stored")
		}
	},

	"Finish/fenced": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, newSubmission("one"))[0]
		stale := claimOne(t, s, start)
		current := claimOne(t, s, after(time.Minute))
		two := enqueueAll(t, s, newSubmission("two"))[0]
		good := claimOne(t, s, after(time.Minute))

		ids, err := s.Finish(t.Context(), []gateway.Outcome{failedOutcome(stale), loggedOutcome(good)})
		wantError(t, err, gateway.ErrLeaseLost)
		wantIDs(t, ids, two.ID)
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
			if ids, err := s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(held[0]), bad}); err == nil || len(ids) != 0 {
				t.Errorf("outcome %+v: %q, %v", bad, ids, err)
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
