// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestClockSetBack: when the database's clock is set back by a day, what was under way then is in doubt no later than a lease can
// last, and what waited for its next try is due no later than a wait can last.
func TestClockSetBack(t *testing.T) {
	var now, elapsed atomic.Int64 // milliseconds
	now.Store(1_800_000_000_000)
	s := open(t, newDatabase(t), Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	s.clock.elapsed = func() time.Duration { return time.Duration(elapsed.Load()) * time.Millisecond }
	pass := func(d time.Duration) { now.Add(d.Milliseconds()); elapsed.Add(d.Milliseconds()) }
	if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "one", "log"), storetest.NewSubmission("tenant", "two", "log")}); err != nil {
		t.Fatal(err)
	}
	claim := func(n int) []gateway.Claimed {
		t.Helper()
		claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: 10 * time.Second, Limit: 5, InFlight: 10})
		if err != nil || len(claimed) != n {
			t.Fatalf("%d claimed, not %d: %v", len(claimed), n, err)
		}
		return claimed
	}
	waits := claim(2)[0]
	if _, err := s.Finish(t.Context(), []gateway.Outcome{{EntryID: waits.ID, Fence: waits.Fence, Retry: true, RetryIn: time.Minute}}); err != nil {
		t.Fatal(err)
	}
	now.Add(-24 * time.Hour.Milliseconds())
	claim(0)
	doubts := func(after time.Duration, want int) {
		t.Helper()
		doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Unknown: true, Limit: 9})
		if err != nil || len(doubts) != want || want > 0 && doubts[0].SentAgo != after {
			t.Errorf("in doubt: %+v, %v; want %d, sent %v ago", doubts, err, want, after)
		}
	}
	pass(longestLease * time.Millisecond / 2)
	if ago := s.clock.measureSince(1_800_000_000_000, now.Load()); ago != longestLease*time.Millisecond/2 {
		t.Errorf("what came back in doubt before was sent %v ago", ago)
	}
	doubts(0, 0)
	pass(longestLease * time.Millisecond)
	doubts(longestLease*time.Millisecond/2, 1)
	claim(0)
	pass(longestWait * time.Millisecond)
	if again := claim(1)[0]; again.ID != waits.ID {
		t.Errorf("entry %d was claimed, not %d", again.ID, waits.ID)
	}
}
