// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// GRPCConfig bounds and guards the gRPC service.
type GRPCConfig struct {
	MaxArtifact int64 // bytes of one artifact
	Calls       upload.CallConfig
	// CountItem counts a submission of a batch against the caller's rate limit, and returns the refusal; nil:
	// there is no limit.
	CountItem func(context.Context) error
	// Refused is told why a submission of a batch was refused, which the call's status does not say; nil: it is not.
	Refused func(formats.Reason)
	// RekorV2 has Rekor v2's own service; nil: there is none.
	RekorV2 *rekorcompat.V2
	// Batches is shared with HTTP; nil: there are none over HTTP.
	Batches *Batches
	Logger  *slog.Logger
}

// grpcServer is the gRPC service over the domain's.
type grpcServer struct {
	pb.UnimplementedGatewayServiceServer
	service Service
	cfg     GRPCConfig
	answers *builder
	storing turns
}

// RegisterGRPC adds the service to s.
func RegisterGRPC(s *grpc.Server, service Service, cfg GRPCConfig) {
	if cfg.Refused == nil {
		cfg.Refused = func(formats.Reason) {}
	}
	if cfg.Batches == nil {
		cfg.Batches = new(Batches)
	}
	bound := upload.Registrar{Server: s, Config: cfg.Calls}
	pb.RegisterGatewayServiceServer(bound, &grpcServer{service: service, cfg: cfg, answers: newBuilder(), storing: newTurns(upload.MaxSubmitStoring)})
	if cfg.RekorV2 != nil {
		cfg.RekorV2.RegisterGRPC(bound)
	}
}

// tenantOf is whose submissions a call is about.
func tenantOf(ctx context.Context) string { return gateway.CallerFrom(ctx).Tenant }

// writeError returns err as a status, and tells the operator what callers are not told.
func (g *grpcServer) writeError(ctx context.Context, err error) error {
	p := problem.FromError(err)
	p.LogCause(ctx, g.cfg.Logger, err)
	return p.GRPCError()
}

func (g *grpcServer) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	ctx := stream.Context()
	answer, err := g.submitCall(ctx, upload.NewStream(upload.CallFrom(ctx), g.cfg.MaxArtifact))
	if err != nil {
		return g.writeError(ctx, err)
	}
	return stream.SendAndClose(answer)
}

func (g *grpcServer) submitCall(ctx context.Context, stream *upload.Stream) (*pb.SubmitResponse, error) {
	sub, asked, err := g.submitApart(ctx, stream)
	if err != nil {
		return nil, err
	}
	if err := AwaitLog(ctx, g.service, sub, asked.wait); err != nil {
		return nil, err
	}
	return g.answerSubmit(ctx, sub, asked.omitJSON)
}

func (g *grpcServer) answerSubmit(ctx context.Context, sub *gateway.Submission, omitJSON bool) (*pb.SubmitResponse, error) {
	return buildMessage(ctx, g.answers, func() (*pb.SubmitResponse, error) {
		converted, err := convertForGRPC(ctx, g.service, *sub, omitJSON)
		if err != nil {
			return nil, err
		}
		return &pb.SubmitResponse{Submission: converted, Created: !sub.Existing}, nil
	})
}

// started is what a stream's start asks of its answer.
type started struct {
	wait     time.Duration
	omitJSON bool
}

// submitApart takes in what a stream holds. What parses, verifies and stores takes a large stack, which the call's goroutine would keep while it waits for its
// turn and for the log: of thousands that wait, these are most of the memory. Nothing of the stream is held when it returns.
func (g *grpcServer) submitApart(ctx context.Context, stream *upload.Stream) (*gateway.Submission, started, error) {
	ctx = formats.EnsureWork(ctx) // one account for the signature with and without the artifact
	b := begun{stream: stream}
	defer b.close()
	if err := g.apart(ctx, func() error { return b.begin(ctx, g.service) }); err != nil {
		return nil, started{}, err
	}
	if b.artifact.IsZero() { // who sends one takes his time
		turn, err := g.storing.take(ctx)
		if err != nil {
			return nil, started{}, err
		}
		defer turn.end()
	}
	sub := new(gateway.Submission)
	err := g.apart(ctx, func() (err error) {
		*sub, err = b.draft.Submit(ctx, b.artifact)
		return err
	})
	return sub, b.asked, err
}

// apart does work in a goroutine of its own, and lasts as long.
func (g *grpcServer) apart(ctx context.Context, work func() error) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer g.cfg.Calls.Panics.Recover("Submit", &err, "request", gateway.RequestID(ctx))
		err = work()
	}()
	<-done
	return err
}

