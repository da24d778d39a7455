// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/sony/gobreaker/v2"
)

// The longest waits between two attempts, give or take half.
const (
	longestRetry = 5 * time.Minute
	// outageRetry is that of an entry while a log includes nothing of what it is sent. It is short, so that what waits
	// is due soon after the log works again; it is the budget that spares a log that fails.
	outageRetry = 20 * time.Second
)

// retryDelay returns how long to wait after the n-th attempt: exponential with jitter, from
// about half a second to longest.
func retryDelay(n int, longest time.Duration) time.Duration {
	b := backoff.NewExponentialBackOff()
	b.MaxInterval = longest
	d := b.NextBackOff()
	for range min(n-1, 32) {
		d = b.NextBackOff()
	}
	return d
}

// longestRetry is how long an entry waits at most that has just failed: long where it alone does.
func (w *worker) longestRetry(now time.Time) time.Duration {
	if stalls, _ := w.stall.lasts(now); stalls > 0 || w.budget.breaker.State() != gobreaker.StateClosed {
		return outageRetry
	}
	return longestRetry
}
