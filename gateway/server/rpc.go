// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Bounds on gRPC connections. Those of calls and messages are api/upload's.
const (
	minPing  = 10 * time.Second // clients that ping more often are cut off
	idlePing = 2 * time.Minute  // a silent connection is asked whether it lives
)

func (s *Server) newGRPC(cfg *config.Config, m *metrics) (*grpc.Server, error) {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(upload.MaxMessage),
		grpc.MaxConcurrentStreams(upload.MaxStreams),
		grpc.MaxHeaderListSize(upload.MaxMetadata),
		grpc.ConnectionTimeout(readHeaderTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: time.Hour, Time: idlePing}),
		// From the outermost, as in Server.chainHandlers; Host and Origin are about browsers, which speak no gRPC.
		grpc.ChainUnaryInterceptor(s.logUnary(m), identifyUnary, s.limitUnary),
		grpc.ChainStreamInterceptor(s.logStream(m), identifyStream, s.limitStream),
	}
	secure, err := loadCertificate("grpc.tls", cfg.GRPC.TLS)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	server := grpc.NewServer(options...)
	api.RegisterGRPC(server, s.domain, cfg.Limits.MaxArtifactBytes, s.logger)
	s.health = health.NewServer()
	healthpb.RegisterHealthServer(server, s.health)
	reflection.Register(server)
	return server, nil
}

func (s *Server) logUnary(m *metrics) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (answer any, err error) {
		defer s.logCall(m, info.FullMethod, time.Now(), &err)
		return handle(ctx, request)
	}
}

func (s *Server) logStream(m *metrics) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		defer s.logCall(m, info.FullMethod, time.Now(), &err)
		return handle(service, stream)
	}
}

// logCall is deferred by every call: it turns a panic into INTERNAL, counts the call and logs
// a line of it.
func (s *Server) logCall(m *metrics, method string, started time.Time, err *error) {
	if p := recover(); p != nil {
		s.logger.Error("panic in a call", "method", method, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = problem.Internal().GRPCError()
	}
	d := time.Since(started)
	m.countCall(method, status.Code(*err), d)
	s.logger.LogAttrs(context.Background(), slog.LevelInfo, "call", slog.String("method", method),
		slog.String("code", status.Code(*err).String()), slog.Duration("duration", d.Round(time.Microsecond)),
		slog.String("reason", problem.GRPCReason(*err)))
}

// followReadiness tells gRPC health checks what /readyz says, until ctx ends.
func (s *Server) followReadiness(ctx context.Context) {
	for {
		state := healthpb.HealthCheckResponse_SERVING
		if err := s.readyInTime(ctx); err != nil {
			state = healthpb.HealthCheckResponse_NOT_SERVING
		}
		s.health.SetServingStatus("", state)
		s.health.SetServingStatus(pb.GatewayService_ServiceDesc.ServiceName, state)
		select {
		case <-ctx.Done():
			return
		case <-time.After(readyTimeout):
		}
	}
}
