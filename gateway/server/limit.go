// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/web"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// newLimiter returns nil when there is no limit.
func newLimiter(c config.Limits) (ratelimit.Limiter, error) {
	if c.RequestsPerMinute == 0 {
		return nil, nil //nolint:nilnil // documented
	}
	return ratelimit.NewMemory(c.RequestsPerMinute, c.RequestBurst)
}

// limit refuses calls of the API by callers who call too often.
func (s *Server) limit(ctx context.Context, method string) error {
	if s.limiter == nil || !strings.HasPrefix(method, "/"+pb.GatewayService_ServiceDesc.ServiceName+"/") {
		return nil
	}
	caller := ""
	if p, ok := peer.FromContext(ctx); ok {
		caller = web.Caller(p.Addr.String())
	}
	wait, err := s.limiter.Take(ctx, caller)
	if err != nil || wait == 0 {
		return nil
	}
	refusal, err := status.New(codes.ResourceExhausted, "there are too many calls from this address").WithDetails(
		&errdetails.ErrorInfo{Reason: "RATE_LIMITED", Domain: "rekor-gateway", Metadata: map[string]string{"hint": "wait as long as RetryInfo says"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
	if err != nil {
		return err
	}
	return refusal.Err()
}

func (s *Server) limitUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := s.limit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func (s *Server) limitStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := s.limit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(service, stream)
}
