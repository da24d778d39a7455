// SPDX-License-Identifier: Apache-2.0

package api

import (
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// BenchmarkGRPCUpload streams 64 MiB in chunks of 256 KiB, as the command line does. That it is another file changes nothing
// in cost.
func BenchmarkGRPCUpload(b *testing.B) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer(grpc.StaticStreamWindowSize(upload.CallWindow), grpc.StaticConnWindowSize(upload.ConnectionWindow))
	RegisterGRPC(server, start(b, gatewaytest.NewLog()), GRPCConfig{MaxArtifact: 1 << 30, Logger: slog.New(slog.DiscardHandler)})
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	start, next := startMessage(headerMessage(gatewaytest.Signed(b, "hello"))), chunk(make([]byte, 256<<10))
	const chunks = 256
	b.SetBytes(chunks * 256 << 10)
	b.ReportAllocs()
	for b.Loop() {
		stream, err := pb.NewGatewayServiceClient(conn).Submit(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		_ = stream.Send(start)
		for range chunks {
			if err := stream.Send(next); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := stream.CloseAndRecv(); err == nil {
			b.Fatal("another file is taken")
		}
	}
}
