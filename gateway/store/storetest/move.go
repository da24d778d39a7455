// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const logC = "log-c"

// planned returns a submission of an entry in logA, or of several, which any of the three logs may take over.
func planned(tenant, name string, entries ...string) gateway.NewSubmission {
	s := NewSubmission(tenant, name, logA, entries...)
	s.Takeover = []string{logA, logB, logC}
	return s
}

// moveAll moves what p says, page by page, and returns the sum.
func moveAll(t testing.TB, s *testStore, p gateway.MoveParams) (sum gateway.Moved) {
	t.Helper()
	if p.Limit == 0 {
		p.Limit = 100
	}
	p.From, p.To = logA, logB
	for range 1000 {
		m, err := s.Move(t.Context(), p)
		noError(t, err)
		sum.Entries, sum.Submissions, sum.Kept = sum.Entries+m.Entries, sum.Submissions+m.Submissions, sum.Kept+m.Kept
		sum.Changed = append(sum.Changed, m.Changed...)
		if !m.More {
			return sum
		}
		p.After = m.Next
	}
	t.Fatal("moving never ends")
	return sum
}

func wantMoved(t testing.TB, got gateway.Moved, entries, kept int) {
	t.Helper()
	if got.Entries != entries || got.Kept != kept {
		t.Fatalf("moved %+v, want %d entries and %d kept", got, entries, kept)
	}
}

// wantLogs fails unless sub is in a state, with its entries in these logs.
func wantLogs(t testing.TB, s *testStore, sub gateway.Submission, state gateway.State, logs ...string) gateway.Submission {
	t.Helper()
	got := wantState(t, s, sub, state)
	for i, e := range got.Entries {
		if len(logs) != len(got.Entries) || e.Log != logs[i] || e.LeafHash != sub.Entries[i].LeafHash || e.Of != sub.Entries[i].Of || e.Kind != sub.Entries[i].Kind {
			t.Fatalf("entry %d is %+v, want it in %q", i, e, logs)
		}
	}
	return got
}

