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
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

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
	pb.RegisterGatewayServiceServer(s, &grpcServer{service: service, logger: logger, maxArtifact: maxArtifact, idle: upload.IdleTimeout})
}

// tenantOf is whose submissions a call is about.
func tenantOf(ctx context.Context) string { return gateway.CallerFrom(ctx).Tenant }

// writeError returns err as a status, and tells the operator what callers are not told.
func (g *grpcServer) writeError(err error) error {
	p := problem.FromError(err)
	p.LogCause(g.logger, err)
	return p.GRPCError()
}

func (g *grpcServer) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	answer, err := g.submitStream(stream.Context(), upload.NewStream(stream, g.maxArtifact, g.idle))
	if err != nil {
		return g.writeError(err)
	}
	return stream.SendAndClose(answer)
}

func (g *grpcServer) submitStream(ctx context.Context, stream *upload.Stream) (*pb.SubmitResponse, error) {
	start, err := stream.ReadStart()
	if err != nil {
		return nil, err
	}
	wait := DefaultWait
	if start.GetWait() != nil {
		wait = start.GetWait().AsDuration()
	}
	if !isWait(wait) {
		return nil, problem.Malformed(fmt.Sprintf("the wait is not between 0 and %.0f s", MaxWait.Seconds()),
			fmt.Sprintf("leave it out for %.0f s", DefaultWait.Seconds()))
	}
	return submitOne(ctx, g.service, readHeader(start.GetHeader()), wait, stream.ReadArtifact)
}

func (g *grpcServer) Plan(ctx context.Context, r *pb.PlanRequest) (*pb.PlanResponse, error) {
	plan, err := planHeader(ctx, g.service, readHeader(r.GetHeader()))
	if err != nil {
		return nil, g.writeError(err)
	}
	return &pb.PlanResponse{Plan: plan}, nil
}

func (g *grpcServer) GetSubmission(ctx context.Context, r *pb.GetSubmissionRequest) (*pb.GetSubmissionResponse, error) {
	sub, err := g.service.Get(ctx, tenantOf(ctx), r.GetId())
	if err != nil {
		return nil, g.writeError(err)
	}
	out, err := convertSubmission(ctx, g.service, sub, true)
	if err != nil {
		return nil, g.writeError(err)
	}
	return &pb.GetSubmissionResponse{Submission: out}, nil
}

func (g *grpcServer) ListSubmissions(ctx context.Context, r *pb.ListSubmissionsRequest) (*pb.ListSubmissionsResponse, error) {
	out, err := listSubmissions(ctx, g.service, r)
	if err != nil {
		return nil, g.writeError(err)
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
		out, err := convertSubmission(ctx, g.service, sub, true)
		if err != nil {
			return err
		}
		return stream.Send(&pb.WatchSubmissionResponse{Submission: out})
	})
	if err != nil {
		return g.writeError(err)
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
