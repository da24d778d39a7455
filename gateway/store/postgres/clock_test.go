// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestQueueClock: how long ago something was counts from when the database's clock was last seen to be set, by more
// than it may differ by itself, however long a reading took.
func TestQueueClock(t *testing.T) {
	type reading struct {
		now           int64         // of the database
		before, after time.Duration // of this process
	}
	second := func(n int64) time.Duration { return time.Duration(n) * time.Second }
	for name, c := range map[string]struct {
		readings []reading
		want     time.Duration // since 0 by the database's clock, at the last reading
	}{
		"steady":                  {[]reading{{1000_000, 0, 0}, {1060_000, second(60), second(60)}}, second(60)},
		"slewed":                  {[]reading{{1000_000, 0, 0}, {1030_900, second(30), second(30)}, {1061_800, second(60), second(60)}}, 61800 * time.Millisecond},
		"set forward":             {[]reading{{1000_000, 0, 0}, {4600_000, second(60), second(60)}}, 0},
		"set forward, then on":    {[]reading{{1000_000, 0, 0}, {4600_000, second(60), second(60)}, {4607_000, second(67), second(67)}}, second(7)},
		"set back":                {[]reading{{1000_000, 0, 0}, {1060_000, second(60), second(60)}, {900_000, second(61), second(61)}}, 0},
		"set back, then on":       {[]reading{{1000_000, 0, 0}, {900_000, second(1), second(1)}, {905_000, second(6), second(6)}}, second(5)},
		"a slow reading":          {[]reading{{1000_000, 0, 0}, {1060_000, second(60), second(90)}, {1095_000, second(95), second(95)}}, second(95)},
		"set behind a slow one":   {[]reading{{1000_000, 0, 0}, {1060_000, second(60), second(90)}, {1195_000, second(95), second(95)}}, 0},
		"a slow first, then set":  {[]reading{{1000_000, 0, second(30)}, {1090_000, second(60), second(60)}}, 0},
		"this process was halted": {[]reading{{1000_000, 0, 0}, {1000_500, 0, second(600)}, {1700_000, second(700), second(700)}}, second(700)},
	} {
		t.Run(name, func(t *testing.T) {
			clock := newQueueClock(nil)
			var now int64
			for _, r := range c.readings {
				now = r.now
				clock.noteTime(r.now, r.before, r.after)
			}
			if got := clock.measureSince(0, now); got != c.want {
				t.Errorf("%v ago, want %v", got, c.want)
			}
			if got := clock.measureSince(now-1000, now); got != min(c.want, time.Second) {
				t.Errorf("what was a second ago was %v ago", got)
			}
		})
	}
}

// TestSentAgo: an entry in doubt is no older than this process can tell by a clock that nobody sets.
func TestSentAgo(t *testing.T) {
	var now, elapsed atomic.Int64 // milliseconds
	now.Store(1_800_000_000_000)
	s := open(t, newDatabase(t), Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	s.clock.elapsed = func() time.Duration { return time.Duration(elapsed.Load()) * time.Millisecond }
	pass := func(database, process time.Duration) {
		now.Add(database.Milliseconds())
		elapsed.Add(process.Milliseconds())
	}
	if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "one", "log")}); err != nil {
		t.Fatal(err)
	}
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Second, Limit: 1, InFlight: 1})
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	want := func(want time.Duration) {
		t.Helper()
		doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: "log", Unknown: true, Limit: 9})
		if err != nil || len(doubts) != 1 || doubts[0].SentAgo != want {
			t.Errorf("in doubt: %+v, %v; want one sent %v ago", doubts, err, want)
		}
	}
	pass(11*time.Second, 11*time.Second)
	want(10 * time.Second)
	pass(time.Hour, time.Second) // set
	want(0)
	pass(5*time.Second, 5*time.Second)
	want(5 * time.Second)
	pass(-30*time.Minute, time.Second)
	want(0)
	pass(time.Minute, time.Minute)
	want(time.Minute)
}
