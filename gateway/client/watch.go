// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"google.golang.org/protobuf/proto"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// ErrFailed is returned for a submission that the log has refused for good. It can be sent again.
var ErrFailed = errors.New("the log refused the submission")

// Await waits until the submission is logged, and returns it with its receipt: ReceiptJson is a receipt file. It waits until ctx
// ends. Beside ErrFailed it returns the submission, whose entries say why.
func (c *Client) Await(ctx context.Context, id string) (*pb.Submission, error) {
	var last *pb.Submission
	for s, err := range c.Watch(ctx, id) {
		if err != nil {
			return last, err
		}
		last = s
	}
	if last.GetState() == pb.Submission_FAILED {
		return last, ErrFailed
	}
	return last, nil
}

// Watch yields the submission now and after each change, until it is settled. A stream that breaks is resumed, for as long as
// Retries say: what has changed meanwhile is yielded then. An error is the last that it yields.
func (c *Client) Watch(ctx context.Context, id string) iter.Seq2[*pb.Submission, error] {
	return func(yield func(*pb.Submission, error) bool) {
		w := watch{client: c, id: id, yield: yield}
		for !w.stopped && !IsSettled(w.last) {
			// As far as there was progress, patience begins anew.
			_, err := repeatCall(ctx, c.retries, func() (struct{}, error) {
				moved, err := w.follow(ctx)
				if moved {
					err = nil
				}
				return struct{}{}, err
			})
			if err != nil && !w.stopped {
				yield(nil, err)
				return
			}
		}
	}
}

// watch is one caller's.
type watch struct {
	client  *Client
	id      string
	yield   func(*pb.Submission, error) bool
	stopped bool           // by whoever is yielded to
	last    *pb.Submission // that was yielded
}

// longStream is how long a stream has to last before its end is nothing to wait for: a gateway ends it after half an hour.
const longStream = time.Minute

// follow yields what one stream brings. It reports whether something had changed, or the stream was a long one.
func (w *watch) follow(ctx context.Context) (moved bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// How the submission is now, a gateway says at once.
	late := time.AfterFunc(w.client.retries.silence(), func() { cancel(ErrSilent) })
	defer late.Stop()
	started := time.Now()
	stream, err := w.client.remote.WatchSubmission(ctx, &pb.WatchSubmissionRequest{Id: w.id, OmitReceiptJson: w.client.omit}, w.client.boundSubmission())
	if err != nil {
		return false, convertStatus(ctx, err)
	}
	for {
		answer, err := stream.Recv()
		late.Stop()
		if errors.Is(err, io.EOF) {
			err = fmt.Errorf("%w: the gateway has ended the watch", ErrConnection)
		} else if err != nil {
			err = convertStatus(ctx, err)
		}
		if err != nil {
			return moved || ctx.Err() == nil && time.Since(started) > longStream, err
		}
		s := answer.GetSubmission()
		if err := CheckSubmission(s, w.id); err != nil {
			return false, err
		}
		if !isNews(s, w.last) {
			continue
		}
		moved, w.last = true, s
		if w.stopped = !w.yield(s, nil); w.stopped || IsSettled(s) {
			return true, nil
		}
	}
}

// isNews reports whether s differs from what is known by more than when it is expected to be logged.
func isNews(s, known *pb.Submission) bool {
	if known == nil || IsSettled(s) {
		return true
	}
	a, b := proto.CloneOf(s), proto.CloneOf(known)
	a.Eta, b.Eta, a.Delays, b.Delays = nil, nil, nil, nil
	return !proto.Equal(a, b)
}
