// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// forbiddenDelay is how long at least an entry waits that the log did not let in: it is a person who
// has to mend that.
const forbiddenDelay = 30 * time.Second

// decideOutcome turns what Add returned into the outcome to store; delay is the time to the next try.
// An entry that may have been logged stays in doubt.
func decideOutcome(e *gateway.Claimed, inclusion *gateway.Inclusion, err error, delay time.Duration) gateway.Outcome {
	o := gateway.Outcome{EntryID: e.ID, Fence: e.Fence}
	if err == nil {
		o.Inclusion = inclusion
		return o
	}
	var overload *gateway.OverloadError
	if errors.Is(err, gateway.ErrRefused) {
		o.Fail, o.Problem = true, gateway.ProblemRefused
		return o
	}
	if lostArtifact(err) && e.Attempts >= gateway.StuckAttempts {
		o.Fail, o.Problem = true, gateway.ProblemUnreadable
		return o
	}
	o.Retry, o.RetryIn = true, delay
	switch {
	case errors.As(err, &overload):
		o.Problem, o.RetryIn, o.InDoubt = gateway.ProblemOverloaded, max(overload.RetryAfter, delay), overload.InDoubt
	case errors.Is(err, gateway.ErrForbidden):
		o.Problem, o.RetryIn = gateway.ProblemForbidden, max(forbiddenDelay, delay)
	case errors.Is(err, gateway.ErrUnreadable):
		o.Problem = gateway.ProblemUnreadable
	case errors.Is(err, gateway.ErrNotSent):
		o.Problem = gateway.ProblemUnavailable
	case errors.Is(err, gateway.ErrFork):
		o.Problem, o.InDoubt = gateway.ProblemFork, true
	case errors.Is(err, gateway.ErrBadAnswer):
		o.Problem, o.InDoubt = gateway.ProblemBadAnswer, true
	default:
		o.Problem, o.InDoubt = gateway.ProblemUnknown, true
	}
	return o
}

// lostArtifact reports that the store does not have what the entry is sent with: it is when the submission is sent again, which a failed one can be.
func lostArtifact(err error) bool {
	return errors.Is(err, gateway.ErrUnreadable) && errors.Is(err, gateway.ErrBlobGone)
}
