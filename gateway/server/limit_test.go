// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/redistest"
)

// newLimitedServer has a rate limit, and nothing else.
func newLimitedServer(t *testing.T, c config.Limits) *Server {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{metrics: m, logger: slog.New(slog.DiscardHandler)}
	if err := s.openLimit(c); err != nil {
		t.Fatal(err)
	}
	if s.sharedLimiter != nil {
		t.Cleanup(func() { _ = s.sharedLimiter.Close() })
	}
	return s
}

// Gateways that count in one Redis hold callers to the limit together. While it is down, the operator's choice holds, and a
// metric says so.
func TestSharedLimit(t *testing.T) {
	server := redistest.NewServer(t)
	open := func(onFailure string) *Server {
		return newLimitedServer(t, config.Limits{RequestsPerMinute: 1, RequestBurst: 20, Redis: config.Redis{URL: server.URL(), OnFailure: onFailure}})
	}
	ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}})
	one, two := open(""), open(config.OnFailureRefuse)
	refusals := 0
	for range 20 {
		for _, s := range []*Server{one, two} {
			if s.countRequest(ctx) != nil {
				refusals++
			}
		}
	}
	if refusals < 20 {
		t.Errorf("%d of 40 requests are refused, where 20 are allowed to both gateways together", refusals)
	}
	server.Kill()
	if err := one.countRequest(ctx); err != nil {
		t.Errorf("allowed on failure: %v", err)
	}
	if err := two.countRequest(ctx); problem.FromError(err).Reason != problem.ReasonLimiterUnavailable {
		t.Errorf("refused on failure: %v", err)
	}
	for _, s := range []*Server{one, two} {
		if countDecisions(t, s)[limiterFailed] != 1 {
			t.Errorf("counted are %v", countDecisions(t, s))
		}
	}
}

// countDecisions returns how many there were of each kind.
func countDecisions(t *testing.T, s *Server) map[string]float64 {
	t.Helper()
	families, err := s.metrics.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "rekor_gateway_limiter_decisions_total" {
				counts[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
			}
		}
	}
	return counts
}

func TestGRPCLimit(t *testing.T) {
	s := newLimitedServer(t, config.Limits{RequestsPerMinute: 60, RequestBurst: 1})
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
	if none := newLimitedServer(t, config.Limits{RequestBurst: 1}); none.rateLimit != nil {
		t.Errorf("without a limit: %+v", none.rateLimit)
	}
}