// What waits for one log goes to another.
var moveTests = map[string]func(testing.TB, opening){
	"Move/unsent": func(t testing.TB, o opening) {
		s := o.open()
		in, less := planned(tenant, "one"), NewSubmission(other, "waits longer", logB)
		less.Priority = gateway.Backfill
		sub := enqueueAll(t, s, less, in)[1]
		s.setClock(after(time.Minute))
		m := moveAll(t, s, gateway.MoveParams{Planned: true})
		wantMoved(t, m, 1, 0)
		wantIDs(t, wantProgress(t, s, m.Changed), sub.ID)
		wantLogs(t, s, sub, gateway.Pending, logB)
		wantPending(t, s, logA, 0)
		wantPending(t, s, logB, 2)
		if got := claimAllOf(t, s, logA); len(got) != 0 {
			t.Errorf("claimed for the former log: %+v", got)
		}
		c := claimAllOf(t, s, logB)[0]
		if string(c.Body) != string(in.Entries[0].Body) || c.Attempts != 1 || *c.SentAtTreeSize != 7 {
			t.Errorf("claimed %+v", c)
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(c)), sub.ID)
		wantLogs(t, s, sub, gateway.Logged, logB)
		archived, err := s.Archived(t.Context(), tenant, sub.ID)
		noError(t, err)
		if len(archived.Entries) != 1 || archived.Entries[0].Inclusion == nil {
			t.Errorf("archived %+v", archived.Entries)
		}
	},

	"Move/as old": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, planned(tenant, "one"))
		s.setClock(after(time.Hour))
		moveAll(t, s, gateway.MoveParams{Planned: true})
		if stats, err := s.Stats(t.Context()); err != nil || stats.Oldest[logB] != time.Hour {
			t.Errorf("it is as old as %v: %v", stats.Oldest[logB], err)
		}
	},

	// What was sent, and certainly not logged, is as what was never sent.
	"Move/not sent": func(t testing.TB, o opening) {
		s := o.open()
		sub := enqueueAll(t, s, planned(tenant, "one"))[0]
		finishEntries(t, s, retryOutcome(claimOne(t, s, start), time.Hour))
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 1, 0)
		e := wantLogs(t, s, sub, gateway.Pending, logB).Entries[0]
		if e.Attempts != 0 || e.SentAtTreeSize != nil || e.Shard != (gateway.Shard{}) || !e.LastSentAt.IsZero() || e.Problem != "" {
			t.Errorf("in the other log it begins with %+v", e)
		}
		claimOf(t, s, logB)
	},

	"Move/never from doubt": func(t testing.TB, o opening) {
		s := o.open()
		subs := enqueueAll(t, s, planned(tenant, "leased"), planned(tenant, "unknown"), planned(tenant, "lapsed"))
		held := claimEntries(t, s, start, 3)
		extendLeases(t, s, time.Hour, leaseOf(held[0]))
		unknown := retryOutcome(held[1], 0)
		unknown.InDoubt = true
		finishEntries(t, s, unknown)
		s.setClock(after(2 * time.Minute))
		for _, p := range []gateway.MoveParams{{Planned: true}, {}} {
			wantMoved(t, moveAll(t, s, p), 0, 3)
		}
		settleEntries(t, s, gateway.Settlement{EntryID: held[2].ID, Fence: held[2].Fence, Resend: true})
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 1, 2)
		for i, log := range []string{logA, logA, logB} {
			wantLogs(t, s, subs[i], gateway.Pending, log)
		}
		finishEntries(t, s, loggedOutcome(held[0])) // its lease still holds
		wantLogs(t, s, subs[0], gateway.Logged, logA)
	},

	"Move/from doubt when told": func(t testing.TB, o opening) {
		s := o.open()
		sub := enqueueAll(t, s, planned(tenant, "one"))[0]
		held := claimOne(t, s, start)
		wantMoved(t, moveAll(t, s, gateway.MoveParams{InDoubt: true}), 1, 0)
		_, err := s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(held)})
		wantError(t, err, gateway.ErrLeaseLost)
		wantLogs(t, s, sub, gateway.Pending, logB)
		if doubts := listDoubtful(t, s, shard); len(doubts) != 0 {
			t.Errorf("still in doubt: %+v", doubts)
		}
	},

	// What went elsewhere although it was in doubt may come back, or be needed by others: it is looked for then.
	"Move/back to where it was in doubt": func(t testing.TB, o opening) {
		s := o.open()
		sub := enqueueAll(t, s, planned(tenant, "one"))[0]
		held := claimOne(t, s, start)
		s.setClock(after(time.Hour)) // in doubt
		wantMoved(t, moveAll(t, s, gateway.MoveParams{InDoubt: true}), 1, 0)
		wantPending(t, s, logA, 0)
		m, err := s.Move(t.Context(), gateway.MoveParams{From: logB, To: logA, Limit: 9})
		noError(t, err)
		if m.Submissions != 1 || m.Kept != 0 {
			t.Errorf("moved back: %+v", m)
		}
		wantLogs(t, s, sub, gateway.Pending, logA)
		wantPending(t, s, logA, 1)
		doubts := listDoubtful(t, s, shard)
		if len(doubts) != 1 || doubts[0].LeafHash != held.LeafHash || *doubts[0].SentAtTreeSize != *held.SentAtTreeSize {
			t.Errorf("in doubt: %+v", doubts)
		}
		if claimed := claimAllOf(t, s, logA); len(claimed) != 0 {
			t.Errorf("sent again: %+v", claimed)
		}
	},

	"Move/only what was planned so": func(t testing.TB, o opening) {
		s := o.open()
		elsewhere := planned(tenant, "elsewhere")
		elsewhere.Takeover = []string{logA, logC}
		subs := enqueueAll(t, s, planned(tenant, "planned"), newSubmission("plain"), elsewhere)
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 1, 2)
		for i, log := range []string{logB, logA, logA} {
			wantLogs(t, s, subs[i], gateway.Pending, log)
		}
		wantMoved(t, moveAll(t, s, gateway.MoveParams{}), 2, 0)
		wantLogs(t, s, subs[1], gateway.Pending, logB)
	},

	// A log is complete with all of a submission's entries: they go together or not at all.
	"Move/all or none": func(t testing.TB, o opening) {
		s := o.open()
		sub := enqueueAll(t, s, planned(tenant, "several", "first", "second"))[0]
		held := claimOne(t, s, start)
		s.setClock(after(time.Hour)) // in doubt
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 0, 2)
		wantLogs(t, s, sub, gateway.Pending, logA, logA)
		settleEntries(t, s, gateway.Settlement{EntryID: held.ID, Fence: held.Fence, Inclusion: NewInclusion(1)})
		wantState(t, s, sub, gateway.Partial)
		m := moveAll(t, s, gateway.MoveParams{Planned: true})
		wantMoved(t, m, 1, 0)
		wantIDs(t, wantProgress(t, s, m.Changed), sub.ID)
		wantLogs(t, s, sub, gateway.Pending, logB, logB)
		wantPending(t, s, logA, 0)
		claimed := claimAllOf(t, s, logB)
		finishEntries(t, s, loggedOutcome(claimed[0]))
		wantState(t, s, sub, gateway.Partial)
		finishEntries(t, s, loggedOutcome(claimed[1]))
		wantState(t, s, sub, gateway.Logged)
	},

	// A submission that is in the other log already gains nothing.
	"Move/there already": func(t testing.TB, o opening) {
		s := o.open()
		in := twoLogs("both", 1)
		in.Takeover = []string{logA, logB}
		sub := enqueueAll(t, s, in)[0]
		for _, p := range []gateway.MoveParams{{Planned: true}, {}} {
			wantMoved(t, moveAll(t, s, p), 0, 1)
		}
		wantLogs(t, s, sub, gateway.Pending, logA, logB)
	},

	"Move/shared": func(t testing.TB, o opening) {
		s := o.open()
		stays := NewSubmission(other, "stays", logA, "shared")
		subs := enqueueAll(t, s, planned(tenant, "goes", "shared"), stays, planned(other, "goes too", "shared"))
		m := moveAll(t, s, gateway.MoveParams{Planned: true})
		wantMoved(t, m, 0, 1) // somebody waits for it still
		wantIDs(t, wantProgress(t, s, m.Changed), subs[0].ID, subs[2].ID)
		wantPending(t, s, logA, 1)
		wantPending(t, s, logB, 1)
		wantIDs(t, finishEntries(t, s, loggedOutcome(claimOf(t, s, logB))), subs[0].ID, subs[2].ID)
		wantLogs(t, s, subs[1], gateway.Pending, logA)
		wantIDs(t, finishEntries(t, s, loggedOutcome(claimOf(t, s, logA))), subs[1].ID)
		for i, log := range []string{logB, logA, logB} {
			wantLogs(t, s, subs[i], gateway.Logged, log)
		}
	},

	// What is moved is of the turn of the tenant that needs it, and as urgent as it was.
	"Move/turns": func(t testing.TB, o opening) {
		s := o.open()
		low := planned(other, "b0")
		low.Priority = gateway.Backfill
		enqueueAll(t, s, low, planned(tenant, "a1"), planned(tenant, "a2"), planned(tenant, "a3"), planned(other, "b1"))
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 5, 0)
		p := claimParams(2)
		p.Log = logB
		claimed, err := s.Claim(t.Context(), p)
		noError(t, err)
		var got []string
		for _, c := range claimed {
			got = append(got, string(c.Body))
		}
		if slices.Sort(got); !slices.Equal(got, []string{"body of a1", "body of b1"}) {
			t.Errorf("claimed %q", got)
		}
	},

	"Move/to what waits there": func(t testing.TB, o opening) {
		s := o.open()
		low := NewSubmission(other, "there", logB, "shared")
		goes := planned(tenant, "goes", "shared")
		low.Priority = gateway.Backfill
		subs := enqueueAll(t, s, low, NewSubmission(other, "urgent", logB), goes)
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 1, 0)
		wantPending(t, s, logB, 2)
		got := wantLogs(t, s, subs[2], gateway.Pending, logB).Entries[0]
		if got.ID != subs[0].Entries[0].ID {
			t.Fatalf("not shared: %+v", got)
		}
		p := claimParams(1)
		p.Log = logB
		claimed, err := s.Claim(t.Context(), p)
		noError(t, err)
		if len(claimed) != 1 || claimed[0].ID != got.ID {
			t.Fatalf("claimed first: %+v", claimed)
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(claimed[0])), subs[0].ID, subs[2].ID)
	},

	"Move/to what is logged there": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, NewSubmission(other, "there", logB, "shared"))
		finishEntries(t, s, loggedOutcome(claimOf(t, s, logB)))
		sub := enqueueAll(t, s, planned(tenant, "goes", "shared"))[0]
		m := moveAll(t, s, gateway.MoveParams{Planned: true})
		wantMoved(t, m, 1, 0)
		wantIDs(t, wantProgress(t, s, m.Changed), sub.ID)
		wantLogs(t, s, sub, gateway.Logged, logB)
		wantPending(t, s, logA, 0)
		wantPending(t, s, logB, 0)
	},

	// The log has refused it: by itself nothing goes there. An operator may send it once more.
	"Move/to what was refused there": func(t testing.TB, o opening) {
		s := o.open()
		there := enqueueAll(t, s, NewSubmission(other, "there", logB, "shared"))[0]
		finishEntries(t, s, failedOutcome(claimOf(t, s, logB)))
		sub := enqueueAll(t, s, planned(tenant, "goes", "shared"))[0]
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true}), 0, 1)
		wantState(t, s, there, gateway.Failed)
		wantMoved(t, moveAll(t, s, gateway.MoveParams{}), 1, 0)
		wantLogs(t, s, sub, gateway.Pending, logB)
		wantState(t, s, there, gateway.Pending)
		finishEntries(t, s, loggedOutcome(claimOf(t, s, logB)))
		wantState(t, s, there, gateway.Logged)
	},

	"Move/there and back": func(t testing.TB, o opening) {
		s := o.open()
		sub := enqueueAll(t, s, planned(tenant, "one"))[0]
		held := claimOne(t, s, start)
		finishEntries(t, s, retryOutcome(held, 0))
		moveAll(t, s, gateway.MoveParams{Planned: true})
		back, err := s.Move(t.Context(), gateway.MoveParams{From: logB, To: logA, Planned: true, Limit: 9})
		noError(t, err)
		wantMoved(t, back, 1, 0)
		again := wantLogs(t, s, sub, gateway.Pending, logA).Entries[0]
		if again.ID == held.ID {
			t.Error("it has the ID that it had: a late outcome would be taken for its own")
		}
		_, err = s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(held)})
		wantError(t, err, gateway.ErrLeaseLost)
	},

	"Move/in pages": func(t testing.TB, o opening) {
		s := o.open()
		for i, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			in := planned(tenant, name)
			if i%3 == 0 {
				in.Takeover = nil
			}
			s.setClock(after(time.Duration(i/4) * time.Second))
			enqueueAll(t, s, in)
		}
		wantMoved(t, moveAll(t, s, gateway.MoveParams{Planned: true, Limit: 2}), 4, 3)
		wantPending(t, s, logA, 3)
		wantPending(t, s, logB, 4)
	},

	"Move/to a retired log": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, planned(tenant, "one"), NewSubmission(tenant, "there", logB))
		retireAll(t, s, gateway.RetireParams{Log: logB})
		_, err := s.Move(t.Context(), gateway.MoveParams{From: logA, To: logB, Limit: 9})
		wantError(t, err, gateway.ErrRetired)
		if _, err := s.Move(t.Context(), gateway.MoveParams{From: logA, To: logA, Limit: 9}); err == nil {
			t.Error("moved to itself")
		}
		if m, err := s.Move(t.Context(), gateway.MoveParams{From: "unknown", To: logC, Limit: 9}); err != nil || m.Entries+m.Kept != 0 {
			t.Errorf("from an unknown log: %+v, %v", m, err)
		}
		wantPending(t, s, logA, 1)
	},
}

