// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Error is a refusal.
type Error struct {
	// Reason is the gateway's, as docs/errors.md lists them; "" where whoever answered is no gateway.
	Reason  string
	Message string // one line
	Hint    string // what to do about it, one line; "" is none
	// Code is gRPC's; codes.OK where the refusal is of one submission of a batch.
	Code       codes.Code
	Field      string        // of the request that it is about; "" is none
	RequestID  string        // to be found in the gateway's log; "" is not known
	Temporary  bool          // the same may go well later
	RetryAfter time.Duration // before that; zero when the gateway did not say
}

// Error returns "REASON: message", and the message alone where no gateway gave a reason.
func (e *Error) Error() string {
	if e.Reason == "" {
		return e.Message
	}
	return e.Reason + ": " + e.Message
}

// Is makes a call that was too late context.DeadlineExceeded, whoever has noticed.
func (e *Error) Is(target error) bool {
	return e.Code == codes.DeadlineExceeded && target == context.DeadlineExceeded
}

// ErrConnection is returned when the gateway could not be reached, or the connection broke.
var ErrConnection = errors.New("connecting to the gateway")

// convertStatus returns a gRPC status of a call with ctx as an *Error, as ErrConnection, or as what ended ctx.
func convertStatus(ctx context.Context, err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e := &Error{Message: s.Message(), Code: s.Code()}
	e.addDetails(s.Details())
	if e.Reason == "" && s.Code() == codes.Unavailable {
		return fmt.Errorf("%w: %s", ErrConnection, s.Message())
	}
	if e.Reason == "" && (s.Code() == codes.Unimplemented || s.Code() == codes.Unknown) {
		e.Hint = "check that this is the address of a rekor-gateway"
	}
	// gRPC itself says ResourceExhausted of a message that is too large, which it will be next time, too.
	e.Temporary = e.Reason != "" && (s.Code() == codes.Unavailable || s.Code() == codes.ResourceExhausted)
	return e
}

func (e *Error) addDetails(details []any) {
	for _, d := range details {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Hint, e.RequestID = d.GetReason(), d.GetMetadata()["hint"], d.GetMetadata()["request_id"]
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				e.Field = v.GetField()
			}
		}
	}
}

// refusing is an answer to one of several submissions that may be a refusal.
type refusing interface {
	GetProblem() *pb.Problem
	GetRetryAfter() *durationpb.Duration
}

// convertProblem returns the refusal of one of several submissions.
func convertProblem(r refusing) *Error {
	p := r.GetProblem()
	return &Error{
		Reason: p.GetReason(), Message: p.GetMessage(), Hint: p.GetHint(),
		Temporary: r.GetRetryAfter() != nil, RetryAfter: r.GetRetryAfter().AsDuration(),
	}
}
