// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// MaxIDs bounds a call of GetAll: number of submissions.
const MaxIDs = 100

// GetAll asks for the caller's submissions with these IDs, at most MaxIDs, and gives take each as it comes, with its receipt once it is logged, or
// the *Error that it was refused with. Nothing more is read while take works. It asks once: what was not answered, or was refused for
// now, is for the caller to ask for again. Its error is an *Error of codes.Unimplemented where the gateway is of a release without this call.
//
// What take is given is the caller's, but for the anchors of receipts with one entry, in an own log: those that rest on the same checkpoint share these
// messages, also once GetAll has returned. They can be read at the same time, and are not to be changed.
func (c *Client) GetAll(ctx context.Context, ids []string, take func(id string, s *pb.Submission, err error)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(c.retries.silence(), func() { cancel(ErrSilent) })
	defer late.Stop()
	stream, err := c.remote.GetSubmissions(ctx, &pb.GetSubmissionsRequest{Ids: ids, OmitReceiptJson: c.omit, ShareAnchors: true}, c.boundSubmission())
	if err != nil {
		return convertStatus(ctx, err)
	}
	var anchors sharedAnchors
	for i, id := range ids {
		answer, err := stream.Recv()
		late.Stop()
		switch {
		case errors.Is(err, io.EOF):
			return fmt.Errorf("%w: the gateway has not answered for all", ErrConnection)
		case err != nil:
			return convertStatus(ctx, err)
		case int(answer.GetIndex()) != i:
			return fmt.Errorf("asking for submission %s: the answer is about another one", id)
		}
		if err := anchors.putIn(answer); err != nil {
			return fmt.Errorf("asking for submission %s: %w", id, err)
		}
		if answer.GetProblem() != nil {
			take(id, nil, convertProblem(answer))
		} else {
			take(id, answer.GetSubmission(), CheckSubmission(answer.GetSubmission(), id))
		}
		late.Reset(c.retries.silence())
	}
	_, err = stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil
	}
	return convertStatus(ctx, err)
}

// IsUnimplemented reports whether a gateway is of a release without a call.
func IsUnimplemented(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Code == codes.Unimplemented
}
