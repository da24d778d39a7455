// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// chunk is how much of an artifact goes into one message, in bytes.
const chunk = 256 << 10

type grpcClient struct {
	conn   *grpc.ClientConn
	remote pb.GatewayServiceClient
}

func newGRPC(u *url.URL, o Options) (*grpcClient, error) {
	if u.Path != "" && u.Path != "/" {
		return nil, fmt.Errorf("the gRPC URL %q has a path", u)
	}
	secure := insecure.NewCredentials()
	if u.Scheme == "grpcs" {
		secure = credentials.NewTLS(o.tlsConfig())
	}
	dial := []grpc.DialOption{grpc.WithTransportCredentials(secure), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer))}
	if o.Token != "" {
		dial = append(dial, grpc.WithPerRPCCredentials(bearer{o.Token, u.Scheme == "grpcs"}))
	}
	conn, err := grpc.NewClient("dns:///"+u.Host, dial...)
	if err != nil {
		return nil, fmt.Errorf("making gRPC client: %w", err)
	}
	return &grpcClient{conn: conn, remote: pb.NewGatewayServiceClient(conn)}, nil
}

// bearer sends a token with each call.
type bearer struct {
	token  string
	secure bool
}

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. New lets a token go without only
// on this machine.
func (b bearer) RequireTransportSecurity() bool { return b.secure }

func (c *grpcClient) Close() error { return c.conn.Close() }

func (c *grpcClient) Submit(ctx context.Context, s Submission) (*pb.SubmitResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream when the artifact cannot be read
	stream, err := c.remote.Submit(ctx)
	if err != nil {
		return nil, fromStatus(err)
	}
	err = stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Start{
		Start: &pb.SubmitStart{Header: s.Header, Wait: durationpb.New(s.Wait)},
	}})
	if err == nil && s.Artifact != nil {
		err = sendArtifact(stream, s.Artifact)
	}
	if err != nil && !errors.Is(err, io.EOF) { // EOF: the gateway has answered already
		return nil, err
	}
	answer, err := stream.CloseAndRecv()
	if err != nil {
		return nil, fromStatus(err)
	}
	return answer, checkWhole(answer.GetSubmission() != nil)
}

func sendArtifact(stream grpc.ClientStreamingClient[pb.SubmitRequest, pb.SubmitResponse], open func() (io.ReadCloser, error)) error {
	artifact, err := open()
	if err != nil {
		return err
	}
	defer artifact.Close() //nolint:errcheck // only read
	buf := make([]byte, chunk)
	for first := true; ; first = false {
		n, err := io.ReadFull(artifact, buf)
		if n > 0 || first { // an empty artifact is one empty chunk, not none
			if serr := stream.Send(&pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: buf[:n]}}); serr != nil {
				return serr
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the artifact: %w", err)
		}
	}
}

func (c *grpcClient) Get(ctx context.Context, id string) (*pb.Submission, error) {
	answer, err := c.remote.GetSubmission(ctx, &pb.GetSubmissionRequest{Id: id})
	if err != nil {
		return nil, fromStatus(err)
	}
	return answer.GetSubmission(), checkWhole(answer.GetSubmission() != nil)
}

func (c *grpcClient) Plan(ctx context.Context, h *pb.SubmissionHeader) (*pb.Plan, error) {
	answer, err := c.remote.Plan(ctx, &pb.PlanRequest{Header: h})
	if err != nil {
		return nil, fromStatus(err)
	}
	return answer.GetPlan(), checkWhole(answer.GetPlan() != nil)
}

func (c *grpcClient) List(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	page, err := c.remote.ListSubmissions(ctx, r)
	if err != nil {
		return nil, fromStatus(err)
	}
	return page, nil
}

// TrustFiles returns ErrNoTrustFiles: they are files, and have no call.
func (c *grpcClient) TrustFiles(context.Context) (TrustFiles, error) {
	return TrustFiles{}, fmt.Errorf("%w over gRPC", ErrNoTrustFiles)
}

var errIncomplete = errors.New("the answer is empty; is this a rekor-gateway?")

// checkWhole returns an error for an answer without what was asked for, which nobody has to expect then.
func checkWhole(whole bool) error {
	if !whole {
		return errIncomplete
	}
	return nil
}

// fromStatus turns a gRPC status with the gateway's details into an *Error.
func fromStatus(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	e := &Error{Message: s.Message()}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			e.Reason, e.Hint = d.GetReason(), d.GetMetadata()["hint"]
		case *errdetails.RetryInfo:
			e.RetryAfter = d.GetRetryDelay().AsDuration()
		}
	}
	if e.Reason == "" {
		if s.Code() == codes.Unavailable {
			return fmt.Errorf("%w: %s", ErrConnection, s.Message())
		}
		e.Reason = "GRPC_" + s.Code().String()
		if s.Code() == codes.Unimplemented || s.Code() == codes.Unknown {
			e.Hint = "check that this is the address of a rekor-gateway"
		}
	}
	e.Temporary = s.Code() == codes.Unavailable
	return e
}
