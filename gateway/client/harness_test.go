// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const maxArtifact = 64 << 20

// startGateway runs a gateway with a log of its own until the test ends.
func startGateway(t testing.TB) (*gatewaytest.Gateway, *gatewaytest.Log) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{MaxPending: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	log := gatewaytest.NewLog()
	g := gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{log}, Store: store})
	g.Start(t)
	return g, log
}

// replica is a gRPC server of a gateway, or of a fake.
type replica struct {
	*grpc.Server
	address string
	calls   atomic.Int64 // of the gateway's service
	health  *health.Server

	mu          sync.Mutex
	connections []net.Conn
}

// serve starts a replica on a free port.
func serve(t testing.TB, service api.Service, options ...grpc.ServerOption) *replica {
	t.Helper()
	return serveWith(t, func(s *grpc.Server) {
		api.RegisterGRPC(s, service, api.GRPCConfig{MaxArtifact: maxArtifact, Logger: slog.New(slog.DiscardHandler)})
	}, options...)
}

// serveQuick starts a replica that ends silent streams after idle.
func serveQuick(t *testing.T, service api.Service, idle time.Duration) *replica {
	t.Helper()
	return serveWith(t, func(s *grpc.Server) {
		api.RegisterGRPC(s, service, api.GRPCConfig{
			MaxArtifact: maxArtifact, Logger: slog.New(slog.DiscardHandler), Calls: upload.CallConfig{Pace: upload.Pace{Idle: idle}},
		})
	})
}

// serveFake starts a replica of a fake.
func serveFake(t testing.TB, service pb.GatewayServiceServer, options ...grpc.ServerOption) *replica {
	t.Helper()
	return serveWith(t, func(s *grpc.Server) { pb.RegisterGatewayServiceServer(s, service) }, options...)
}

func serveWith(t testing.TB, register func(*grpc.Server), options ...grpc.ServerOption) *replica {
	t.Helper()
	r, err := startReplica(register, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Stop)
	return r
}

func startReplica(register func(*grpc.Server), options ...grpc.ServerOption) (*replica, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &replica{address: listener.Addr().String(), health: health.NewServer()}
	r.Server = grpc.NewServer(append(options, grpc.StreamInterceptor(r.countStream), grpc.UnaryInterceptor(r.countCall))...)
	register(r.Server)
	healthpb.RegisterHealthServer(r.Server, r.health)
	r.tellHealth(healthpb.HealthCheckResponse_SERVING)
	go func() { _ = r.Serve(&keptListener{listener, r}) }()
	return r, nil
}

func (r *replica) tellHealth(state healthpb.HealthCheckResponse_ServingStatus) {
	r.health.SetServingStatus(pb.GatewayService_ServiceDesc.ServiceName, state)
}

func (r *replica) countStream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if info.FullMethod != healthpb.Health_Watch_FullMethodName {
		r.calls.Add(1)
	}
	return handle(srv, stream)
}

func (r *replica) countCall(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	r.calls.Add(1)
	return handle(ctx, req)
}

// keptListener notes connections, so that they can be cut.
type keptListener struct {
	net.Listener
	replica *replica
}

func (l *keptListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.replica.mu.Lock()
		l.replica.connections = append(l.replica.connections, c)
		l.replica.mu.Unlock()
	}
	return c, err
}

// cut closes all connections, as a network does.
func (r *replica) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.connections {
		_ = c.Close()
	}
	r.connections = nil
}

// dial returns a client of the replicas, which is patient.
func dial(t testing.TB, replicas ...*replica) *client.Client {
	t.Helper()
	return dialWith(t, client.Config{Retries: client.Retries{Patience: time.Minute}}, replicas...)
}

func dialWith(t testing.TB, cfg client.Config, replicas ...*replica) *client.Client {
	t.Helper()
	for _, r := range replicas {
		cfg.Addresses = append(cfg.Addresses, r.address)
	}
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// signed returns a submission of text.
func signed(t testing.TB, text string) client.Submission {
	t.Helper()
	r := gatewaytest.Signed(t, text)
	return client.Submission{Header: &pb.SubmissionHeader{Signature: r.Signature, Keys: r.Keys, Format: r.Format}, Artifact: content([]byte(text)), Wait: time.Minute}
}

func content(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}
