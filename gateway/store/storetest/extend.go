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
		extendLeases(t, s, time.Hour, leaseOf(held))
		s.setClock(after(2 * time.Minute))
		if lapsed := listDoubtful(t, s, shard); len(lapsed) != 1 || lapsed[0].ID != left.ID || lapsed[0].SentAgo != time.Minute {
			t.Fatalf("%+v in doubt, want only the one whose lease was not extended", lapsed)
		}
		s.setClock(after(time.Hour + time.Second - time.Millisecond))
		if early := listDoubtful(t, s, shard); len(early) != 1 || early[0].ID != left.ID {
			t.Fatal("the extended lease ended early")
		}
		s.setClock(after(time.Hour + time.Minute))
		both := listDoubtful(t, s, shard)
		if len(both) != 2 || both[0].ID != held.ID || !both[0].LastSentAt.Equal(after(time.Second)) || both[0].SentAgo != 59*time.Second {
			t.Errorf("%+v in doubt, want the first one since its extended lease ended", both)
		}
	},

	"Extend/lost": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"), newSubmission("two"))
		old := claimOne(t, s, start)
		s.setClock(after(2 * time.Minute))
		resendDoubtful(t, s)
		now := claimOne(t, s, after(2*time.Minute))
		two := claimOne(t, s, after(2*time.Minute))
		lost, err := s.Extend(t.Context(), []gateway.Lease{leaseOf(old), leaseOf(two)}, time.Hour)
		if err != nil || len(lost) != 1 || lost[0] != leaseOf(old) {
			t.Errorf("lost %v, %v", lost, err)
		}
		s.setClock(after(10 * time.Minute))
		if got := listDoubtful(t, s, shard); len(got) != 1 || got[0].ID != now.ID {
			t.Fatal("a lost lease was extended")
		}
		extendLeases(t, s, 0)
		for _, lease := range []time.Duration{0, -time.Second} {
			if _, err := s.Extend(t.Context(), []gateway.Lease{leaseOf(now)}, lease); err == nil {
				t.Errorf("a lease was extended by %v", lease)
			}
		}
		resendDoubtful(t, s)
		claimOne(t, s, after(10*time.Minute))
		if _, err := s.Finish(t.Context(), []gateway.Outcome{loggedOutcome(now)}); err == nil {
			t.Error("a lost lease was finished")
		}
	},

	"Extend/finished": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		e := claimOne(t, s, start)
		finishEntries(t, s, retryOutcome(e, time.Second))
		lost, err := s.Extend(t.Context(), []gateway.Lease{leaseOf(e)}, time.Hour)
		if err != nil || len(lost) != 1 {
			t.Errorf("lost %v, %v", lost, err)
		}
		if got := claimEntries(t, s, after(2*time.Second), 9); len(got) != 1 {
			t.Error("a released lease was extended")
		}
	},
}

// extendLeases extends leases none of which is lost.
func extendLeases(t testing.TB, s *testStore, lease time.Duration, leases ...gateway.Lease) {
	t.Helper()
	if lost, err := s.Extend(t.Context(), leases, lease); err != nil || len(lost) > 0 {
		t.Fatalf("lost %v, %v", lost, err)
	}
}
