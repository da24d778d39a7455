// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Config says which gateway is called, and how.
type Config struct {
	// Addresses are the gateway's: HOST:PORT each, any of which can answer any call; or a single "dns:///HOST:PORT", whose
	// name is looked up again when a connection breaks. With several addresses, and with dns:///, calls go around to those
	// that are healthy by gRPC's health checks. A single HOST:PORT is called whatever its health is, since nobody else can answer.
	Addresses []string
	// TLS has the authorities that the gateway's certificate may be from, and the client's own certificate where the gateway
	// asks for one; nil: calls go in the clear. Each address has to have a certificate for its own HOST, or for ServerName where that is given.
	TLS *tls.Config
	// Credentials go with each call, a token for example; nil: none. Those that require it never go in the clear.
	Credentials credentials.PerRPCCredentials
	// Retries say how calls that failed for now are repeated. The zero value repeats none.
	Retries Retries
	// OmitReceiptJSON leaves ReceiptJson out of all answers, for programs that take the receipt as a message: making it costs the gateway something.
	OmitReceiptJSON bool
	// DialOptions come after the client's own, and so have precedence.
	DialOptions []grpc.DialOption
}

// MaxAnswer bounds an answer that a client takes, in bytes.
const MaxAnswer = 64 << 20

// maxSubmission bounds one with a submission where ReceiptJson is omitted, in bytes: a receipt has at most 16 MiB.
const maxSubmission = 17 << 20

// boundSubmission is for calls whose answers have one submission each.
func (c *Client) boundSubmission() grpc.CallOption {
	if c.omit {
		return grpc.MaxCallRecvMsgSize(maxSubmission)
	}
	return grpc.EmptyCallOption{}
}

// Client is a gateway. It is safe for concurrent use. Errors that the gateway gave are *Error; ErrConnection is returned where it
// cannot be reached.
type Client struct {
	conn    *grpc.ClientConn
	remote  pb.GatewayServiceClient
	retries Retries
	omit    bool // ReceiptJson
}

// New returns a client, which connects with its first call. The caller closes it.
func New(cfg Config) (*Client, error) {
	target, balancing, err := chooseTarget(cfg)
	if err != nil {
		return nil, err
	}
	options := append(connectOptions(cfg), balancing...)
	conn, err := grpc.NewClient(target, append(options, cfg.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("making gRPC client: %w", err)
	}
	return &Client{conn: conn, remote: pb.NewGatewayServiceClient(conn), retries: cfg.Retries, omit: cfg.OmitReceiptJSON}, nil
}

// Close ends all calls.
func (c *Client) Close() error { return c.conn.Close() }

// Get returns one of the caller's submissions, with its receipt once it is logged.
func (c *Client) Get(ctx context.Context, id string) (*pb.Submission, error) {
	return Do(ctx, c.retries, func(ctx context.Context, _ func()) (*pb.Submission, error) {
		answer, err := c.remote.GetSubmission(ctx, &pb.GetSubmissionRequest{Id: id, OmitReceiptJson: c.omit}, c.boundSubmission())
		if err != nil {
			return nil, convertStatus(ctx, err)
		}
		return answer.GetSubmission(), CheckSubmission(answer.GetSubmission(), id)
	})
}

// ListAudit returns a page of the audit trail of the caller's tenant, newest first.
func (c *Client) ListAudit(ctx context.Context, r *pb.ListAuditRequest) (*pb.ListAuditResponse, error) {
	return Do(ctx, c.retries, func(ctx context.Context, _ func()) (*pb.ListAuditResponse, error) {
		page, err := c.remote.ListAudit(ctx, r)
		if err != nil {
			return nil, convertStatus(ctx, err)
		}
		return page, nil
	})
}

// List returns a page of the caller's submissions, newest first, without their receipts.
func (c *Client) List(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	return Do(ctx, c.retries, func(ctx context.Context, _ func()) (*pb.ListSubmissionsResponse, error) {
		page, err := c.remote.ListSubmissions(ctx, r)
		if err != nil {
			return nil, convertStatus(ctx, err)
		}
		return page, nil
	})
}

// Plan says how a signature could be recorded. Nothing is stored.
func (c *Client) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	return Do(ctx, c.retries, func(ctx context.Context, _ func()) (*pb.Plan, error) {
		answer, err := c.remote.Plan(ctx, &pb.PlanRequest{Header: h})
		if err != nil {
			return nil, convertStatus(ctx, err)
		}
		return answer.GetPlan(), checkWhole(answer.GetPlan() != nil)
	})
}

// ErrIncomplete is returned for an answer without what was asked for, which no gateway gives.
var ErrIncomplete = errors.New("the answer is empty; is this a rekor-gateway?")

// checkWhole returns an error for an answer without what was asked for, which nobody has to expect then.
func checkWhole(whole bool) error {
	if !whole {
		return ErrIncomplete
	}
	return nil
}

// CheckAccepted returns ErrIncomplete for an answer to a submission without a name to ask for it by.
func CheckAccepted(s *pb.Submission) error { return checkWhole(s.GetId() != "") }

// CheckSubmission returns an error for an answer that is not about the submission id, or says nothing of its state.
func CheckSubmission(s *pb.Submission, id string) error {
	if err := CheckAccepted(s); err != nil {
		return err
	}
	if !strings.EqualFold(s.GetId(), id) || s.GetState() == pb.Submission_STATE_UNSPECIFIED {
		return fmt.Errorf("asking for submission %s: the answer is about another one, or says nothing of its state", id)
	}
	return nil
}

// IsSettled reports whether nothing of a submission changes any more, unless it is sent again.
func IsSettled(s *pb.Submission) bool {
	return s.GetState() == pb.Submission_LOGGED || s.GetState() == pb.Submission_FAILED
}

// How a connection is kept alive. A gateway cuts off whoever pings more often than every 10 s.
const (
	pingAfter   = 30 * time.Second // of silence, while a call is under way
	pingTimeout = 20 * time.Second // for the answer
)
