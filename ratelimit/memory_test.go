// SPDX-License-Identifier: Apache-2.0

package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/limittest"
)

func TestMemory(t *testing.T) {
	limittest.Run(t, func(*testing.T) limittest.Limiter {
		now := time.Unix(1_800_000_000, 0)
		m := ratelimit.NewMemory(func() time.Time { return now })
		return limittest.Limiter{Limiters: []ratelimit.Limiter{m}, Pass: func(d time.Duration) { now = now.Add(d) }}
	})
}

// Strangers can make as many keys as they like: the oldest are forgotten.
func TestMemoryForgetsTheOldest(t *testing.T) {
	m := ratelimit.NewMemory(nil)
	once := ratelimit.Limit{PerMinute: 1, Burst: 1}
	for i := range 16384 + 1 {
		_, _ = m.Take(t.Context(), fmt.Sprint(i), once)
	}
	for key, want := range map[string]bool{"0": true, "16384": false} {
		if d, _ := m.Take(t.Context(), key, once); d.Allowed != want {
			t.Errorf("%s is allowed: %v", key, d.Allowed)
		}
	}
}
