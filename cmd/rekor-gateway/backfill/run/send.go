// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// errNotLogged is of a submission that the log has not taken in time.
var errNotLogged = errors.New("the submission is accepted and not logged yet")

// send has the gateway accept a submission. What it refuses for now is sent again as long as it accepts anything.
func (b *runner) send(ctx context.Context, s client.Submission, room *answerRoom) (*pb.Submission, error) {
	ctx = client.WithRoom(ctx, room.take)
	started := time.Now()
	b.firstSend.Do(func() {
		collectLessSending(b.flags.Parallel)
		b.noteAnswer = b.told.SayWaiting("sending to " + b.flags.Server)
	})
	for {
		answer, err := b.callSubmit(ctx, s)
		if err != nil {
			room.release()
		}
		b.noteAnswer()
		switch {
		case err == nil:
			b.pace.noteAccepted()
			return room.keep(ctx, answer.GetSubmission())
		case ctx.Err() != nil:
			return nil, err
		case isForAll(err):
			b.stop(err)
			return nil, err
		case !isForNow(err):
			return nil, err
		case !b.pace.mayTryAgain(started, delayOf(err)):
			b.stop(b.pace.explainEnd(started, delayOf(err), err))
			return nil, err
		}
		b.told.SayRetrying(err, 0)
		if err := sleep(ctx, max(delayOf(err), retryPause)); err != nil {
			return nil, err
		}
	}
}

func (b *runner) callSubmit(ctx context.Context, s client.Submission) (*pb.SubmitResponse, error) {
	if b.batcher.takes(s) {
		answer, err := b.batcher.submit(ctx, s)
		if !errors.Is(err, errNoBatches) {
			return answer, err
		}
	}
	select {
	case b.calls <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-b.calls }()
	return b.remote.Submit(ctx, s)
}

// await waits until the submission is settled, or the log has taken nothing for too long: it returns it as it is then.
func (b *runner) await(ctx context.Context, s *pb.Submission, room *answerRoom) (_ *pb.Submission, err error) {
	started := time.Now()
	defer func() { b.pace.noteEnded(err == nil && s.GetState() == pb.Submission_LOGGED) }()
	for !client.IsSettled(s) {
		if !b.pace.mayWait() {
			return s, nil
		}
		if err := sleep(ctx, nextPoll(s, time.Now())); err != nil {
			return s, err
		}
		now, err := b.callGet(ctx, s.GetId(), room)
		switch {
		case err == nil:
			s = now
		case ctx.Err() != nil:
			return s, err
		case isForNow(err) && b.pace.mayTryAgain(started, delayOf(err)):
			b.told.SayRetrying(err, 0)
		case isForNow(err):
			return s, nil
		default:
			return s, err
		}
	}
	return s, nil
}

// endUnknown is for a submission that was accepted, and of which the gateway does not say what became of it. One that was restored from a
// backup since, or another one in its place, does not know it.
func (b *runner) endUnknown(ctx context.Context, o outcome, err error) outcome {
	if ctx.Err() == nil && isForAll(err) {
		b.stop(fmt.Errorf("asking for submission %s: %w", o.SubmissionID, err))
	}
	var refusal *client.Error
	if errors.As(err, &refusal) && refusal.Reason == string(problem.ReasonNotFound) {
		err = fault.Fail(problem.ReasonNotLogged, errors.New("the gateway had accepted it, and does not know it now"),
			"it was restored from a backup, or another gateway or tenant is asked now; run the same command again: what is not logged is sent again")
	}
	return o.endAccepted(ctx, fmt.Errorf("asking for submission %s: %w", o.SubmissionID, err))
}

func (b *runner) callGet(ctx context.Context, id string, room *answerRoom) (*pb.Submission, error) {
	select {
	case b.calls <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-b.calls }()
	s, err := b.remote.Get(client.WithRoom(ctx, room.take), id)
	if err != nil {
		room.release()
		return nil, err
	}
	return room.keep(ctx, s)
}

// retryPause is the least time before a call is repeated.
const retryPause = 500 * time.Millisecond

// Bounds of how long to wait before a submission is asked for again.
const (
	leastPoll = 200 * time.Millisecond
	mostPoll  = 2 * time.Second
	usualPoll = time.Second // where there is no estimate
)

// nextPoll returns how long to wait before s is asked for again.
func nextPoll(s *pb.Submission, now time.Time) time.Duration {
	if s.GetEta() == nil {
		return usualPoll
	}
	return min(max(s.GetEta().AsTime().Sub(now), leastPoll), mostPoll)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isForNow reports whether the same may go well later. A credential may be replaced while the command runs.
func isForNow(err error) bool {
	var refusal *client.Error
	switch {
	case errors.As(err, &refusal):
		return refusal.Temporary || refusal.Reason == string(problem.ReasonUnauthenticated) || refusal.Code == codes.Unauthenticated ||
			refusal.Reason != "" && fault.ExitCodeOf(formats.Reason(refusal.Reason)) == fault.ExitLater
	case errors.Is(err, client.ErrConnection), errors.Is(err, gatewayclient.ErrSilent):
		return true
	}
	return errors.As(err, new(*client.TokenError))
}

// isForAll reports whether every other submission would be refused like this one.
func isForAll(err error) bool {
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return refusal.Reason == "" && !refusal.Temporary && refusal.Code != codes.Unauthenticated || refusal.Reason == string(problem.ReasonForbidden)
	}
	return errors.Is(err, client.ErrUnreadable) || errors.Is(err, gatewayclient.ErrIncomplete)
}

// delayOf returns how long the gateway said to wait.
func delayOf(err error) time.Duration {
	var refusal *client.Error
	if errors.As(err, &refusal) {
		return refusal.RetryAfter
	}
	return 0
}
