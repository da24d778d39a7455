// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// decideOutcome sorts what Add answered at the time now; delay is how long to wait before the next try.
// Everything that may have been logged stays in doubt.
func decideOutcome(e gateway.Entry, inclusion *gateway.Inclusion, err error, now time.Time, delay time.Duration) gateway.Outcome {
	o := gateway.Outcome{EntryID: e.ID, Fence: e.Fence}
	retryAt := now.Add(delay)
	var overload *gateway.OverloadError
	switch {
	case err == nil:
		o.Inclusion = inclusion
	case errors.Is(err, gateway.ErrRefused):
		o.Fail, o.Problem = true, gateway.ProblemRefused
	case errors.As(err, &overload):
		o.Problem, o.RetryAt = gateway.ProblemOverloaded, now.Add(max(overload.RetryAfter, delay))
	case errors.Is(err, gateway.ErrNotSent):
		o.Problem, o.RetryAt = gateway.ProblemUnavailable, retryAt
	case errors.Is(err, gateway.ErrFork):
		o.Problem, o.RetryAt, o.InDoubt, o.SentAt = gateway.ProblemFork, retryAt, true, now
	case errors.Is(err, gateway.ErrBadAnswer):
		o.Problem, o.RetryAt, o.InDoubt, o.SentAt = gateway.ProblemBadAnswer, retryAt, true, now
	default:
		o.Problem, o.RetryAt, o.InDoubt, o.SentAt = gateway.ProblemUnknown, retryAt, true, now
	}
	return o
}
