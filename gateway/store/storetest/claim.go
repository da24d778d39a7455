// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var claimTests = map[string]func(*testing.T, opener){
	"Claim": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		got := claimOne(t, s, start)
		size := uint64(7)
		want := sub.Entries[0]
		want.Attempts, want.Fence, want.SentAtTreeSize, want.Shard = 1, got.Fence, &size, shard
		wantSameEntry(t, got.Entry, want) // InDoubt and LastSentAt as before
		if got.Fence <= 0 || string(got.Body) != "body of one" {
			t.Errorf("claimed %+v", got)
		}
		want.InDoubt, want.LastSentAt = true, start
		wantSameEntry(t, getSubmission(t, s, tenant, sub.ID).Entries[0], want)
		if more := claimEntries(t, s, start, 9); len(more) != 0 {
			t.Errorf("claimed again: %+v", more)
		}
	},

	"Claim/bounds": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		for i := range 10 {
			enqueueAll(t, s, newSubmission(fmt.Sprint(i)), NewSubmission(tenant, fmt.Sprint("b", i), logB))
		}
		ask := func(log string, limit, inFlight int, at time.Time) []gateway.Claimed {
			s.setClock(at)
			p := claimParams(limit)
			p.Log, p.InFlight = log, inFlight
			got, err := s.Claim(t.Context(), p)
			noError(t, err)
			for _, e := range got {
				if e.Log != log {
					t.Errorf("claimed from %s, not %s", e.Log, log)
				}
			}
			return got
		}
		for _, step := range []struct{ limit, inFlight, want int }{
			{0, 5, 0}, {-1, 5, 0}, {3, 0, 0}, {3, 5, 3}, {3, 5, 2}, {3, 5, 0}, {3, 4, 0}, {3, 6, 1},
		} {
			if got := ask(logA, step.limit, step.inFlight, start); len(got) != step.want {
				t.Errorf("claimed %d, want %d of %+v", len(got), step.want, step)
			}
		}
		if got := ask(logB, 9, 5, start); len(got) != 5 { // each log has a bound of its own
			t.Errorf("claimed %d of the other log, want 5", len(got))
		}
		if got := ask(logA, 99, 4, after(time.Minute)); len(got) != 4 { // expired leases count no more
			t.Errorf("claimed %d after the leases, want the other 4", len(got))
		}
	},

	"Claim/finished leases make room": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("a"), newSubmission("b"), newSubmission("c"))
		p := claimParams(9)
		p.InFlight = 2
		held, err := s.Claim(t.Context(), p)
		noError(t, err)
		finishEntries(t, s, loggedOutcome(held[0]), retryOutcome(held[1], time.Hour))
		if got := claimEntries(t, s, start, 9); len(got) != 1 || string(got[0].Body) != "body of c" {
			t.Errorf("claimed %+v", got)
		}
	},

	// What may have been sent is not claimed again before that is settled.
	"Claim/expired lease": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		first := claimOne(t, s, start)
		for _, at := range []time.Time{after(time.Minute - time.Millisecond), after(time.Minute), after(time.Hour)} {
			if got := claimEntries(t, s, at, 1); len(got) != 0 {
				t.Fatalf("claimed though it is in doubt: %+v", got)
			}
		}
		resendDoubtful(t, s)
		second := claimOne(t, s, after(time.Hour))
		if second.InDoubt || second.LastSentAt != start || second.Attempts != 2 || *second.SentAtTreeSize != 7 {
			t.Errorf("claimed again: %+v", second)
		}
		if second.Fence <= first.Fence {
			t.Errorf("fence %d after %d", second.Fence, first.Fence)
		}
	},

	// What is certainly not in the shard that it was sent to may go to the next one.
	"Claim/shard": func(t *testing.T, open opener) {
		s, reopen := open(t, 0)
		enqueueAll(t, s, newSubmission("one"), newSubmission("two"))
		outcome := retryOutcome(claimOne(t, s, start), 0)
		finishEntries(t, s, outcome)
		next := gateway.Shard{Origin: shard.Origin, KeyID: [32]byte{2}} // the log's key was rotated
		p := claimParams(9)
		p.Shard, p.TreeSize = next, 99
		got, err := s.Claim(t.Context(), p)
		noError(t, err)
		if len(got) != 2 {
			t.Fatalf("claimed %+v", got)
		}
		s = reopen()
		for i, name := range []string{"one", "two"} {
			e := getSubmission(t, s, tenant, newSubmission(name).ID).Entries[0]
			if got[i].Shard != next || *got[i].SentAtTreeSize != 99 || e.Shard != next || *e.SentAtTreeSize != 99 {
				t.Errorf("%s is claimed for %+v, and stored for %+v", name, got[i], e)
			}
		}
	},

	// Within a shard the size is that of the first claim, and absence stays proven.
	"Claim/again": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		c := claimOne(t, s, start)
		s.setClock(after(time.Hour))
		settleEntries(t, s, gateway.Settlement{EntryID: c.ID, Fence: c.Fence, AbsentTo: 30, Resend: true})
		p := claimParams(9)
		p.TreeSize = 99
		got, err := s.Claim(t.Context(), p)
		noError(t, err)
		if len(got) != 1 || *got[0].SentAtTreeSize != 7 || got[0].AbsentTo != 30 {
			t.Errorf("claimed %+v", got)
		}
	},

	// A claim for an unknown shard records none; the next one does.
	"Claim/no shard": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		p := claimParams(1)
		p.Shard = gateway.Shard{}
		got, err := s.Claim(t.Context(), p)
		noError(t, err)
		if got[0].Shard != (gateway.Shard{}) {
			t.Errorf("shard is %+v", got[0].Shard)
		}
		finishEntries(t, s, retryOutcome(got[0], 0))
		if again := claimOne(t, s, after(time.Hour)); again.Shard != shard {
			t.Errorf("shard is %+v", again.Shard)
		}
	},

	"Claim/impossible": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		sub := enqueueAll(t, s, newSubmission("one"))[0]
		noLease, tooShort, hugeTree := claimParams(1), claimParams(1), claimParams(1)
		noLease.Lease, tooShort.Lease, hugeTree.TreeSize = 0, time.Microsecond, 1<<63
		for _, p := range []gateway.ClaimParams{noLease, tooShort, hugeTree} {
			if got, err := s.Claim(t.Context(), p); err == nil {
				t.Errorf("claimed %+v with %+v", got, p)
			}
		}
		wantSame(t, getSubmission(t, s, tenant, sub.ID), sub)
	},
}
