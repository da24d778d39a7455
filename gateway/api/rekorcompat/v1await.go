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
	// V1Log.Recorded: the submission was verified to be of its signature and file. The error is gateway.ErrNotFound where it never will be.
	AwaitRecorded(ctx context.Context, logged gateway.Submission, rekord []byte) error
}

// awaitRecorded waits until a submission is in the log that answers.
func (v *V1) awaitRecorded(ctx context.Context, logged gateway.Submission, rekord []byte, until time.Time) error {
	log, err := v.log()
	if err != nil {
		return err
	}
	awaiter, ok := log.(V1Awaiter)
	if !ok {
		return nil
	}
	waiting, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	err = awaiter.AwaitRecorded(waiting, logged, rekord)
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return errNotInThisLog
	case err != nil && ctx.Err() == nil && waiting.Err() != nil:
		return errNotInTime
	}
	return explainRead(err)
}

// isLate reports whether a log may record later what it does not have now.
func isLate(log V1Log) bool {
	_, ok := log.(V1Awaiter)
	return ok
}
