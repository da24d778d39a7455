// SPDX-License-Identifier: Apache-2.0

// Package client is the command line's client of a gateway, over HTTP or gRPC. It streams
// artifacts and repeats calls that failed for now.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Submission is what Submit sends. Artifact opens the artifact and is called for each try; nil
// sends none.
type Submission struct {
	Header   *pb.SubmissionHeader
	Artifact func() (io.ReadCloser, error)
	Wait     time.Duration // that the gateway is asked to wait for the log
}

// Client is one gateway. Errors that the gateway gave are *Error.
type Client interface {
	Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error)
	Get(ctx context.Context, id string) (*pb.Submission, error)
	Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error)
	Close() error
}

// Error is a gateway's refusal.
type Error struct {
	Reason     string
	Message    string
	Hint       string
	Temporary  bool          // it may go well later
	RetryAfter time.Duration // zero when the gateway did not say
}

// Error returns "REASON: message".
func (e *Error) Error() string { return e.Reason + ": " + e.Message }

// New returns a client of the gateway at raw: http://, https://, grpc:// or grpcs://HOST:PORT.
// It tries again for at most patience.
func New(raw string, patience time.Duration) (Client, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the server %q is not a URL such as http://127.0.0.1:8080 or grpc://127.0.0.1:8081", raw)
	}
	var direct Client
	switch u.Scheme {
	case "http", "https":
		direct = newHTTP(u)
	case "grpc", "grpcs":
		if direct, err = newGRPC(u); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("the server's URL starts with %q, not with http, https, grpc or grpcs", u.Scheme)
	}
	return &retrying{Client: direct, patience: patience}, nil
}

// retrying tries again what failed for now: an unreachable gateway, 429 and 503. A
// submission sent twice is one submission, so a lost answer is no harm.
type retrying struct {
	Client
	patience time.Duration
}

// advised waits at least as long as the gateway said.
type advised struct {
	backoff.BackOff
	atLeast time.Duration
}

// NextBackOff implements backoff.BackOff.
func (a *advised) NextBackOff() time.Duration { return max(a.BackOff.NextBackOff(), a.atLeast) }

func retryCall[T any](ctx context.Context, patience time.Duration, try func() (T, error)) (T, error) {
	wait := &advised{BackOff: &backoff.ExponentialBackOff{
		InitialInterval: 250 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 10 * time.Second,
	}}
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := try()
		var refusal *Error
		switch {
		case err == nil:
		case errors.As(err, &refusal) && refusal.Temporary:
			wait.atLeast = refusal.RetryAfter
		case errors.As(err, &refusal) || !errors.Is(err, errConnection):
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(max(patience, time.Nanosecond)))
}

// errConnection: the gateway could not be reached, or the connection broke.
var errConnection = errors.New("connecting to the gateway")

func (r *retrying) Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error) {
	return retryCall(ctx, r.patience, func() (*pb.SubmitResponse, error) { return r.Client.Submit(ctx, s) })
}

func (r *retrying) Get(ctx context.Context, id string) (*pb.Submission, error) {
	return retryCall(ctx, r.patience, func() (*pb.Submission, error) { return r.Client.Get(ctx, id) })
}

func (r *retrying) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	return retryCall(ctx, r.patience, func() (*pb.Plan, error) { return r.Client.Plan(ctx, h) })
}
