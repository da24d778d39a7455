// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// tracing makes spans of requests, of the steps of submissions, and of the delivery of entries. A nil one makes none.
//
// A submission's entries are delivered after its request has been answered, as a rule, and together with others'. So a
// delivery is a trace of its own, linked to the request's. Which request that was is kept in memory for as many entries
// as may be pending by default: a column would make each entry dearer for everybody, and after a restart there is
// nobody who waits for the request any more. Spans have neither keys, signatures nor labels.
type tracing struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider

	// They lock themselves.
	requests   *lru.Cache[entryName, trace.SpanContext] // of entries that are not claimed yet, and of those that wait again
	deliveries *lru.Cache[int64, delivered]             // of entries under way, by their ID
	sends      *lru.Cache[entryName, trace.Span]        // the same spans
}

// entryName names an entry before it is stored.
type entryName struct {
	log  string
	leaf gateway.LeafHash
}

type delivered struct {
	entryName
	span trace.Span
}

const (
	// tracedEntries bounds the entries whose requests are known, a hundred bytes each.
	tracedEntries = 100_000
	// tracedDeliveries bounds the spans that are open at once.
	tracedDeliveries = 1 << 14

	exportTimeout = 10 * time.Second
	// flushTimeout bounds what is sent to the collector at the end.
	flushTimeout = 2 * time.Second

	tracerName = "github.com/rekor-gateway/rekor-gateway"
)

// newTracing returns nil when no endpoint is configured. It does not connect yet.
func newTracing(ctx context.Context, cfg config.Tracing, version string, logger *slog.Logger) (*tracing, error) {
	if cfg.Endpoint == "" {
		return nil, nil //nolint:nilnil // documented
	}
	endpoint, err := tracesURL(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(endpoint), otlptracehttp.WithTimeout(exportTimeout))
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	// The library has one for the process, and by default writes to standard error by itself.
	otel.SetErrorHandler(&exportFaults{logger: logger, now: time.Now})
	own := resource.NewSchemaless(attribute.String("service.name", "rekor-gateway"), attribute.String("service.version", version))
	described, err := resource.Merge(own, resource.Environment())
	if err != nil {
		return nil, fmt.Errorf("describing this gateway for traces: %w", err)
	}
	return newTracingTo(sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter), sdktrace.WithResource(described), sdktrace.WithSampler(linkedSampler{sdktrace.TraceIDRatioBased(cfg.Sample)}),
	))
}

// exportFaults tells the operator that spans are not exported, once in faultsEvery: each batch fails by itself, several a second under load,
// and what the collector answers may have megabytes.
type exportFaults struct {
	logger *slog.Logger
	now    func() time.Time

	mu     sync.Mutex // over what follows
	toldAt time.Time
	more   int // faults since then
}

const (
	faultsEvery  = time.Minute
	longestFault = 512 // bytes
)

// Handle implements otel.ErrorHandler.
func (f *exportFaults) Handle(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now := f.now(); f.toldAt.IsZero() || now.Sub(f.toldAt).Abs() >= faultsEvery {
		text := err.Error()
		if len(text) > longestFault {
			text = strings.ToValidUTF8(text[:longestFault], "") + "…"
		}
		f.logger.Warn("exporting traces", "error", text, "more_before", f.more)
		f.toldAt, f.more = now, 0
		return
	}
	f.more++
}

// tracesURL adds the path that OTLP has by default.
func tracesURL(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", fmt.Errorf("tracing.endpoint: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return u.String(), nil
}

func newTracingTo(provider *sdktrace.TracerProvider) (*tracing, error) {
	t := &tracing{tracer: provider.Tracer(tracerName), provider: provider}
	var err, failed error
	t.requests, err = lru.New[entryName, trace.SpanContext](tracedEntries)
	failed = errors.Join(failed, err)
	t.deliveries, err = lru.NewWithEvict(tracedDeliveries, func(_ int64, d delivered) { t.sends.Remove(d.entryName); d.span.End() })
	failed = errors.Join(failed, err)
	t.sends, err = lru.New[entryName, trace.Span](2 * tracedDeliveries)
	return t, errors.Join(failed, err)
}

// requestTracer returns nil when nothing is traced.
func (t *tracing) requestTracer() trace.Tracer {
	if t == nil {
		return nil
	}
	return t.tracer
}

// close sends what is left to the collector.
func (t *tracing) close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

// linkedSampler traces a delivery when its request is traced, and the rest as the other sampler says.
type linkedSampler struct{ sdktrace.Sampler }

// ShouldSample implements sdktrace.Sampler.
func (s linkedSampler) ShouldSample(p sdktrace.SamplingParameters) sdktrace.SamplingResult {
	parent := trace.SpanContextFromContext(p.ParentContext)
	traced := parent.IsSampled()
	for _, link := range p.Links {
		traced = traced || link.SpanContext.IsSampled()
	}
	if traced {
		return sdktrace.SamplingResult{Decision: sdktrace.RecordAndSample, Tracestate: parent.TraceState()}
	}
	if parent.IsValid() {
		return sdktrace.SamplingResult{Decision: sdktrace.Drop, Tracestate: parent.TraceState()}
	}
	return s.Sampler.ShouldSample(p)
}

// startStep starts the span of a step of a submission.
func (t *tracing) startStep(ctx context.Context, step string) (context.Context, func(error)) {
	if t == nil || !trace.SpanFromContext(ctx).IsRecording() {
		return ctx, func(error) {}
	}
	ctx, span := t.tracer.Start(ctx, step)
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, string(problem.FromError(err).Reason))
		}
		span.End()
	}
}

// noteRequest remembers the request that brings sub, whose span is in ctx, before sub is stored: its entries may be
// claimed at once.
func (t *tracing) noteRequest(ctx context.Context, sub gateway.NewSubmission) {
	if t == nil {
		return
	}
	request := trace.SpanContextFromContext(ctx)
	if !request.IsSampled() {
		return
	}
	for _, e := range sub.Entries {
		t.requests.Add(entryName{e.Log, e.LeafHash}, request)
	}
}
