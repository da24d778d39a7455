// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"maps"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	grpccodes "google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
)

// tracedStore sees when the delivery of an entry begins and ends: with its claim, and with its outcome.
type tracedStore struct {
	Store
	tracing *tracing
}

// watchStore returns store, or what traces it.
func (t *tracing) watchStore(store Store) Store {
	if t == nil {
		return store
	}
	return tracedStore{store, t}
}

// Claim implements gateway.Store.
func (s tracedStore) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	claimed, err := s.Store.Claim(ctx, p)
	for _, e := range claimed {
		s.tracing.startDelivery(ctx, e)
	}
	return claimed, err
}

// Finish implements gateway.Store.
func (s tracedStore) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	changed, err := s.Store.Finish(ctx, outcomes)
	for _, o := range outcomes {
		s.tracing.endDelivery(o, err)
	}
	return changed, err
}

// startDelivery starts the span of a claimed entry whose request is known.
func (t *tracing) startDelivery(ctx context.Context, e gateway.Claimed) {
	name := entryName{e.Log, e.LeafHash}
	request, ok := t.requests.Get(name)
	if !ok {
		return
	}
	_, span := t.tracer.Start(ctx, "deliver", trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithLinks(trace.Link{SpanContext: request, Attributes: []attribute.KeyValue{attribute.String("of", "request")}}),
		trace.WithAttributes(attribute.String("rekor_gateway.log", e.Log), attribute.Int64("rekor_gateway.entry", e.ID), attribute.Int("rekor_gateway.attempt", e.Attempts)))
	t.deliveries.Remove(e.ID) // one whose lease was lost
	t.sends.Add(name, span)
	t.deliveries.Add(e.ID, delivered{name, span})
}

// endDelivery ends it with its outcome. One that was not stored is left to the next claim.
func (t *tracing) endDelivery(o gateway.Outcome, err error) {
	d, ok := t.deliveries.Peek(o.EntryID)
	if !ok {
		return
	}
	switch {
	case err != nil:
		d.span.SetStatus(codes.Error, "outcome not stored")
	case o.Inclusion != nil:
		d.span.SetAttributes(attribute.Int64("rekor_gateway.index", int64(o.Inclusion.Index)))
	default:
		d.span.SetStatus(codes.Error, o.Problem)
		d.span.SetAttributes(attribute.Bool("rekor_gateway.in_doubt", o.InDoubt))
	}
	if o.Inclusion != nil || o.Fail {
		t.requests.Remove(d.entryName)
	}
	t.deliveries.Remove(o.EntryID) // ends the span
}

// tracedLog makes a span of each entry that is sent to the log, until the log's answer is verified.
type tracedLog struct {
	gateway.Log
	tracing *tracing
}

// watchLog returns log, or what traces it.
func (t *tracing) watchLog(log gateway.Log) gateway.Log {
	if t == nil {
		return log
	}
	return tracedLog{log, t}
}

// Add implements gateway.Log.
func (l tracedLog) Add(ctx context.Context, shard gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	delivery, ok := l.tracing.sends.Get(entryName{p.Log, p.LeafHash})
	if !ok {
		return l.Log.Add(ctx, shard, p)
	}
	ctx, span := l.tracing.tracer.Start(trace.ContextWithSpan(ctx, delivery), "send", trace.WithSpanKind(trace.SpanKindClient))
	defer span.End()
	inclusion, err := l.Log.Add(ctx, shard, p)
	if err != nil {
		span.SetStatus(codes.Error, err.Error())
	}
	return inclusion, err
}

// startCall starts the span of a gRPC call of the API, which end ends.
func (s *Server) startCall(ctx context.Context, method string) (_ context.Context, end func()) {
	if s.tracing == nil || !isAPI(method) {
		return ctx, func() {}
	}
	md, _ := metadata.FromIncomingContext(ctx)
	ctx, span := middleware.StartSpan(ctx, s.tracing.tracer, "gRPC", metadataCarrier(md))
	return ctx, func() { span.End() }
}

// describeCall says what became of it.
func (s *Server) describeCall(ctx context.Context, method string, code grpccodes.Code, reason string) {
	if s.tracing == nil {
		return
	}
	failed := code == grpccodes.Internal || code == grpccodes.Unavailable || code == grpccodes.Unknown
	middleware.DescribeSpan(ctx, strings.TrimPrefix(method, "/"), reason, failed, attribute.String("rpc.system", "grpc"), attribute.String("rpc.grpc.status", code.String()))
}

// metadataCarrier reads gRPC's metadata.
type metadataCarrier metadata.MD

// Get implements propagation.TextMapCarrier.
func (c metadataCarrier) Get(key string) string { return firstOf(metadata.MD(c).Get(key)) }

// Set implements propagation.TextMapCarrier.
func (c metadataCarrier) Set(key, value string) { metadata.MD(c).Set(key, value) }

// Keys implements propagation.TextMapCarrier.
func (c metadataCarrier) Keys() []string { return slices.Collect(maps.Keys(c)) }
