// SPDX-License-Identifier: Apache-2.0

// Package client is the command line's client of a gateway, over HTTP, or over gRPC by gateway/client. It streams
// artifacts and repeats calls that failed for now, the same over both.
package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// What is the same over HTTP as over gRPC.
type (
	Submission = gatewayclient.Submission
	Error      = gatewayclient.Error
)

// ErrConnection is returned when the gateway could not be reached, or the connection broke.
var ErrConnection = gatewayclient.ErrConnection

// Client is one gateway. Errors that the gateway gave are *Error.
type Client interface {
	Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error)
	Get(ctx context.Context, id string) (*pb.Submission, error)
	List(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error)
	ListAudit(ctx context.Context, r *pb.ListAuditRequest) (*pb.ListAuditResponse, error)
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

// Options say how a gateway is called.
type Options struct {
	Retries gatewayclient.Retries
	// Token returns what is sent as a bearer token with a request; nil sends none. It goes through TLS, or stays on this machine.
	Token func(context.Context) (string, error)
	// RootCAs say which certificates the gateway may have; nil are the system's.
	RootCAs *x509.CertPool
	// Certificate is shown to a gateway that asks for one; nil: none is.
	Certificate *tls.Certificate
}

// New returns a client of the gateway at raw: http://, https://, grpc:// or grpcs://HOST:PORT. Over gRPC there may be several addresses,
// any of which can answer any call: grpcs://HOST:PORT,HOST:PORT.
func New(raw string, o Options) (Client, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the server %q is not a URL such as http://127.0.0.1:8080 or grpc://127.0.0.1:8081", raw)
	}
	secure := u.Scheme == "https" || u.Scheme == "grpcs"
	if strings.Contains(u.Host, ",") && !strings.HasPrefix(u.Scheme, "grpc") {
		return nil, fmt.Errorf("%q names several addresses, which only grpc:// and grpcs:// take", raw)
	}
	if o.Token != nil && !secure && !isLoopback(u.Host) {
		return nil, fmt.Errorf("a token is not sent in the clear to another machine: %q is neither https nor grpcs", raw)
	}
	switch u.Scheme {
	case "http", "https":
		return &retrying{Client: newHTTP(u, o), retries: o.Retries}, nil
	case "grpc", "grpcs":
		return newGRPC(u, o)
	}
	return nil, fmt.Errorf("the server's URL starts with %q, not with http, https, grpc or grpcs", u.Scheme)
}

// isLoopback reports whether all of the hosts, which may have ports, are this machine.
func isLoopback(hosts string) bool {
	for _, host := range strings.Split(hosts, ",") {
		name := (&url.URL{Host: host}).Hostname()
		if address, err := netip.ParseAddr(name); err == nil && address.IsLoopback() || name == "localhost" {
			continue
		}
		return false
	}
	return true
}

func (o Options) tlsConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.RootCAs}
	if o.Certificate != nil {
		// tls.Config.Certificates would show none where the gateway names other authorities, and the caller be taken for
		// one without a credential.
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.Certificate, nil }
	}
	return c
}

// retrying repeats what failed for now over HTTP: an unreachable gateway, 429 and 503.
type retrying struct {
	Client
	retries gatewayclient.Retries
}

func (r *retrying) Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error) {
	return gatewayclient.Do(ctx, r.retries, func(ctx context.Context, progress func()) (*pb.SubmitResponse, error) {
		return r.Client.Submit(ctx, noteReads(s, progress))
	})
}

func (r *retrying) Get(ctx context.Context, id string) (*pb.Submission, error) {
	return gatewayclient.Do(ctx, r.retries, func(ctx context.Context, _ func()) (*pb.Submission, error) {
		s, err := r.Client.Get(ctx, id)
		if err != nil {
			return nil, err
		}
		return s, gatewayclient.CheckSubmission(s, id)
	})
}

func (r *retrying) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	return gatewayclient.Do(ctx, r.retries, func(ctx context.Context, _ func()) (*pb.Plan, error) { return r.Client.Plan(ctx, h) })
}

func (r *retrying) List(ctx context.Context, q *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	return gatewayclient.Do(ctx, r.retries, func(ctx context.Context, _ func()) (*pb.ListSubmissionsResponse, error) { return r.Client.List(ctx, q) })
}

func (r *retrying) ListAudit(ctx context.Context, q *pb.ListAuditRequest) (*pb.ListAuditResponse, error) {
	return gatewayclient.Do(ctx, r.retries, func(ctx context.Context, _ func()) (*pb.ListAuditResponse, error) { return r.Client.ListAudit(ctx, q) })
}

func (r *retrying) TrustFiles(ctx context.Context) (TrustFiles, error) {
	return gatewayclient.Do(ctx, r.retries, func(ctx context.Context, _ func()) (TrustFiles, error) { return r.Client.TrustFiles(ctx) })
}

// IsSettled reports whether nothing more becomes of s by itself.
func IsSettled(s *pb.Submission) bool { return gateway.State(s.GetState().String()).Settled() }

// TokenError says that there is no token in its file now.
type TokenError struct{ Err error }

func (e *TokenError) Error() string { return e.Err.Error() }

// Unwrap returns what is wrong with the file.
func (e *TokenError) Unwrap() error { return e.Err }
