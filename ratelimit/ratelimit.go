// SPDX-License-Identifier: Apache-2.0

// Package ratelimit bounds how often a caller may ask.
package ratelimit

import (
	"context"
	"time"
)

// Limit is how often one caller may ask. Both are above zero where there is a limit.
type Limit struct {
	PerMinute int // requests, in the long run
	Burst     int // of them, at once
}

// Window is how long it takes until a burst that was used up is there again.
func (l Limit) Window() time.Duration {
	return time.Duration(float64(l.Burst) / float64(l.PerMinute) * float64(time.Minute))
}

// Decision is what became of one request.
type Decision struct {
	Limit      Limit // that it was held to
	Allowed    bool
	Remaining  int           // requests that could follow at once, from 0 to Limit.Burst
	Reset      time.Duration // until the whole burst is there again, if nothing follows
	RetryAfter time.Duration // until the next request could be allowed; above zero if this one was not
}

// Limiter decides about single requests. It is safe for concurrent use. Package limittest says what it has to do.
type Limiter interface {
	// Take asks for one request by the caller called key, who is held to limit, which may be another one at each call. An
	// error means that the limiter itself failed, and that nothing was decided.
	Take(ctx context.Context, key string, limit Limit) (Decision, error)
}
