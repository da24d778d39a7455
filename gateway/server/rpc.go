// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Bounds on gRPC connections. Those of calls and messages are api/upload's.
const (
	minPing     = 10 * time.Second // clients that ping more often are cut off
	idlePing    = 2 * time.Minute  // a silent connection is asked whether it lives
	pingTimeout = 20 * time.Second // for the answer to that
	idleCalls   = 5 * time.Minute  // without a call, before a connection is closed
	bufferSize  = 16 << 10         // bytes, of a connection's reads

	// streamWorkers serve one call after the other: a goroutine for each call would have to grow its stack each time.
	// While all of them are at work, calls have one of their own.
	streamWorkers = 256
)

func (s *Server) newGRPC(cfg *config.Config, m *metrics) *grpc.Server {
	options := []grpc.ServerOption{
		grpc.MaxConcurrentStreams(upload.MaxStreams),
		grpc.MaxHeaderListSize(upload.MaxMetadata),
		// Fixed windows: grpc-go would let fast clients send megabytes of each call before anything is read.
		grpc.StaticStreamWindowSize(upload.CallWindow),
		grpc.StaticConnWindowSize(upload.ConnectionWindow),
		upload.AnswerCodec(),
		grpc.ReadBufferSize(bufferSize),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ConnectionTimeout(readHeaderTimeout),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: idleCalls, Time: idlePing, Timeout: pingTimeout}),
		// From the outermost, as in Server.chainHandlers; Host and Origin are about browsers, which speak no
		// gRPC. Every call is a stream: see upload.BoundService.
		grpc.ChainStreamInterceptor(s.logStream(m), s.identifyStream, s.limitStream, s.admitStream),
	}
	if secure := s.certificates.grpc.config(); secure != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(secure)))
	}
	server := grpc.NewServer(options...)
	calls := upload.CallConfig{Pace: upload.Pace{MinRate: int64(cfg.Limits.MinUploadRate)}, MaxTime: cfg.Limits.MaxRequestTime, Panics: s.panics}
	api.RegisterGRPC(server, s.service, api.GRPCConfig{
		MaxArtifact: int64(cfg.Limits.MaxArtifactBytes), Calls: calls, CountItem: s.countRequest, Refused: m.requests.countRefusal, Batches: &s.batches, RekorV2: s.rekorV2, Logger: s.logger,
	})
	s.health = health.NewServer()
	s.tellHealth(healthpb.HealthCheckResponse_NOT_SERVING) // until readiness is known
	bound := upload.Registrar{Server: server, Config: calls}
	healthpb.RegisterHealthServer(bound, s.health)
	reflection.Register(bound)
	return server
}

// requestIDKey is X-Request-Id in gRPC's metadata.
const requestIDKey = "x-request-id"

func (s *Server) logStream(m *metrics) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) (err error) {
		id := gateway.NewRequestID(firstOf(metadata.ValueFromIncomingContext(stream.Context(), requestIDKey)))
		started := time.Now()
		ctx := gateway.WithRequestNote(gateway.WithRequestID(stream.Context(), id), new(gateway.RequestNote))
		ctx = s.withRemote(ctx)
		gateway.NoteFrom(ctx).NoteAddress(remoteOf(ctx))
		ctx, end := s.startCall(ctx, info.FullMethod)
		defer end()
		defer func() {
			if rekorcompat.IsCall(info.FullMethod) {
				err = problem.WithWordsInMessage(err)
			}
			err = problem.WithRequestID(err, id)
			s.logCall(ctx, m, info.FullMethod, started, err)
		}()
		defer s.recoverCall(id, &err)
		_ = stream.SetHeader(metadata.Pairs(requestIDKey, id)) // fails only once a header was sent
		return handle(service, contextStream{stream, ctx})
	}
}

func firstOf(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// recoverCall is deferred by every call: it turns a panic into INTERNAL.
func (s *Server) recoverCall(id string, err *error) {
	if p := recover(); p != nil {
		s.panics.Report(p, "gRPC", "request", id)
		*err = problem.Internal().GRPCError()
	}
}

// logCall counts a call and logs a line of it.
func (s *Server) logCall(ctx context.Context, m *metrics, method string, started time.Time, err error) {
	took, code, reason := time.Since(started), status.Code(err), problem.GRPCReason(err)
	m.requests.countCall(method, code, reason, took)
	s.describeCall(ctx, method, code, reason)
	s.access.LogCall(ctx, method, code.String(), reason, took, remoteOf(ctx))
}

func (s *Server) tellHealth(state healthpb.HealthCheckResponse_ServingStatus) {
	s.health.SetServingStatus("", state)
	s.health.SetServingStatus(pb.GatewayService_ServiceDesc.ServiceName, state)
	if s.rekorV2 != nil {
		s.health.SetServingStatus(rekorcompat.ServiceName, state)
	}
}

// followReadiness tells gRPC health checks what /readyz says, until ctx ends.
func (s *Server) followReadiness(ctx context.Context) {
	for {
		state := healthpb.HealthCheckResponse_SERVING
		if err := s.readyInTime(ctx); err != nil {
			state = healthpb.HealthCheckResponse_NOT_SERVING
		}
		s.tellHealth(state)
		s.metrics.ready.Set(flag(state == healthpb.HealthCheckResponse_SERVING))
		select {
		case <-ctx.Done():
			return
		case <-time.After(readyTimeout):
		}
	}
}
