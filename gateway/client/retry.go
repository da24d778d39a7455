// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Retries say how calls that failed for now are repeated: where a gateway could not be reached, the connection broke, or it says
// that the same may go well later. What it says of how long to wait is heeded.
type Retries struct {
	// Patience is for how long a call is repeated; 0: it is not. A wait that would last longer than that is not begun.
	Patience time.Duration
	// Silence bounds the time in which a gateway neither takes more of an artifact nor gives its whole answer; 0: DefaultSilence.
	Silence time.Duration
	// Notify is told the reason before each wait; nil is nobody.
	Notify func(err error, wait time.Duration)
}

// DefaultSilence is more than a gateway waits for the log.
const DefaultSilence = 90 * time.Second

// ErrSilent is returned when a gateway took longer than Retries.Silence. It is not asked again.
var ErrSilent = errors.New("the gateway does not answer; check that this is the URL of a rekor-gateway")

// advised waits at least as long as the gateway said.
type advised struct {
	backoff.BackOff
	atLeast time.Duration
}

// NextBackOff implements backoff.BackOff.
func (a *advised) NextBackOff() time.Duration { return max(a.BackOff.NextBackOff(), a.atLeast) }

func newBackOff() *advised {
	return &advised{BackOff: &backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 10 * time.Second,
	}}
}

// Do runs call again while that may help, and each time for as long as it makes progress. Repeating the call must be safe, as
// it is with all of a gateway's.
func Do[T any](ctx context.Context, r Retries, call func(ctx context.Context, progress func()) (T, error)) (T, error) {
	return repeatCall(ctx, r, func() (T, error) { return awaitAnswer(ctx, r.silence(), call) })
}

func repeatCall[T any](ctx context.Context, r Retries, try func() (T, error)) (T, error) {
	wait := newBackOff()
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := try()
		var refusal *Error
		switch {
		case err == nil:
		case errors.As(err, &refusal) && refusal.Temporary:
			wait.atLeast = refusal.RetryAfter
		case errors.As(err, &refusal) || !errors.Is(err, ErrConnection):
			err = backoff.Permanent(err)
		default:
			wait.atLeast = 0
		}
		return answer, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(max(r.Patience, time.Nanosecond)), backoff.WithNotify(r.Notify))
}

func (r Retries) silence() time.Duration {
	if r.Silence == 0 {
		return DefaultSilence
	}
	return r.Silence
}

// awaitAnswer ends call with ErrSilent when it makes no progress for longer than patience.
func awaitAnswer[T any](ctx context.Context, patience time.Duration, call func(ctx context.Context, progress func()) (T, error)) (T, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(patience, func() { cancel(ErrSilent) })
	defer late.Stop()
	answer, err := call(ctx, func() { late.Reset(patience) })
	if err != nil && errors.Is(context.Cause(ctx), ErrSilent) {
		err = ErrSilent
	}
	return answer, err
}
