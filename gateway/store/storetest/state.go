// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// twoLogs returns a submission with an entry in each of two logs, of which needed are needed.
func twoLogs(name string, needed int) gateway.NewSubmission {
	s := newSubmission(name)
	s.Entries = append(s.Entries, newEntry(logB, name))
	s.Needed = needed
	return s
}

// claimOf claims the one pending entry of a log.
func claimOf(t testing.TB, s *testStore, log string) gateway.Claimed {
	t.Helper()
	got := claimAllOf(t, s, log)
	if len(got) != 1 {
		t.Fatalf("claimed %d entries of %s, want 1", len(got), log)
	}
	return got[0]
}

// claimAllOf claims the pending entries of a log.
func claimAllOf(t testing.TB, s *testStore, log string) []gateway.Claimed {
	t.Helper()
	p := claimParams(9)
	p.Log = log
	got, err := s.Claim(t.Context(), p)
	noError(t, err)
	return got
}

// A submission's state is gateway.StateOf its entries, whatever changes them.
var stateTests = map[string]func(*testing.T, opener){
	"State/needed": func(t *testing.T, open opener) {
		const p, l, f, part = gateway.Pending, gateway.Logged, gateway.Failed, gateway.Partial
		for _, test := range []struct {
			needed       int
			a, b         func(gateway.Claimed) gateway.Outcome
			after, final gateway.State // after the first log's outcome, and after both
		}{
			{1, loggedOutcome, loggedOutcome, l, l}, {2, loggedOutcome, loggedOutcome, part, l},
			{1, loggedOutcome, failedOutcome, l, l}, {2, loggedOutcome, failedOutcome, part, f},
			{1, failedOutcome, loggedOutcome, p, l}, {2, failedOutcome, loggedOutcome, f, f},
			{1, failedOutcome, failedOutcome, p, f}, {2, failedOutcome, failedOutcome, f, f},
		} {
			s, reopen := open(t, 0)
			sub := enqueueAll(t, s, twoLogs("one", test.needed))[0]
			if sub.State != p || sub.Needed != test.needed {
				t.Errorf("new submission is %+v", sub)
			}
			for _, step := range []struct {
				log     string
				outcome func(gateway.Claimed) gateway.Outcome
				want    gateway.State
			}{{logA, test.a, test.after}, {logB, test.b, test.final}} {
				finishEntries(t, s, step.outcome(claimOf(t, s, step.log)))
				if got := getSubmission(t, s, tenant, sub.ID).State; got != step.want {
					t.Errorf("%d needed: %s after the outcome in %s, want %s", test.needed, got, step.log, step.want)
				}
			}
			wantState(t, reopen(), sub, test.final)
		}
	},

	// What is Logged with fewer logs than it has entries for is not started afresh when it is
	// submitted again; what is Failed is, in all logs that refused it.
	"State/submitted again": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		one := enqueueAll(t, s, twoLogs("one", 1))[0]
		finishEntries(t, s, failedOutcome(claimOf(t, s, logB)))
		again := enqueueAll(t, s, twoLogs("one", 1))[0]
		if again.State != gateway.Pending || again.Entries[1].State != gateway.Failed {
			t.Errorf("pending in one log, submitted again: %+v", again)
		}
		wantPending(t, s, logB, 0)
		finishEntries(t, s, failedOutcome(claimOf(t, s, logA)))
		wantState(t, s, one, gateway.Failed)
		if again = enqueueAll(t, s, twoLogs("one", 1))[0]; again.State != gateway.Pending {
			t.Errorf("failed, submitted again: %+v", again)
		}
		finishEntries(t, s, loggedOutcome(claimOf(t, s, logA)), failedOutcome(claimOf(t, s, logB)))
		if again = enqueueAll(t, s, twoLogs("one", 1))[0]; again.State != gateway.Logged || again.Entries[1].State != gateway.Failed {
			t.Errorf("logged, submitted again: %+v", again)
		}
		wantPending(t, s, logB, 0)
	},

	// Submissions that share entries may need different numbers of logs.
	"State/shared": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		var subs []gateway.Submission
		for i := range 2 {
			in := twoLogs("shared", i+1)
			in.ID, in.Key = newID(fmt.Sprint(i)), gateway.SubmissionKey{byte(i)}
			subs = append(subs, enqueueAll(t, s, in)[0])
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(claimOf(t, s, logA))), listIDs(subs)...)
		wantState(t, s, subs[0], gateway.Logged)
		wantState(t, s, subs[1], gateway.Partial)
		late := twoLogs("shared", 1)
		late.ID, late.Key = newID("late"), gateway.SubmissionKey{9}
		if got := enqueueAll(t, s, late)[0]; got.State != gateway.Logged {
			t.Errorf("submission whose entry is logged is %s", got.State)
		}
	},
}
