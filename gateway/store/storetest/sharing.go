// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Entries with the same log and leaf hash are one row.
var sharingTests = map[string]func(*testing.T, opener){
	"Sharing/two tenants": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		a := enqueueAll(t, s, NewSubmission(tenant, "a", logA, "shared"))[0]
		b := enqueueAll(t, s, NewSubmission(other, "b", logA, "shared"))[0]
		if b.Existing || a.Entries[0].ID != b.Entries[0].ID {
			t.Fatalf("not shared: %+v and %+v", a, b)
		}
		wantPending(t, s, logA, 1)
		for _, foreign := range [][2]string{{tenant, b.ID}, {other, a.ID}} {
			_, err := s.Get(t.Context(), foreign[0], foreign[1])
			wantError(t, err, gateway.ErrNotFound)
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(claimOne(t, s, start))), a.ID, b.ID)
		wantState(t, s, a, gateway.Logged)
		wantState(t, s, b, gateway.Logged)
		wantPending(t, s, logA, 0)
	},

	"Sharing/within a call": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		out := enqueueAll(t, s, NewSubmission(tenant, "a", logA, "shared"),
			NewSubmission(other, "b", logA, "own", "shared"),
			NewSubmission(tenant, "c", logA, "twice", "twice"))
		if out[0].Entries[0].ID != out[1].Entries[1].ID || out[2].Entries[0].ID != out[2].Entries[1].ID {
			t.Fatalf("not shared: %+v", out)
		}
		for _, sub := range out {
			wantSame(t, getSubmission(t, s, sub.Tenant, sub.ID), sub)
		}
		wantPending(t, s, logA, 3)
	},

	"Sharing/same leaf in two logs": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := NewSubmission(tenant, "a", logA, "shared")
		in.Entries, in.Needed = append(in.Entries, newEntry(logB, "shared")), 2
		out := enqueueAll(t, s, in)[0]
		if out.Entries[0].ID == out.Entries[1].ID {
			t.Fatal("one row for two logs")
		}
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		wantState(t, s, out, gateway.Partial)
	},

	"Sharing/a logged entry": func(t *testing.T, open opener) {
		s, _ := open(t, 1)
		enqueueAll(t, s, NewSubmission(tenant, "a", logA, "shared"))
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		b := enqueueAll(t, s, NewSubmission(other, "b", logA, "shared"))[0]
		if b.State != gateway.Logged || b.Entries[0].LogIndex == nil || *b.Entries[0].LogIndex != uint64(b.Entries[0].ID) {
			t.Errorf("submission is %s with entry %+v", b.State, b.Entries[0])
		}
		c := enqueueAll(t, s, NewSubmission(other, "c", logA, "shared", "new"))[0]
		if c.State != gateway.Partial {
			t.Errorf("submission is %s, want PARTIAL", c.State)
		}
		wantSame(t, getSubmission(t, s, other, c.ID), c)
	},

	"Sharing/a failed entry": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		a := enqueueAll(t, s, NewSubmission(tenant, "a", logA, "shared"))[0]
		e := claimOne(t, s, start)
		wantIDs(t, finishEntries(t, s, failedOutcome(e)), a.ID)
		wantState(t, s, a, gateway.Failed)
		s.setClock(after(time.Hour))
		b := enqueueAll(t, s, NewSubmission(other, "b", logA, "shared"))[0]
		if b.State != gateway.Pending || b.Entries[0].Problem != "" || b.Entries[0].Attempts != 0 {
			t.Errorf("submission is %s with entry %+v", b.State, b.Entries[0])
		}
		wantState(t, s, a, gateway.Pending)
		wantPending(t, s, logA, 1)
		again := claimOne(t, s, after(time.Hour))
		if again.Fence <= e.Fence || again.InDoubt || again.Shard != shard || *again.SentAtTreeSize != 7 {
			t.Errorf("fence %d after %d, in doubt %v, shard %+v", again.Fence, e.Fence, again.InDoubt, again.Shard)
		}
		wantIDs(t, finishEntries(t, s, loggedOutcome(again)), a.ID, b.ID)
	},

	"Sharing/resubmitting a failed one": func(t *testing.T, open opener) {
		s, _ := open(t, 1)
		in := NewSubmission(tenant, "a", logA)
		a := enqueueAll(t, s, in)[0]
		finishEntries(t, s, failedOutcome(claimOne(t, s, start)))
		a = wantState(t, s, a, gateway.Failed)
		if a.Entries[0].Problem != "REFUSED" || a.Entries[0].InDoubt {
			t.Errorf("failed entry is %+v", a.Entries[0])
		}
		in.ID = newID("again")
		s.setClock(after(time.Hour))
		again := enqueueAll(t, s, in)[0]
		if !again.Existing || again.ID != a.ID || again.State != gateway.Pending || again.CreatedAt != a.CreatedAt {
			t.Errorf("submitted again: %+v", again)
		}
		s.setClock(after(time.Hour + time.Minute))
		stats, err := s.Stats(t.Context())
		noError(t, err)
		if stats.Pending[logA] != 1 || stats.Oldest[logA] != time.Minute {
			t.Errorf("statistics are %+v", stats)
		}
		finishEntries(t, s, loggedOutcome(claimOne(t, s, after(time.Hour))))
		wantState(t, s, a, gateway.Logged)
	},

	// What failed is pending again when it is submitted again, if there is room.
	"Sharing/resubmitting into a full queue": func(t *testing.T, open opener) {
		s, _ := open(t, 1)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		finishEntries(t, s, failedOutcome(claimOne(t, s, start)))
		enqueueAll(t, s, newSubmission("two"))
		_, refused := tryEnqueue(t, s, newSubmission("one"), NewSubmission(other, "one", logA), newSubmission("one"))
		wantRefused(t, refused, 0, 1, 2)
		wantState(t, s, sub, gateway.Failed)
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		enqueueAll(t, s, newSubmission("one"))
		wantState(t, s, sub, gateway.Pending)
	},

	"Sharing/one of several failed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := NewSubmission(tenant, "a", logA, "e1", "e2", "e3")
		a := enqueueAll(t, s, in)[0]
		held := claimEntries(t, s, start, 3)
		finishEntries(t, s, loggedOutcome(held[0]))
		wantState(t, s, a, gateway.Partial)
		finishEntries(t, s, failedOutcome(held[1]))
		wantState(t, s, a, gateway.Failed)
		again := enqueueAll(t, s, in)[0]
		if again.State != gateway.Partial || again.Entries[0].State != gateway.Logged {
			t.Errorf("submission is %s, its first entry %s", again.State, again.Entries[0].State)
		}
		// The third was leased all along, and its lease holds.
		wantIDs(t, finishEntries(t, s, loggedOutcome(held[2])), a.ID)
		finishEntries(t, s, loggedOutcome(claimOne(t, s, start)))
		wantState(t, s, a, gateway.Logged)
	},

	"Sharing/raises the priority": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		first, shared, last := newSubmission("first"), NewSubmission(tenant, "a", logA, "shared"), newSubmission("last")
		later := NewSubmission(other, "c", logA, "shared")
		for _, sub := range []*gateway.NewSubmission{&first, &shared, &last, &later} {
			sub.Priority = gateway.Backfill
		}
		enqueueAll(t, s, first, shared, last)
		out := enqueueAll(t, s, NewSubmission(other, "b", logA, "shared"), newSubmission("last"))
		enqueueAll(t, s, later) // does not lower it
		if p := out[1].Priority; p != gateway.Interactive {
			t.Errorf("the submission that was sent again has priority %v", p)
		}
		if p := getSubmission(t, s, tenant, shared.ID).Priority; p != gateway.Backfill {
			t.Errorf("the submission whose entry another one needs has priority %v", p)
		}
		got := claimEntries(t, s, start, 9)
		for i, want := range []string{"body of shared", "body of last", "body of first"} {
			if string(got[i].Body) != want {
				t.Errorf("entry %d is %q, want %q", i, got[i].Body, want)
			}
		}
	},
}