// begun is what a stream holds before it is verified.
type begun struct {
	stream   *upload.Stream
	held     *gateway.Held // the start
	asked    started
	draft    gateway.Draft
	artifact formats.Artifact
}

func (b *begun) close() {
	b.stream.Close()
	b.held.Close()
}

// begin reads the stream's start and, once that is not refused, what of an artifact follows.
func (b *begun) begin(ctx context.Context, s Service) error {
	start, held, err := b.stream.ReadStart()
	if err != nil {
		return err
	}
	b.held = held
	b.asked = started{wait: DefaultWait, omitJSON: start.GetOmitReceiptJson()}
	if start.GetWait() != nil {
		b.asked.wait = start.GetWait().AsDuration()
	}
	if !isWait(b.asked.wait) {
		return problem.Malformed(fmt.Sprintf("the wait is not between 0 and %.0f s", MaxWait.Seconds()),
			fmt.Sprintf("leave it out for %.0f s", DefaultWait.Seconds()))
	}
	if b.draft, err = beginHeader(ctx, s, readHeader(start.GetHeader())); err != nil {
		return err
	}
	b.artifact, err = b.stream.ReadArtifact()
	return err
}

func (g *grpcServer) Plan(ctx context.Context, r *pb.PlanRequest) (*pb.PlanResponse, error) {
	plan, err := planHeader(ctx, g.service, readHeader(r.GetHeader()))
	if err != nil {
		return nil, g.writeError(ctx, err)
	}
	return &pb.PlanResponse{Plan: plan}, nil
}

func (g *grpcServer) GetSubmission(ctx context.Context, r *pb.GetSubmissionRequest) (*pb.GetSubmissionResponse, error) {
	sub, err := g.service.Get(ctx, tenantOf(ctx), r.GetId())
	if err != nil {
		return nil, g.writeError(ctx, err)
	}
	out, err := buildMessage(ctx, g.answers, func() (*pb.Submission, error) { return convertForGRPC(ctx, g.service, sub, r.GetOmitReceiptJson()) })
	if err != nil {
		return nil, g.writeError(ctx, err)
	}
	return &pb.GetSubmissionResponse{Submission: out}, nil
}

func (g *grpcServer) ListSubmissions(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	out, err := buildMessage(ctx, g.answers, func() (*pb.ListSubmissionsResponse, error) { return listSubmissions(ctx, g.service, r) })
	if err != nil {
		return nil, g.writeError(ctx, err)
	}
	return out, nil
}

func listSubmissions(ctx context.Context, s Service, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	params, err := parseListParams(r)
	if err != nil {
		return nil, err
	}
	subs, next, err := s.List(ctx, tenantOf(ctx), params)
	if err != nil {
		return nil, err
	}
	out := &pb.ListSubmissionsResponse{NextPageToken: next}
	for _, sub := range subs {
		converted, err := convertSubmission(ctx, s, sub, false)
		if err != nil {
			return nil, err
		}
		out.Submissions = append(out.Submissions, converted)
	}
	return out, nil
}

func (g *grpcServer) WatchSubmission(r *pb.WatchSubmissionRequest, stream grpc.ServerStreamingServer[pb.WatchSubmissionResponse]) error {
	ctx := stream.Context()
	err := g.service.Watch(ctx, tenantOf(ctx), r.GetId(), func(sub gateway.Submission) error {
		held := gateway.HeldFrom(ctx).Part() // of this answer: there is no saying how many come
		defer held.Close()
		ctx := gateway.WithHeld(ctx, held)
		out, err := buildMessage(ctx, g.answers, func() (*pb.Submission, error) { return convertForGRPC(ctx, g.service, sub, r.GetOmitReceiptJson()) })
		if err != nil {
			return err
		}
		return stream.Send(&pb.WatchSubmissionResponse{Submission: out})
	})
	if err != nil {
		return g.writeError(ctx, err)
	}
	return nil
}

func (g *grpcServer) ListFormats(context.Context, *pb.ListFormatsRequest) (*pb.ListFormatsResponse, error) {
	return listFormats(g.service.Formats()), nil
}

func listFormats(r *formats.Registry) *pb.ListFormatsResponse {
	out := &pb.ListFormatsResponse{}
	for _, name := range r.Names() {
		out.Formats = append(out.Formats, &pb.Format{Name: name})
	}
	return out
}
