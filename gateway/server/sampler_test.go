// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"testing"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// A delivery is traced when its request is, whatever the share; a step as its request is; and a request by the share alone.
func TestLinkedSampler(t *testing.T) {
	span := func(flags trace.TraceFlags) trace.SpanContext {
		return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: flags})
	}
	within := func(s trace.SpanContext) context.Context { return trace.ContextWithSpanContext(t.Context(), s) }
	for name, c := range map[string]struct {
		share  float64
		parent context.Context
		links  []trace.Link
		want   sdktrace.SamplingDecision
	}{
		"request, all":              {1, t.Context(), nil, sdktrace.RecordAndSample},
		"request, none":             {0, t.Context(), nil, sdktrace.Drop},
		"step of a traced one":      {0, within(span(trace.FlagsSampled)), nil, sdktrace.RecordAndSample},
		"step of another":           {1, within(span(0)), nil, sdktrace.Drop},
		"delivery for a traced one": {0, t.Context(), []trace.Link{{SpanContext: span(trace.FlagsSampled)}}, sdktrace.RecordAndSample},
		"delivery for another":      {0, t.Context(), []trace.Link{{SpanContext: span(0)}}, sdktrace.Drop},
	} {
		s := linkedSampler{sdktrace.TraceIDRatioBased(c.share)}
		if got := s.ShouldSample(sdktrace.SamplingParameters{ParentContext: c.parent, TraceID: trace.TraceID{1}, Links: c.links}).Decision; got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
