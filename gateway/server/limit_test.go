// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

func TestGRPCLimit(t *testing.T) {
	limiter, err := newLimiter(config.Limits{RequestsPerMinute: 60, RequestBurst: 1})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{limiter: limiter}
	ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}})
	call := func(method string) error {
		return s.limitStream(nil, contextStream{ctx: ctx}, &grpc.StreamServerInfo{FullMethod: method}, func(any, grpc.ServerStream) error { return nil })
	}
	const method = "/rekorgateway.v1.GatewayService/ListFormats"
	if err := call(method); err != nil {
		t.Fatal(err)
	}
	if err := call(method); status.Code(err) != codes.ResourceExhausted || problem.GRPCReason(err) != "RATE_LIMITED" || len(status.Convert(err).Details()) != 2 {
		t.Errorf("past the burst: %v", err)
	}
	if err := call("/grpc.health.v1.Health/Check"); err != nil {
		t.Errorf("a probe: %v", err)
	}
	if none, err := newLimiter(config.Limits{RequestBurst: 1}); none != nil || err != nil {
		t.Errorf("without a limit: %v, %v", none, err)
	}
}
