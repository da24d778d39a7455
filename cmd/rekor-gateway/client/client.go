// SPDX-License-Identifier: Apache-2.0

// Package client is the command line's client of a gateway, over HTTP or gRPC. It streams
// artifacts and repeats calls that failed for now.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
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
	List(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error)
	Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error)
	// TrustFiles returns what the gateway itself says that its receipts verify with. Errors are
	// ErrNoTrustFiles where it says nothing.
	TrustFiles(ctx context.Context) (TrustFiles, error)
	Close() error
}

// TrustFiles are files for verify, as a gateway hands them out: its own word, and as good as the
// connection to it.
type TrustFiles struct {
	TrustedRoot  []byte
	GatewayTrust []byte // nil when the gateway makes no statements
}

// ErrNoTrustFiles is returned for a gateway that hands out no trust files.
var ErrNoTrustFiles = errors.New("the gateway hands out no trust files")

// Error is a gateway's refusal.
type Error struct {
	Reason     string
	Message    string
	Hint       string
	Status     int           // of HTTP; 0 over gRPC
	Temporary  bool          // it may go well later
	RetryAfter time.Duration // zero when the gateway did not say
}

// Error returns "REASON: message", and the message alone where no gateway gave a reason.
func (e *Error) Error() string {
	if strings.HasPrefix(e.Reason, "HTTP_") || strings.HasPrefix(e.Reason, "GRPC_") {
		return e.Message
	}
	return e.Reason + ": " + e.Message
}

// Options say how a gateway is called.
type Options struct {
	Patience time.Duration // for which an unreachable or busy gateway is tried again
	// Token is sent as a bearer token; "" sends none. It goes through TLS, or stays on this machine.
	Token string
	// RootCAs say which certificates the gateway may have; nil are the system's.
	RootCAs *x509.CertPool
	// Certificates are shown to a gateway that asks for one.
	Certificates []tls.Certificate
	// Retrying is told the reason before each wait for another try; nil is nobody.
	Retrying func(err error, wait time.Duration)
}

// New returns a client of the gateway at raw: http://, https://, grpc:// or grpcs://HOST:PORT.
func New(raw string, o Options) (Client, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the server %q is not a URL such as http://127.0.0.1:8080 or grpc://127.0.0.1:8081", raw)
	}
	secure := u.Scheme == "https" || u.Scheme == "grpcs"
	if o.Token != "" && !secure && !isLoopback(u.Hostname()) {
		return nil, fmt.Errorf("a token is not sent in the clear to another machine: %q is neither https nor grpcs", raw)
	}
	var direct Client
	switch u.Scheme {
	case "http", "https":
		direct = newHTTP(u, o)
	case "grpc", "grpcs":
		if direct, err = newGRPC(u, o); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("the server's URL starts with %q, not with http, https, grpc or grpcs", u.Scheme)
	}
	return &retrying{Client: direct, options: o, silence: silence}, nil
}

func isLoopback(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	return host == "localhost"
}

func (o Options) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs, Certificates: o.Certificates}
}

// retrying tries again what failed for now: an unreachable gateway, 429 and 503. A
// submission sent twice is one submission, so a lost answer is no harm.
type retrying struct {
	Client
	options Options
	silence time.Duration // as the constant
}

// advised waits at least as long as the gateway said.
type advised struct {
	backoff.BackOff
	atLeast time.Duration
}

// NextBackOff implements backoff.BackOff.
func (a *advised) NextBackOff() time.Duration { return max(a.BackOff.NextBackOff(), a.atLeast) }

func retryCall[T any](ctx context.Context, o Options, try func() (T, error)) (T, error) {
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
		case errors.As(err, &refusal) || !errors.Is(err, ErrConnection):
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithBackOff(wait), backoff.WithMaxElapsedTime(max(o.Patience, time.Nanosecond)), backoff.WithNotify(o.Retrying))
}

// ErrConnection is returned when the gateway could not be reached, or the connection broke.
var ErrConnection = errors.New("connecting to the gateway")

// askGateway runs call again while that may help, and each time for as long as it makes progress.
func askGateway[T any](ctx context.Context, r *retrying, call func(ctx context.Context, progress func()) (T, error)) (T, error) {
	return retryCall(ctx, r.options, func() (T, error) { return awaitAnswer(ctx, r.silence, call) })
}

func (r *retrying) Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error) {
	return askGateway(ctx, r, func(ctx context.Context, progress func()) (*pb.SubmitResponse, error) {
		return r.Client.Submit(ctx, noteReads(s, progress))
	})
}

func (r *retrying) Get(ctx context.Context, id string) (*pb.Submission, error) {
	return askGateway(ctx, r, func(ctx context.Context, _ func()) (*pb.Submission, error) {
		s, err := r.Client.Get(ctx, id)
		if err == nil && (!strings.EqualFold(s.GetId(), id) || s.GetState() == pb.Submission_STATE_UNSPECIFIED) {
			return nil, fmt.Errorf("asking for submission %s: the answer is about another one, or says nothing of its state", id)
		}
		return s, err
	})
}

func (r *retrying) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	return askGateway(ctx, r, func(ctx context.Context, _ func()) (*pb.Plan, error) { return r.Client.Plan(ctx, h) })
}

func (r *retrying) List(ctx context.Context, q *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	return askGateway(ctx, r, func(ctx context.Context, _ func()) (*pb.ListSubmissionsResponse, error) { return r.Client.List(ctx, q) })
}

func (r *retrying) TrustFiles(ctx context.Context) (TrustFiles, error) {
	return askGateway(ctx, r, func(ctx context.Context, _ func()) (TrustFiles, error) { return r.Client.TrustFiles(ctx) })
}
