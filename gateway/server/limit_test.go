// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
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
	// On a machine that has much to do Redis may answer too late at times.
	for deadline := time.Now().Add(time.Minute); countDecisions(t, one)[limiterRefused] < 5 || countDecisions(t, two)[limiterRefused] < 5; {
		_, _ = one.countRequest(ctx), two.countRequest(ctx)
		if time.Now().After(deadline) {
			t.Fatalf("requests are not refused: %v, %v", countDecisions(t, one), countDecisions(t, two))
		}
	}
	if n := countDecisions(t, one)[limiterAllowed] + countDecisions(t, two)[limiterAllowed]; n > 22 { // a minute may have passed
		t.Errorf("%v requests were allowed, where 20 are allowed to both gateways together", n)
	}
	failedBefore := countDecisions(t, one)[limiterFailed] + countDecisions(t, two)[limiterFailed]
	server.Kill()
	if err := one.countRequest(ctx); err != nil {
		t.Errorf("allowed on failure: %v", err)
	}
	if err := two.countRequest(ctx); problem.FromError(err).Reason != problem.ReasonLimiterUnavailable {
		t.Errorf("refused on failure: %v", err)
	}
	if n := countDecisions(t, one)[limiterFailed] + countDecisions(t, two)[limiterFailed]; n != failedBefore+2 {
		t.Errorf("%v failures are counted, want two", n-failedBefore)
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

// Over gRPC trusted proxies tell the address in metadata.
func TestGRPCBehindProxies(t *testing.T) {
	s := &Server{proxies: middleware.Proxies{netip.MustParsePrefix("10.0.0.0/8")}}
	for from, want := range map[string]string{"10.0.0.1": "198.51.100.1", "192.0.2.1": "192.0.2.1:9"} {
		ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.ParseIP(from), Port: 9}})
		ctx = metadata.NewIncomingContext(ctx, metadata.Pairs("x-forwarded-for", "203.0.113.7, 198.51.100.1"))
		if got := remoteOf(s.withRemote(ctx)); got != want {
			t.Errorf("from %s: %s, want %s", from, got, want)
		}
	}
}

// trailerStream keeps what is sent at the end of a call.
type trailerStream struct {
	contextStream
	md metadata.MD
}

func (s *trailerStream) SetTrailer(md metadata.MD) { s.md = metadata.Join(s.md, md) }

// A call's trailer tells what its last submission left: each of a batch is counted.
func TestGRPCLimitOfBatches(t *testing.T) {
	s := newLimitedServer(t, config.Limits{RequestsPerMinute: 60, RequestBurst: 9})
	stream := &trailerStream{contextStream: contextStream{ctx: t.Context()}}
	err := s.limitStream(nil, stream, &grpc.StreamServerInfo{FullMethod: pb.GatewayService_SubmitBatch_FullMethodName}, func(_ any, inner grpc.ServerStream) error {
		return errors.Join(s.countRequest(inner.Context()), s.countRequest(inner.Context()))
	})
	if err != nil || firstOf(stream.md["ratelimit"]) != `"requests";r=6;t=3` {
		t.Errorf("%v, the trailer is %v", err, stream.md)
	}
}

func TestGRPCLimit(t *testing.T) {
	s := newLimitedServer(t, config.Limits{RequestsPerMinute: 60, RequestBurst: 1})
	ctx := peer.NewContext(t.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}})
	var trailer trailerStream
	call := func(method string) error {
		trailer = trailerStream{contextStream: contextStream{ctx: ctx}}
		return s.limitStream(nil, &trailer, &grpc.StreamServerInfo{FullMethod: method}, func(any, grpc.ServerStream) error { return nil })
	}
	const method = "/rekorgateway.v1.GatewayService/ListFormats"
	if err := call(method); err != nil {
		t.Fatal(err)
	}
	if md := trailer.md; firstOf(md["ratelimit"]) != `"requests";r=0;t=1` || firstOf(md["ratelimit-policy"]) != `"requests";q=1;w=1` {
		t.Errorf("the trailer is %v", md)
	}
	if err := call(method); status.Code(err) != codes.ResourceExhausted || problem.GRPCReason(err) != "RATE_LIMITED" || len(status.Convert(err).Details()) != 2 {
		t.Errorf("past the burst: %v", err)
	}
	if firstOf(trailer.md["ratelimit"]) != `"requests";r=0;t=1` {
		t.Errorf("the trailer of a refusal is %v", trailer.md)
	}
	if err := call("/grpc.health.v1.Health/Check"); err != nil || len(trailer.md) != 0 {
		t.Errorf("a probe: %v, %v", err, trailer.md)
	}
	none := newLimitedServer(t, config.Limits{RequestBurst: 1})
	if d, err := none.rateLimit.CountRequest(ctx, gateway.Caller{}, "192.0.2.1:9"); d != nil || err != nil {
		t.Errorf("without a limit: %+v, %v", d, err)
	}
}
