// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var claimTests = map[string]func(*testing.T, Open){
	"Claim": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		sub := enqueue(t, s, submission("one"))[0]
		got := claimOne(t, s, start)
		size := uint64(7)
		want := sub.Entries[0]
		want.Attempts, want.Fence, want.SentAtTreeSize = 1, got.Fence, &size
		wantSameEntry(t, got, want) // InDoubt and LastSentAt as before
		if got.Fence <= 0 {
			t.Errorf("fence is %d", got.Fence)
		}
		want.InDoubt, want.LastSentAt = true, start
		wantSameEntry(t, get(t, s, tenant, sub.ID).Entries[0], want)
		if more := claim(t, s, start, 9); len(more) != 0 {
			t.Errorf("claimed again: %+v", more)
		}
	},

	"Claim/order": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		for _, in := range []struct {
			name     string
			priority int
			at       time.Time
		}{
			{"young, low", 0, after(time.Hour)}, {"old, low", 0, start},
			{"young, high", 5, after(time.Hour)}, {"old, high", 5, start}, {"lowest", -1, start},
		} {
			sub := NewSubmission(tenant, in.name, logA, in.at)
			sub.Priority = in.priority
			enqueue(t, s, sub)
		}
		var got []string
		for len(got) < 5 {
			for _, e := range claim(t, s, after(2*time.Hour), 2) {
				got = append(got, string(e.Body[len("body of "):]))
			}
		}
		want := []string{"old, high", "young, high", "old, low", "young, low", "lowest"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("claimed %q, want %q", got, want)
		}
	},

	"Claim/bounds": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		for i := range 10 {
			enqueue(t, s, submission(fmt.Sprint(i)), NewSubmission(tenant, fmt.Sprint("b", i), logB, start))
		}
		ask := func(log string, limit, inFlight int, at time.Time) []gateway.Entry {
			p := claimParams(at, limit)
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
		if got := ask(logA, 99, 6, after(time.Minute)); len(got) != 6 { // expired leases count no more
			t.Errorf("claimed %d after the leases, want 6", len(got))
		}
	},

	"Claim/finished leases make room": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("a"), submission("b"), submission("c"))
		p := claimParams(start, 9)
		p.InFlight = 2
		held, err := s.Claim(t.Context(), p)
		noError(t, err)
		finish(t, s, logged(held[0]), retry(held[1], after(time.Hour)))
		if got := claim(t, s, start, 9); len(got) != 1 || string(got[0].Body) != "body of c" {
			t.Errorf("claimed %+v", got)
		}
	},

	"Claim/expired lease": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		enqueue(t, s, submission("one"))
		first := claimOne(t, s, start)
		if got := claim(t, s, after(time.Minute-time.Millisecond), 1); len(got) != 0 {
			t.Fatalf("claimed while leased: %+v", got)
		}
		p := claimParams(after(time.Minute), 1)
		p.TreeSize = 99
		got, err := s.Claim(t.Context(), p)
		noError(t, err)
		second := got[0]
		if !second.InDoubt || second.LastSentAt != start || second.Attempts != 2 || *second.SentAtTreeSize != 7 {
			t.Errorf("claimed after expiry: %+v, sent at size %d", second, *second.SentAtTreeSize)
		}
		if second.Fence <= first.Fence {
			t.Errorf("fence %d after %d", second.Fence, first.Fence)
		}
	},

	"Claim/impossible": func(t *testing.T, open Open) {
		s, _ := open(t, 0)
		sub := enqueue(t, s, submission("one"))[0]
		noLease, noNow, hugeTree := claimParams(start, 1), claimParams(time.Time{}, 1), claimParams(start, 1)
		noLease.Lease, hugeTree.TreeSize = 0, 1<<63
		for _, p := range []gateway.ClaimParams{noLease, noNow, hugeTree} {
			if got, err := s.Claim(t.Context(), p); err == nil {
				t.Errorf("claimed %+v with %+v", got, p)
			}
		}
		wantSame(t, get(t, s, tenant, sub.ID), sub)
	},
}
