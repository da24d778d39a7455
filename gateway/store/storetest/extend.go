// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var extendTests = map[string]func(*testing.T, opener){
	"Extend": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("held"), newSubmission("left"))
		held, left := claimOne(t, s, start), claimOne(t, s, start)
		s.setClock(after(time.Second))
		noError(t, s.Extend(t.Context(), []gateway.Lease{leaseOf(held)}, time.Hour))
		lapsed := claimEntries(t, s, after(2*time.Minute), 9)
		if len(lapsed) != 1 || lapsed[0].ID != left.ID {
			t.Fatalf("claimed %d entries, want only the one whose lease was not extended", len(lapsed))
		}
		if early := claimEntries(t, s, after(time.Hour+time.Second-time.Millisecond), 9); len(early) != 1 || early[0].ID != left.ID {
			t.Fatal("the extended lease ended early")
		}
		again := claimOne(t, s, after(time.Hour+time.Second))
		if again.ID != held.ID || !again.LastSentAt.Equal(after(time.Second)) || again.SentAgo != time.Hour {
			t.Errorf("last sent at %v, %v ago, want the time of the extension", again.LastSentAt, again.SentAgo)
		}
	},

	"Extend/lost": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		old := claimOne(t, s, start)
		now := claimOne(t, s, after(2*time.Minute))
		noError(t, s.Extend(t.Context(), []gateway.Lease{leaseOf(old)}, time.Hour))
		if got := claimEntries(t, s, after(10*time.Minute), 9); len(got) != 1 {
			t.Fatal("a lost lease was extended")
		}
		noError(t, s.Extend(t.Context(), nil, 0))
		for _, lease := range []time.Duration{0, -time.Second} {
			if err := s.Extend(t.Context(), []gateway.Lease{leaseOf(now)}, lease); err == nil {
				t.Errorf("a lease was extended by %v", lease)
			}
		}
		if _, err := s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(now)}); err == nil {
			t.Error("a lost lease was finished")
		}
	},

	"Extend/finished": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		e := claimOne(t, s, start)
		finishEntries(t, s, retryOutcome(e, time.Second))
		noError(t, s.Extend(t.Context(), []gateway.Lease{leaseOf(e)}, time.Hour))
		if got := claimEntries(t, s, after(2*time.Second), 9); len(got) != 1 {
			t.Error("a released lease was extended")
		}
	},
}