func refusedOutcome(c gateway.Claimed, next ...string) gateway.Outcome {
	o := failedOutcome(c)
	o.Next = next
	return o
}

// What a log refuses goes on to the next one, in the transaction that stores the refusal.
var nextTests = map[string]func(testing.TB, opening){
	"Next/refused": func(t testing.TB, o opening) {
		s := o.open()
		subs := enqueueAll(t, s, planned(tenant, "goes", "shared"), NewSubmission(other, "stays", logA, "shared"))
		wantIDs(t, finishEntries(t, s, refusedOutcome(claimOf(t, s, logA), logA, logB, logC)), subs[0].ID, subs[1].ID)
		wantLogs(t, s, subs[0], gateway.Pending, logB)
		wantLogs(t, s, subs[1], gateway.Failed, logA)
		wantPending(t, s, logA, 0)
		wantPending(t, s, logB, 1)
		wantIDs(t, finishEntries(t, s, refusedOutcome(claimOf(t, s, logB), logA, logC)), subs[0].ID)
		wantLogs(t, s, subs[0], gateway.Pending, logC) // not to the log that has refused it
		finishEntries(t, s, refusedOutcome(claimOf(t, s, logC), logA, logB))
		wantLogs(t, s, subs[0], gateway.Failed, logC)
	},

	"Next/none is left": func(t testing.TB, o opening) {
		s := o.open()
		enqueueAll(t, s, NewSubmission(other, "there", logB))
		retireAll(t, s, gateway.RetireParams{Log: logB})
		sub := enqueueAll(t, s, planned(tenant, "one"))[0]
		finishEntries(t, s, refusedOutcome(claimOf(t, s, logA), logB))
		wantLogs(t, s, sub, gateway.Failed, logA)
	},

	// It has failed as soon as one entry is refused; it goes on once the fate of the other is known.
	"Next/while another is under way": func(t testing.TB, o opening) {
		s := o.open()
		sub := enqueueAll(t, s, planned(tenant, "several", "first", "second"))[0]
		held := claimEntries(t, s, start, 2)
		finishEntries(t, s, refusedOutcome(held[0], logB))
		wantLogs(t, s, sub, gateway.Failed, logA, logA)
		last := loggedOutcome(held[1])
		last.Next = []string{logB}
		wantIDs(t, finishEntries(t, s, last), sub.ID)
		wantLogs(t, s, sub, gateway.Pending, logB, logB)
	},

	// One that another log has refused does not leave this one.
	"Next/refused elsewhere": func(t testing.TB, o opening) {
		s := o.open()
		in := twoLogs("both", 2)
		in.Takeover = []string{logA, logB, logC}
		sub := enqueueAll(t, s, in)[0]
		finishEntries(t, s, failedOutcome(claimOf(t, s, logB)))
		last := loggedOutcome(claimOf(t, s, logA))
		last.Next = []string{logC}
		finishEntries(t, s, last)
		wantLogs(t, s, sub, gateway.Failed, logA, logB)
	},
}
