// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// requestMetrics are of what comes in over HTTP and gRPC. Methods, routes and codes are those that the gateway serves.
type requestMetrics struct {
	requests, calls       *prometheus.CounterVec
	requestTime, callTime *prometheus.HistogramVec
	refusals, panics      *prometheus.CounterVec
	limiter               *prometheus.CounterVec
	connections           prometheus.Counter
}

// otherReason is the label of a refusal that is not from here: grpc-go has some of its own.
const otherReason = "OTHER"

func newRequestMetrics() *requestMetrics {
	m := &requestMetrics{
		requests:    newCounter("http_requests_total", "HTTP requests, by route and status.", "method", "route", "status"),
		requestTime: newHistogram("http_request_seconds", "How long HTTP requests took, the wait for the log included.", waitBuckets, "route"),
		calls:       newCounter("grpc_calls_total", "gRPC calls, by method and code.", "method", "code"),
		callTime:    newHistogram("grpc_call_seconds", "How long gRPC calls took, the wait for the log included.", waitBuckets, "method"),
		refusals:    newCounter("refusals_total", "Refused requests, calls, and submissions of batches, by reason (docs/errors.md).", "reason"),
		panics:      newCounter("panics_total", "Panics that were recovered, by the place.", "where"),
		limiter:     newCounter("limiter_decisions_total", "What the rate limit decided.", "decision"),
		connections: newCounter("connections_refused_total", "Connections that were closed at once, since their address had limits.max_connections_per_address.").WithLabelValues(),
	}
	// From the start, so that the first one shows as an increase.
	for _, r := range problem.Reasons() {
		m.refusals.WithLabelValues(string(r))
	}
	for _, where := range []string{"HTTP", "gRPC", inLog} {
		m.panics.WithLabelValues(where)
	}
	for _, d := range []string{limiterAllowed, limiterRefused, limiterFailed} {
		m.limiter.WithLabelValues(d)
	}
	return m
}

func (m *requestMetrics) list() []prometheus.Collector {
	return []prometheus.Collector{m.requests, m.requestTime, m.calls, m.callTime, m.refusals, m.panics, m.limiter, m.connections}
}

func (m *requestMetrics) countRequest(a middleware.Answered) {
	m.requests.WithLabelValues(a.Method, a.Route, strconv.Itoa(a.Status)).Inc()
	m.requestTime.WithLabelValues(a.Route).Observe(a.Duration.Seconds())
	if a.Reason != "" {
		m.countRefusal(formats.Reason(a.Reason))
	}
}

func (m *requestMetrics) countCall(method string, code codes.Code, reason string, took time.Duration) {
	m.calls.WithLabelValues(method, code.String()).Inc()
	m.callTime.WithLabelValues(method).Observe(took.Seconds())
	if code != codes.OK {
		m.countRefusal(formats.Reason(reason))
	}
}

func (m *requestMetrics) countRefusal(r formats.Reason) {
	if !problem.IsReason(r) {
		r = otherReason
	}
	m.refusals.WithLabelValues(string(r)).Inc()
}

func (m *requestMetrics) countPanic(where string) { m.panics.WithLabelValues(where).Inc() }

// What a rate limit decides. When it fails itself, limits.redis.on_failure says what becomes of the request.
const (
	limiterAllowed = "allowed"
	limiterRefused = "refused"
	limiterFailed  = "failed"
)

// countLimiter returns limiter, which is counted from now on.
func (m *requestMetrics) countLimiter(limiter ratelimit.Limiter) ratelimit.Limiter {
	return countedLimiter{limiter, m.limiter}
}

type countedLimiter struct {
	ratelimit.Limiter
	decisions *prometheus.CounterVec
}

// Take implements ratelimit.Limiter.
func (l countedLimiter) Take(ctx context.Context, key string, limit ratelimit.Limit) (ratelimit.Decision, error) {
	d, err := l.Limiter.Take(ctx, key, limit)
	decision := limiterAllowed
	switch {
	case err != nil:
		decision = limiterFailed
	case !d.Allowed:
		decision = limiterRefused
	}
	l.decisions.WithLabelValues(decision).Inc()
	return d, err
}
