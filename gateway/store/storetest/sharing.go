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
		a := enqueue(t, s, NewSubmission(tenant, "a", logA, "shared"))[0]
		b := enqueue(t, s, NewSubmission(other, "b", logA, "shared"))[0]
		if b.Existing || a.Entries[0].ID != b.Entries[0].ID {
			t.Fatalf("not shared: %+v and %+v", a, b)
		}
		wantPending(t, s, logA, 1)
		for _, foreign := range [][2]string{{tenant, b.ID}, {other, a.ID}} {
			_, err := s.Get(t.Context(), foreign[0], foreign[1])
			wantError(t, err, gateway.ErrNotFound)
		}
		wantIDs(t, finish(t, s, logged(claimOne(t, s, start))), a.ID, b.ID)
		wantState(t, s, a, gateway.Logged)
		wantState(t, s, b, gateway.Logged)
		wantPending(t, s, logA, 0)
	},

	"Sharing/within a call": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		out := enqueue(t, s, NewSubmission(tenant, "a", logA, "shared"),
			NewSubmission(other, "b", logA, "own", "shared"),
			NewSubmission(tenant, "c", logA, "twice", "twice"))
		if out[0].Entries[0].ID != out[1].Entries[1].ID || out[2].Entries[0].ID != out[2].Entries[1].ID {
			t.Fatalf("not shared: %+v", out)
		}
		for _, sub := range out {
			wantSame(t, get(t, s, sub.Tenant, sub.ID), sub)
		}
		wantPending(t, s, logA, 3)
	},

	"Sharing/same leaf in two logs": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := NewSubmission(tenant, "a", logA, "shared")
		in.Entries, in.Needed = append(in.Entries, newEntry(logB, "shared")), 2
		out := enqueue(t, s, in)[0]
		if out.Entries[0].ID == out.Entries[1].ID {
			t.Fatal("one row for two logs")
		}
		finish(t, s, logged(claimOne(t, s, start)))
		wantState(t, s, out, gateway.Partial)
	},

	"Sharing/a logged entry": func(t *testing.T, open opener) {
		s, _ := open(t, 1)
		enqueue(t, s, NewSubmission(tenant, "a", logA, "shared"))
		finish(t, s, logged(claimOne(t, s, start)))
		b := enqueue(t, s, NewSubmission(other, "b", logA, "shared"))[0]
		if b.State != gateway.Logged || b.Entries[0].LogIndex == nil || *b.Entries[0].LogIndex != uint64(b.Entries[0].ID) {
			t.Errorf("submission is %s with entry %+v", b.State, b.Entries[0])
		}
		c := enqueue(t, s, NewSubmission(other, "c", logA, "shared", "new"))[0]
		if c.State != gateway.Partial {
			t.Errorf("submission is %s, want PARTIAL", c.State)
		}
		wantSame(t, get(t, s, other, c.ID), c)
	},

	"Sharing/a failed entry": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		a := enqueue(t, s, NewSubmission(tenant, "a", logA, "shared"))[0]
		e := claimOne(t, s, start)
		wantIDs(t, finish(t, s, failed(e)), a.ID)
		wantState(t, s, a, gateway.Failed)
		s.at(after(time.Hour))
		b := enqueue(t, s, NewSubmission(other, "b", logA, "shared"))[0]
		if b.State != gateway.Pending || b.Entries[0].Problem != "" || b.Entries[0].Attempts != 0 {
			t.Errorf("submission is %s with entry %+v", b.State, b.Entries[0])
		}
		wantState(t, s, a, gateway.Pending)
		wantPending(t, s, logA, 1)
		again := claimOne(t, s, after(time.Hour))
		if again.Fence <= e.Fence || again.InDoubt || again.Shard != shard || *again.SentAtTreeSize != 7 {
			t.Errorf("fence %d after %d, in doubt %v, shard %+v", again.Fence, e.Fence, again.InDoubt, again.Shard)
		}
		wantIDs(t, finish(t, s, logged(again)), a.ID, b.ID)
	},

	"Sharing/resubmitting a failed one": func(t *testing.T, open opener) {
		s, _ := open(t, 1)
		in := NewSubmission(tenant, "a", logA)
		a := enqueue(t, s, in)[0]
		finish(t, s, failed(claimOne(t, s, start)))
		a = wantState(t, s, a, gateway.Failed)
		if a.Entries[0].Problem != "REFUSED" || a.Entries[0].InDoubt {
			t.Errorf("failed entry is %+v", a.Entries[0])
		}
		in.ID = newID("again")
		s.at(after(time.Hour))
		again := enqueue(t, s, in)[0]
		if !again.Existing || again.ID != a.ID || again.State != gateway.Pending || again.CreatedAt != a.CreatedAt {
			t.Errorf("submitted again: %+v", again)
		}
		s.at(after(time.Hour + time.Minute))
		stats, err := s.Stats(t.Context())
		noError(t, err)
		if stats.Pending[logA] != 1 || stats.Oldest[logA] != time.Minute {
			t.Errorf("statistics are %+v", stats)
		}
		finish(t, s, logged(claimOne(t, s, after(time.Hour))))
		wantState(t, s, a, gateway.Logged)
	},

	"Sharing/resubmitting into a full queue": func(t *testing.T, open opener) {
		s, _ := open(t, 1)
		a := enqueue(t, s, submission("a"))[0]
		finish(t, s, failed(claimOne(t, s, start)))
		enqueue(t, s, submission("b"))
		_, err := s.Enqueue(t.Context(), []gateway.NewSubmission{submission("a")})
		wantError(t, err, gateway.ErrQueueFull)
		wantState(t, s, a, gateway.Failed)
		wantPending(t, s, logA, 1)
	},

	"Sharing/one of several failed": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		in := NewSubmission(tenant, "a", logA, "e1", "e2", "e3")
		a := enqueue(t, s, in)[0]
		held := claim(t, s, start, 3)
		finish(t, s, logged(held[0]))
		wantState(t, s, a, gateway.Partial)
		finish(t, s, failed(held[1]))
		wantState(t, s, a, gateway.Failed)
		again := enqueue(t, s, in)[0]
		if again.State != gateway.Partial || again.Entries[0].State != gateway.Logged {
			t.Errorf("submission is %s, its first entry %s", again.State, again.Entries[0].State)
		}
		// The third was leased all along, and its lease holds.
		wantIDs(t, finish(t, s, logged(held[2])), a.ID)
		finish(t, s, logged(claimOne(t, s, start)))
		wantState(t, s, a, gateway.Logged)
	},

	"Sharing/raises the priority": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("first"), NewSubmission(tenant, "a", logA, "shared"), submission("last"))
		urgent, resent := NewSubmission(other, "b", logA, "shared"), submission("last")
		urgent.Priority, resent.Priority = 2, 1
		enqueue(t, s, urgent, resent)
		enqueue(t, s, NewSubmission(other, "c", logA, "shared")) // does not lower it
		got := claim(t, s, start, 9)
		for i, want := range []string{"body of shared", "body of last", "body of first"} {
			if string(got[i].Body) != want {
				t.Errorf("entry %d is %q, want %q", i, got[i].Body, want)
			}
		}
	},
}
