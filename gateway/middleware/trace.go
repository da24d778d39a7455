// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TraceRequests gives each request of the API below /v1/ a span in the request's context, which LogAccess describes.
// It stands between NameRequest and LogAccess. A nil tracer traces nothing.
func TraceRequests(next http.Handler, tracer trace.Tracer) http.Handler {
	if tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/v1/") {
			next.ServeHTTP(w, r)
			return
		}
		ctx, span := StartSpan(r.Context(), tracer, "HTTP", propagation.HeaderCarrier(r.Header))
		defer span.End()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// StartSpan starts the span of a request, a trace of its own. The caller's span, in the headers of W3C Trace Context, is
// linked to it: whether a request is traced is not for callers to decide.
func StartSpan(ctx context.Context, tracer trace.Tracer, name string, headers propagation.TextMapCarrier) (context.Context, trace.Span) {
	ctx, span := tracer.Start(ctx, name, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer))
	theirs := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), headers))
	if span.IsRecording() && theirs.IsValid() {
		// Not when it starts: the sampler would see it. And without the caller's trace state, which may have many kilobytes, and of
		// which two thousand spans and more wait while the collector is slow.
		span.AddLink(trace.Link{SpanContext: theirs.WithTraceState(trace.TraceState{}), Attributes: []attribute.KeyValue{attribute.String("of", "caller")}})
	}
	return ctx, span
}

// DescribeSpan says what became of the request whose span is in ctx. reason is that of a refusal, or "".
func DescribeSpan(ctx context.Context, name, reason string, failed bool, attributes ...attribute.KeyValue) {
	span := trace.SpanFromContext(ctx)
	if !span.IsRecording() {
		return
	}
	span.SetName(name)
	span.SetAttributes(attributes...)
	span.SetAttributes(attribute.String("rekor_gateway.request", gateway.RequestID(ctx)))
	if f := gateway.NoteFrom(ctx).Facts(); f.Submission != nil {
		span.SetAttributes(attribute.String("rekor_gateway.submission", f.Submission.ID), attribute.String("rekor_gateway.format", f.Submission.Format),
			attribute.String("rekor_gateway.representation", string(f.Submission.Representation())))
	}
	if reason != "" {
		span.SetAttributes(attribute.String("error.type", reason))
	}
	if failed {
		span.SetStatus(codes.Error, reason)
	}
}

// describeRequest is DescribeSpan for HTTP.
func describeRequest(ctx context.Context, a Answered) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	DescribeSpan(ctx, a.Route, a.Reason, a.Status >= http.StatusInternalServerError, attribute.String("http.request.method", a.Method),
		attribute.String("http.route", a.Route), attribute.Int("http.response.status_code", a.Status))
}
