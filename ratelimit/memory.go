// SPDX-License-Identifier: Apache-2.0

package ratelimit

import (
	"context"
	"math"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxCallers bounds the callers that are remembered; those not heard of for longest are
// forgotten first.
const maxCallers = 16384

// Memory is a Limiter for one process: a token bucket for each caller.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex // look-up and insertion are one step, and so are a decision and what it leaves
	callers *lru.Cache[string, *rate.Limiter]
}

var _ Limiter = (*Memory)(nil)

// NewMemory returns a limiter that goes by the clock now; nil is the machine's.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	callers, err := lru.New[string, *rate.Limiter](maxCallers)
	if err != nil {
		panic(err) // only a size that is not positive is refused
	}
	return &Memory{now: now, callers: callers}
}

// Take implements Limiter; it never fails.
func (m *Memory) Take(_ context.Context, key string, limit Limit) (Decision, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	bucket := m.findBucket(key, limit, now)
	d := Decision{Limit: limit, Allowed: bucket.AllowN(now, 1)}
	tokens := bucket.TokensAt(now)
	d.Remaining = max(0, int(tokens))
	d.Reset = m.refill(float64(limit.Burst)-tokens, limit)
	if !d.Allowed {
		d.RetryAfter = max(1, m.refill(1-tokens, limit))
	}
	return d, nil
}

// refill is how long it takes until as many tokens are there.
func (m *Memory) refill(tokens float64, limit Limit) time.Duration {
	return time.Duration(math.Ceil(tokens / float64(limit.PerMinute) * float64(time.Minute)))
}

// findBucket returns the bucket of key, which holds to limit from now on.
func (m *Memory) findBucket(key string, limit Limit, now time.Time) *rate.Limiter {
	perSecond := rate.Limit(float64(limit.PerMinute) / 60)
	b, ok := m.callers.Get(key)
	if !ok {
		b = rate.NewLimiter(perSecond, limit.Burst)
		m.callers.Add(key, b)
		return b
	}
	if b.Limit() != perSecond {
		b.SetLimitAt(now, perSecond)
	}
	if b.Burst() != limit.Burst {
		b.SetBurstAt(now, limit.Burst)
	}
	return b
}
