// SPDX-License-Identifier: Apache-2.0

// Package limittest holds what every ratelimit.Limiter has to do.
package limittest

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// Limiter is one that is tested: new, so that nobody has asked yet.
type Limiter struct {
	// Limiters share their counts, as those of several gateways do; one where there is nothing to share.
	Limiters []ratelimit.Limiter
	// Pass lets time pass, for the limiters at least.
	Pass func(time.Duration)
}

// Run tests the limiters that open returns.
func Run(t *testing.T, open func(*testing.T) Limiter) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Limiter)
	}{
		{"burst", testBurst},
		{"first", testFirst},
		{"wait", testWait},
		{"keys", testKeys},
		{"answer", testAnswer},
		{"change", testChange},
		{"concurrent", testConcurrent},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

// ask takes one request from the limiter that is the turn's.
func (l Limiter) ask(t *testing.T, turn int, key string, limit ratelimit.Limit) ratelimit.Decision {
	t.Helper()
	d, err := l.Limiters[turn%len(l.Limiters)].Take(t.Context(), key, limit)
	if err != nil {
		t.Fatal(err)
	}
	if d.Limit != limit {
		t.Fatalf("held to %v, want %v", d.Limit, limit)
	}
	if d.Allowed != (d.RetryAfter <= 0) {
		t.Fatalf("allowed %v, and asked to wait %v", d.Allowed, d.RetryAfter)
	}
	return d
}

// A burst goes through, and nothing after it.
func testBurst(t *testing.T, l Limiter) {
	limit := ratelimit.Limit{PerMinute: 1, Burst: 5}
	for i := range limit.Burst {
		if !l.ask(t, i, "a", limit).Allowed {
			t.Fatalf("request %d of the burst is refused", i)
		}
	}
	for i := range 3 {
		if l.ask(t, i, "a", limit).Allowed {
			t.Fatalf("request %d past the burst is allowed", i)
		}
	}
}

// The first request is never refused, however short the time between two is.
func testFirst(t *testing.T, l Limiter) {
	for i := range 200 {
		limit := ratelimit.Limit{PerMinute: 7*i + 1, Burst: 1 + i%3}
		if d := l.ask(t, i, string(rune('a'+i)), limit); !d.Allowed || d.Remaining != limit.Burst-1 {
			t.Errorf("the first of %+v: %+v", limit, d)
		}
	}
}

// Whoever waits as long as he was told is let through once.
func testWait(t *testing.T, l Limiter) {
	limit := ratelimit.Limit{PerMinute: 60, Burst: 2}
	for i := range limit.Burst {
		l.ask(t, i, "a", limit)
	}
	d := l.ask(t, 0, "a", limit)
	if d.Allowed || d.RetryAfter > time.Second {
		t.Fatalf("past the burst: %+v", d)
	}
	l.Pass(d.RetryAfter)
	if !l.ask(t, 1, "a", limit).Allowed {
		t.Error("the wait was too short")
	}
	if l.ask(t, 0, "a", limit).Allowed {
		t.Error("one wait was good for two requests")
	}
}

// Keys are counted each by itself, whatever is in them.
func testKeys(t *testing.T, l Limiter) {
	limit := ratelimit.Limit{PerMinute: 1, Burst: 1}
	for i, key := range []string{"a", "b", "a b", "tenant a", "2001:db8::", "{a}", "", "é\x00\n"} {
		if !l.ask(t, i, key, limit).Allowed {
			t.Errorf("%q is counted as another", key)
		}
		if l.ask(t, i+1, key, limit).Allowed {
			t.Errorf("%q is not counted", key)
		}
	}
}

// The answer says how many may follow, and when all of the burst is there again.
func testAnswer(t *testing.T, l Limiter) {
	limit := ratelimit.Limit{PerMinute: 6, Burst: 3} // one in ten seconds
	for i, want := range []ratelimit.Decision{
		{Remaining: 2, Reset: 10 * time.Second},
		{Remaining: 1, Reset: 20 * time.Second},
		{Remaining: 0, Reset: 30 * time.Second},
		{Remaining: 0, Reset: 30 * time.Second, RetryAfter: 10 * time.Second},
	} {
		d := l.ask(t, i, "a", limit)
		if d.Remaining != want.Remaining || !near(d.Reset, want.Reset) || d.RetryAfter > 0 && !near(d.RetryAfter, want.RetryAfter) {
			t.Errorf("request %d: %+v, want about %+v", i, d, want)
		}
	}
}

// near allows for a machine that has much to do: time passes between two requests.
func near(got, want time.Duration) bool { return got <= want && got > want-8*time.Second }

// The limit of a key may change at any time.
func testChange(t *testing.T, l Limiter) {
	small, large := ratelimit.Limit{PerMinute: 1, Burst: 1}, ratelimit.Limit{PerMinute: 600, Burst: 10}
	l.ask(t, 0, "a", small)
	if l.ask(t, 1, "a", small).Allowed {
		t.Fatal("the smaller limit does not hold")
	}
	if l.Pass(2 * time.Second); l.ask(t, 0, "a", small).Allowed {
		t.Fatal("two seconds are enough for one request a minute")
	}
	l.ask(t, 1, "a", large)
	l.Pass(2 * time.Second)
	if d := l.ask(t, 0, "b", large); d.Remaining != large.Burst-1 {
		t.Errorf("a key with the larger limit: %+v", d)
	}
	if d := l.ask(t, 1, "b", small); d.Limit != small || d.Remaining > small.Burst {
		t.Errorf("the same with the smaller limit: %+v", d)
	}
}

// However many ask at once, and of whichever limiter, no more than the burst go through.
func testConcurrent(t *testing.T, l Limiter) {
	limit := ratelimit.Limit{PerMinute: 1, Burst: 7}
	var allowed, failed atomic.Int32
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			d, err := l.Limiters[i%len(l.Limiters)].Take(t.Context(), "a", limit)
			if err != nil {
				failed.Add(1)
			} else if d.Allowed {
				allowed.Add(1)
			}
		})
	}
	all.Wait()
	if allowed.Load() != int32(limit.Burst) || failed.Load() != 0 {
		t.Errorf("%d requests were let through, want %d; %d failed", allowed.Load(), limit.Burst, failed.Load())
	}
}
