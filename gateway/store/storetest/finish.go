// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var finishTests = map[string]func(*testing.T, Open){
	"Finish/logged": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		sub := enqueue(t, s, NewSubmission(tenant, "one", logA, start, "e1", "e2"))[0]
		held := claim(t, s, start, 2)
		wantIDs(t, finish(t, s, logged(held[0])), sub.ID)
		got := wantState(t, s, sub, gateway.Partial).Entries[0]
		if got.State != gateway.Logged || got.InDoubt || !proto.Equal(got.Inclusion.Entry, NewInclusion(held[0].ID).Entry) {
			t.Errorf("entry is %+v", got)
		}
		wantIDs(t, finish(t, s, logged(held[1])), sub.ID)
		wantState(t, s, sub, gateway.Logged)
		if got := claim(t, s, after(time.Hour), 9); len(got) != 0 {
			t.Errorf("claimed what is logged: %+v", got)
		}
	},

	"Finish/retry": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		sub := enqueue(t, s, submission("one"))[0]
		wantIDs(t, finish(t, s, retry(claimOne(t, s, start), after(time.Second))))
		got := wantState(t, s, sub, gateway.Pending).Entries[0]
		if got.InDoubt || got.Problem != "OVERLOADED" || got.NextAt != after(time.Second) || got.LastSentAt != start {
			t.Errorf("entry is %+v", got)
		}
		if early := claim(t, s, after(time.Second-time.Millisecond), 1); len(early) != 0 {
			t.Errorf("claimed before its time: %+v", early)
		}
		if again := claimOne(t, s, after(time.Second)); again.InDoubt || again.Attempts != 2 {
			t.Errorf("claimed again: %+v", again)
		}
	},

	"Finish/retry in doubt": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("one"))
		outcome := retry(claimOne(t, s, start), after(time.Second))
		outcome.InDoubt = true
		finish(t, s, outcome)
		second := claimOne(t, s, after(time.Minute))
		if !second.InDoubt || second.LastSentAt != start {
			t.Errorf("claimed again: %+v", second)
		}
		// The second claim only looked for it: it was last sent by the first.
		outcome = retry(second, after(2*time.Minute))
		outcome.InDoubt, outcome.SentAt = true, second.LastSentAt
		finish(t, s, outcome)
		if third := claimOne(t, s, after(2*time.Minute)); !third.InDoubt || third.LastSentAt != start {
			t.Errorf("claimed a third time: %+v", third)
		}
	},

	"Finish/fenced": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		one := enqueue(t, s, submission("one"))[0]
		stale := claimOne(t, s, start)
		current := claimOne(t, s, after(time.Minute))
		two := enqueue(t, s, submission("two"))[0]
		good := claimOne(t, s, after(time.Minute))

		ids, err := s.Finish(t.Context(), []gateway.Outcome{failed(stale), logged(good)})
		wantError(t, err, gateway.ErrLeaseLost)
		wantIDs(t, ids, two.ID)
		wantState(t, s, two, gateway.Logged)
		if e := wantState(t, s, one, gateway.Pending).Entries[0]; e.Problem != "" || !e.InDoubt {
			t.Errorf("a stale outcome was applied: %+v", e)
		}
		wantIDs(t, finish(t, s, logged(current)), one.ID)
	},

	"Finish/late but not claimed again": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		one := enqueue(t, s, submission("one"))[0]
		late := claimOne(t, s, start)
		claim(t, s, after(time.Hour), 0)
		finish(t, s, logged(late))
		wantState(t, s, one, gateway.Logged)
	},

	"Finish/twice": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		one := enqueue(t, s, submission("one"))[0]
		e := claimOne(t, s, start)
		_, err := s.Finish(t.Context(), []gateway.Outcome{retry(e, after(time.Hour)), failed(e)})
		wantError(t, err, gateway.ErrLeaseLost)
		_, err = s.Finish(t.Context(), []gateway.Outcome{failed(e)})
		wantError(t, err, gateway.ErrLeaseLost)
		wantState(t, s, one, gateway.Pending)
		wantPending(t, s, logA, 1)
	},

	"Finish/never claimed": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		one := enqueue(t, s, submission("one"))[0]
		_, err := s.Finish(t.Context(), []gateway.Outcome{failed(one.Entries[0]), {EntryID: 12345, Fail: true}})
		wantError(t, err, gateway.ErrLeaseLost)
		wantSame(t, get(t, s, tenant, one.ID), one)
	},

	"Finish/malformed": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		one := enqueue(t, s, submission("one"), submission("two"))[0]
		held := claim(t, s, start, 2)
		both := logged(held[1])
		both.Fail = true
		empty := logged(held[1])
		empty.Inclusion = &gateway.Inclusion{}
		for _, bad := range []gateway.Outcome{{EntryID: held[1].ID, Fence: held[1].Fence}, both, empty} {
			if ids, err := s.Finish(t.Context(), []gateway.Outcome{logged(held[0]), bad}); err == nil || len(ids) != 0 {
				t.Errorf("outcome %+v: %q, %v", bad, ids, err)
			}
		}
		wantState(t, s, one, gateway.Pending) // nothing of it was applied
		finish(t, s, logged(held[0]), logged(held[1]))
	},

	"Finish/nothing": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		wantIDs(t, finish(t, s))
	},
}
