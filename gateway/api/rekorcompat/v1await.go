// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// V1Awaiter is a V1Log that records what is logged elsewhere, and so later than that is logged.
type V1Awaiter interface {
	// AwaitRecorded returns once a submission is recorded in this log as well, or ctx ends; nil is no promise that it is. rekord is as for
	// V1Log.Recorded: the submission was verified to be of its signature and file. before: its entry was there before the submission. The error is
	// gateway.ErrNotFound where it never will be.
	AwaitRecorded(ctx context.Context, logged gateway.Submission, rekord []byte) (before bool, err error)
}

// awaitRecorded waits until a submission is in the log that answers. before is V1Awaiter's.
func (v *V1) awaitRecorded(ctx context.Context, logged gateway.Submission, rekord []byte, until time.Time) (before bool, err error) {
	log, err := v.log()
	if err != nil {
		return false, err
	}
	awaiter, ok := log.(V1Awaiter)
	if !ok {
		return false, nil
	}
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	before, err = awaiter.AwaitRecorded(waiting, logged, rekord)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return false, errNotInThisLog
	case err != nil && ctx.Err() == nil && waiting.Err() != nil:
		return false, errNotInTime
	}
	return before, explainRead(err)
}

// isLate reports whether a log may record later what it does not have now.
func isLate(log V1Log) bool {
	_, ok := log.(V1Awaiter)
	return ok
}
