// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// How long a submission is waited for.
const (
	DefaultWait = 30 * time.Second
	MaxWait     = 60 * time.Second
)

// idleTimeout is how long a client may send nothing of what it still has to.
const idleTimeout = time.Minute

// grpcServer is the gRPC service over the domain's.
type grpcServer struct {
	pb.UnimplementedGatewayServiceServer
	service     Service
	logger      *slog.Logger
	maxArtifact int64
	idle        time.Duration // between two messages of a Submit stream
}

// RegisterGRPC adds the service to s. Artifacts are at most maxArtifact bytes.
func RegisterGRPC(s *grpc.Server, service Service, maxArtifact int64, logger *slog.Logger) {
	pb.RegisterGatewayServiceServer(s, &grpcServer{service: service, logger: logger, maxArtifact: maxArtifact, idle: idleTimeout})
}

// tenant is whose submissions a call is about.
func tenant(ctx context.Context) string { return gateway.CallerFrom(ctx).Tenant }

func (g *grpcServer) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	answer, err := g.submit(submitStream{stream, g.idle})
	if err != nil {
		return g.grpcError(err)
	}
	return stream.SendAndClose(answer)
}

func (g *grpcServer) submit(stream submitStream) (*pb.SubmitResponse, error) {
	first, err := stream.Recv()
	if errors.Is(err, io.EOF) {
		return nil, malformed("the stream is empty", "send a start message first")
	}
	if err != nil {
		return nil, err
	}
	start := first.GetStart()
	if start == nil {
		return nil, malformed("the first message is no start message", "send the header first, then the artifact's chunks")
	}
	wait := DefaultWait
	if start.GetWait() != nil {
		wait = start.GetWait().AsDuration()
	}
	if wait < 0 || wait > MaxWait {
		return nil, malformed("the wait is not between 0 and 60 s", "leave it out for 30 s")
	}
	chunks := &chunkReader{stream: stream, left: g.maxArtifact}
	return submit(stream.Context(), g.service, headerOf(start.GetHeader()), wait, chunks.artifact)
}

// submit is the way every unary submission takes. artifact is called once the header has
// been accepted.
func submit(ctx context.Context, s Service, h header, wait time.Duration, artifact func() (formats.Artifact, error)) (*pb.SubmitResponse, error) {
	request, err := h.request(tenant(ctx))
	if err != nil {
		return nil, err
	}
	stored, err := s.Submit(ctx, request, artifact)
	if err != nil {
		return nil, err
	}
	return answer(ctx, s, stored, wait)
}

// answer waits for the log, for at most wait. That it did not come in time is no error.
func answer(ctx context.Context, s Service, stored gateway.Submission, wait time.Duration) (*pb.SubmitResponse, error) {
	settled := stored
	if wait > 0 && !stored.State.Settled() {
		waiting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		var err error
		if settled, err = s.Wait(waiting, stored.Tenant, stored.ID); err != nil {
			return nil, err
		}
	}
	sub, err := submission(s, settled, true)
	if err != nil {
		return nil, err
	}
	return &pb.SubmitResponse{Submission: sub, Created: !stored.Existing}, nil
}

func (g *grpcServer) Plan(_ context.Context, r *pb.PlanRequest) (*pb.PlanResponse, error) {
	plan, err := planFor(g.service, headerOf(r.GetHeader()))
	if err != nil {
		return nil, g.grpcError(err)
	}
	return &pb.PlanResponse{Plan: plan}, nil
}

// planFor returns the plan also when nothing is possible; the options say why.
func planFor(s Service, h header) (*pb.Plan, error) {
	request, err := h.request("")
	if err != nil {
		return nil, err
	}
	plan, err := s.Plan(request)
	if err != nil && len(plan.Options) == 0 {
		return nil, err
	}
	return Plan(plan), nil
}

func (g *grpcServer) GetSubmission(ctx context.Context, r *pb.GetSubmissionRequest) (*pb.GetSubmissionResponse, error) {
	sub, err := g.service.Get(ctx, tenant(ctx), r.GetId())
	if err != nil {
		return nil, g.grpcError(err)
	}
	out, err := submission(g.service, sub, true)
	if err != nil {
		return nil, g.grpcError(err)
	}
	return &pb.GetSubmissionResponse{Submission: out}, nil
}

func (g *grpcServer) ListSubmissions(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	out, err := list(ctx, g.service, r)
	if err != nil {
		return nil, g.grpcError(err)
	}
	return out, nil
}

func list(ctx context.Context, s Service, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	params, err := listParams(r)
	if err != nil {
		return nil, err
	}
	subs, next, err := s.List(ctx, tenant(ctx), params)
	if err != nil {
		return nil, err
	}
	out := &pb.ListSubmissionsResponse{NextPageToken: next}
	for _, sub := range subs {
		converted, err := submission(s, sub, false)
		if err != nil {
			return nil, err
		}
		out.Submissions = append(out.Submissions, converted)
	}
	return out, nil
}

func (g *grpcServer) WatchSubmission(r *pb.WatchSubmissionRequest, stream grpc.ServerStreamingServer[pb.WatchSubmissionResponse]) error {
	ctx := stream.Context()
	err := g.service.Watch(ctx, tenant(ctx), r.GetId(), func(sub gateway.Submission) error {
		out, err := submission(g.service, sub, true)
		if err != nil {
			return err
		}
		return stream.Send(&pb.WatchSubmissionResponse{Submission: out})
	})
	if err != nil {
		return g.grpcError(err)
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
