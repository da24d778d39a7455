// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/peer"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
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

// limitCall refuses calls of the API by callers who call too often. They are counted as
// middleware.LimitRate counts them, over HTTP and gRPC together.
func (s *Server) limitCall(ctx context.Context, method string) error {
	if s.limiter == nil || !strings.HasPrefix(method, "/"+pb.GatewayService_ServiceDesc.ServiceName+"/") {
		return nil
	}
	remote := ""
	if p, ok := peer.FromContext(ctx); ok {
		remote = p.Addr.String()
	}
	wait, err := s.limiter.Take(ctx, middleware.RateKey(gateway.CallerFrom(ctx), remote))
	if err != nil || wait == 0 {
		return nil
	}
	return problem.RateLimited(wait).GRPCError()
}

func (s *Server) limitUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := s.limitCall(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return handle(ctx, request)
}

func (s *Server) limitStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := s.limitCall(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	return handle(service, stream)
}
