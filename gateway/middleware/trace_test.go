// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// TestSpanOfCaller: of a caller's headers a span keeps which span it was, and nothing else, which could be of any size.
func TestSpanOfCaller(t *testing.T) {
	kept := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(kept)).Tracer("test")
	r := httptest.NewRequest(http.MethodGet, "/v1/formats", nil)
	r.Header.Set("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	r.Header.Set("tracestate", "vendor="+strings.Repeat("x", 250))
	r.Header.Set("baggage", "who=me")
	_, span := StartSpan(context.Background(), tracer, "HTTP", propagation.HeaderCarrier(r.Header))
	span.End()
	links := kept.Ended()[0].Links()
	if len(links) != 1 || links[0].SpanContext.SpanID().String() != "00f067aa0ba902b7" {
		t.Fatalf("links %v", links)
	}
	if got := links[0].SpanContext.TraceState().String(); got != "" {
		t.Errorf("the span keeps %d bytes of the caller's trace state", len(got))
	}
}
