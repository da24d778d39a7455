// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/redislimit"
)

// openLimit sets what requests are held to, besides the callers' own limits.
func (s *Server) openLimit(c config.Limits) error {
	var limiter ratelimit.Limiter = ratelimit.NewMemory(nil)
	if c.Redis.IsSet() {
		url, err := c.Redis.ReadURL()
		if err != nil {
			return err
		}
		shared, err := redislimit.New(url, redislimit.Options{Logger: s.logger})
		if err != nil {
			return fmt.Errorf("limits.redis: %w", err)
		}
		s.sharedLimiter, limiter = shared, shared
	}
	s.rateLimit = &middleware.RateLimit{
		Limiter: s.metrics.requests.countLimiter(limiter), OwnLimit: s.quotas.limitOf, RefuseUncounted: c.Redis.OnFailure == config.OnFailureRefuse,
	}
	if c.RequestsPerMinute > 0 {
		s.rateLimit.Limit = ratelimit.Limit{PerMinute: c.RequestsPerMinute, Burst: c.RequestBurst}
	}
	return nil
}

// countRequest counts one request of the caller of ctx, over gRPC, as middleware.LimitRate counts those over HTTP. It
// returns the refusal of callers who ask too often.
func (s *Server) countRequest(ctx context.Context) error {
	d, err := s.rateLimit.CountRequest(ctx, gateway.CallerFrom(ctx), remoteOf(ctx))
	if note, ok := ctx.Value(rateNoteKey{}).(*rateNote); ok && d != nil {
		note.Store(d)
	}
	return err
}

// countItem is countRequest for a submission of a batch over HTTP.
func (s *Server) countItem(r *http.Request) error {
	_, err := s.rateLimit.CountRequest(r.Context(), gateway.CallerFrom(r.Context()), r.RemoteAddr)
	return err
}

// rateNote keeps the last decision about a call: each submission of a batch is counted by itself.
type rateNote struct {
	atomic.Pointer[ratelimit.Decision]
}

type rateNoteKey struct{}

// listRateFields returns the trailing metadata that tell the decision; none where none was made.
func (n *rateNote) listRateFields() metadata.MD {
	d := n.Load()
	if d == nil {
		return nil
	}
	return metadata.Pairs(middleware.RatePolicyField, middleware.FormatRatePolicy(*d), middleware.RateLimitField, middleware.FormatRateLimit(*d))
}

// rateKey is whom a call is counted as.
func rateKey(ctx context.Context) string {
	return middleware.RateKey(gateway.CallerFrom(ctx), remoteOf(ctx))
}

type remoteKey struct{}

// withRemote returns ctx of a call with the address that remoteOf returns: behind trusted proxies, the one that they tell.
func (s *Server) withRemote(ctx context.Context) context.Context {
	if len(s.proxies) == 0 {
		return ctx
	}
	md, _ := metadata.FromIncomingContext(ctx)
	header := http.Header{"X-Forwarded-For": md.Get("x-forwarded-for"), "Forwarded": md.Get("forwarded")}
	return context.WithValue(ctx, remoteKey{}, s.proxies.FindClient(remoteOf(ctx), header))
}

// remoteOf is where a call comes from, or "".
func remoteOf(ctx context.Context) string {
	if remote, ok := ctx.Value(remoteKey{}).(string); ok {
		return remote
	}
	if p, ok := peer.FromContext(ctx); ok {
		return p.Addr.String()
	}
	return ""
}

// isAPI tells the API from health checks and reflection.
func isAPI(method string) bool {
	return strings.HasPrefix(method, "/"+pb.GatewayService_ServiceDesc.ServiceName+"/") || rekorcompat.IsCall(method)
}

func (s *Server) limitStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if !isAPI(info.FullMethod) {
		return handle(service, stream)
	}
	note := new(rateNote)
	ctx := context.WithValue(stream.Context(), rateNoteKey{}, note)
	defer func() { stream.SetTrailer(note.listRateFields()) }()
	if err := s.countRequest(ctx); err != nil {
		return problem.FromError(err).GRPCError()
	}
	return handle(service, contextStream{stream, ctx})
}

// Bounds on calls that are no submissions.
const (
	maxProbes          = 256 // health checks and reflection, at once
	maxProbesPerCaller = 64  // of those, so that nobody keeps the operator's from being answered
)

// Bounds on requests to own logs, which take no credential, and as much again on those to the log of rekor_api: readers hold up those of the same log
// at most, and strangers no caller.
const (
	maxOwnReads          = 256 // at once
	maxOwnReadsPerCaller = 64
	maxOwnMemory         = 24 << 20    // bytes, of all together: one of the largest entry bundles there can be, or a hundred usual ones
	maxOwnTime           = time.Minute // of one
)

// admission is what bounds the requests under way, over HTTP and gRPC together.
type admission struct {
	requests middleware.Admission
	own      middleware.Admission
	mirror   middleware.Admission // of the log of rekor_api
	probes   middleware.Admission
	watches  *middleware.InFlight
}

func newAdmission(c config.Limits, memory *gateway.Memory) admission {
	readers := func() middleware.Admission {
		return middleware.Admission{
			InFlight: middleware.NewInFlight(maxOwnReads, maxOwnReadsPerCaller), Memory: gateway.NewMemory(maxOwnMemory), MaxTime: maxOwnTime,
			MaxLines: upload.MaxMetadataFields, Size: upload.RequestMemory,
		}
	}
	return admission{
		requests: middleware.Admission{
			InFlight: middleware.NewInFlight(c.MaxRequests, c.MaxRequestsPerCaller), Memory: memory, MaxTime: c.MaxRequestTime,
			MaxLines: upload.MaxMetadataFields, Size: upload.RequestMemory,
		},
		own: readers(), mirror: readers(),
		probes: middleware.Admission{InFlight: middleware.NewInFlight(maxProbes, maxProbesPerCaller), Memory: memory},
		// They last long and cost little: half of a caller's calls are left for what is short.
		watches: middleware.NewInFlight(0, max(1, c.MaxRequestsPerCaller/2)),
	}
}

// admitStream refuses calls where there is no room for them. What a call holds is counted in the gateway.Held of
// its context.
func (s *Server) admitStream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	held, done, err := s.admission.admitCall(stream.Context(), info.FullMethod)
	if err != nil {
		return problem.FromError(err).GRPCError()
	}
	defer done()
	return handle(service, contextStream{stream, gateway.WithHeld(stream.Context(), held)})
}

func (a admission) admitCall(ctx context.Context, method string) (held *gateway.Held, done func(), err error) {
	md, _ := metadata.FromIncomingContext(ctx)
	fields := 0
	for _, values := range md {
		fields += len(values)
	}
	if fields > upload.MaxMetadataFields {
		return nil, nil, problem.Malformed(fmt.Sprintf("there are more than %d metadata fields", upload.MaxMetadataFields), "send fewer")
	}
	if method == pb.GatewayService_WatchSubmission_FullMethodName {
		return a.admitWatch(rateKey(ctx))
	}
	if rekorcompat.IsRead(method) {
		return a.mirror.Admit(rateKey(ctx), upload.CallMemory)
	}
	if !isAPI(method) {
		return a.probes.Admit(rateKey(ctx), upload.CallMemory)
	}
	return a.requests.Admit(rateKey(ctx), upload.CallMemory)
}

func (a admission) admitWatch(key string) (*gateway.Held, func(), error) {
	leave, err := a.watches.Enter(key)
	if err != nil {
		return nil, nil, err
	}
	held, done, err := a.requests.Admit(key, upload.CallMemory)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return held, func() { done(); leave() }, nil
}
