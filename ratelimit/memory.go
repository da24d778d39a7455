// SPDX-License-Identifier: Apache-2.0

package ratelimit

import (
	"context"
	"errors"
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
	limit rate.Limit
	burst int
	now   func() time.Time

	mu      sync.Mutex // look-up and insertion are one step
	callers *lru.Cache[string, *rate.Limiter]
}

var _ Limiter = (*Memory)(nil)

// NewMemory returns a limiter that lets each caller make perMinute requests a minute, and
// burst at once. Both must be positive.
func NewMemory(perMinute, burst int) (*Memory, error) {
	if perMinute <= 0 || burst <= 0 {
		return nil, errors.New("rate and burst of a limit must be positive")
	}
	callers, err := lru.New[string, *rate.Limiter](maxCallers)
	if err != nil {
		return nil, err
	}
	return &Memory{limit: rate.Limit(float64(perMinute) / 60), burst: burst, now: time.Now, callers: callers}, nil
}

// Take implements Limiter; it never fails.
func (m *Memory) Take(_ context.Context, key string) (time.Duration, error) {
	now := m.now()
	bucket := m.bucket(key)
	if bucket.AllowN(now, 1) {
		return 0, nil
	}
	missing := 1 - bucket.TokensAt(now)
	return time.Duration(math.Ceil(missing / float64(m.limit) * float64(time.Second))), nil
}

func (m *Memory) bucket(key string) *rate.Limiter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b, ok := m.callers.Get(key); ok {
		return b
	}
	b := rate.NewLimiter(m.limit, m.burst)
	m.callers.Add(key, b)
	return b
}
