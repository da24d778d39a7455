// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// collector takes spans by OTLP over HTTP.
type collector struct {
	mu    sync.Mutex // over what follows
	spans []*tracepb.Span
	about []string // resources
	raw   bytes.Buffer
}

func startCollector(t *testing.T) (*collector, string) {
	c := &collector{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request collectorpb.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			t.Errorf("the collector got %s: %v", r.URL.Path, err)
			return
		}
		c.take(&request, body)
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(server.Close)
	return c, server.URL
}

func (c *collector) take(request *collectorpb.ExportTraceServiceRequest, body []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw.Write(body)
	for _, r := range request.GetResourceSpans() {
		c.about = append(c.about, r.GetResource().String())
		for _, s := range r.GetScopeSpans() {
			c.spans = append(c.spans, s.GetSpans()...)
		}
	}
}

// named returns the spans of that name.
func (c *collector) named(name string) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if s.GetName() == name {
			found = append(found, s)
		}
	}
	return found
}

func isChild(s, of *tracepb.Span) bool {
	return bytes.Equal(s.GetParentSpanId(), of.GetSpanId()) && bytes.Equal(s.GetTraceId(), of.GetTraceId())
}

func isLinked(s, to *tracepb.Span) bool {
	for _, l := range s.GetLinks() {
		if bytes.Equal(l.GetSpanId(), to.GetSpanId()) && bytes.Equal(l.GetTraceId(), to.GetTraceId()) {
			return true
		}
	}
	return false
}

// TestTraces follows a submission through a real gateway: its request with the steps in it, and, linked to that, its
// delivery with what was sent to the log in it. The caller's own trace is linked, and does not decide.
func TestTraces(t *testing.T) {
	spans, endpoint := startCollector(t)
	cfg := newConfig(t)
	cfg.Tracing = config.Tracing{Endpoint: endpoint, Sample: 1}
	r := run(t, cfg)
	kind, body := formOf(key, "traced", "traced", "", "")
	request := must(http.NewRequest(http.MethodPost, r.Addresses().HTTP+"/v1/submissions", body))
	request.Header.Set("Content-Type", kind)
	request.Header.Set("X-Request-Id", "traced-1")
	request.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00") // and not sampled
	if a := r.answer(http.DefaultClient.Do(request)); a.status != 201 {
		t.Fatalf("%d %v", a.status, a.body)
	}
	must(http.Get(r.Addresses().HTTP + "/healthz")).Body.Close()
	if err := r.stop(); err != nil { // sends what is left
		t.Fatal(err)
	}

	requests, deliveries := spans.named("POST /v1/submissions"), spans.named("deliver")
	if len(requests) != 1 || len(deliveries) != 1 {
		t.Fatalf("%d requests and %d deliveries in %v", len(requests), len(deliveries), spans.spans)
	}
	sent := requests[0]
	if caller := (&tracepb.Span{TraceId: []byte("\x0a\xf7\x65\x19\x16\xcd\x43\xdd\x84\x48\xeb\x21\x1c\x80\x31\x9c"), SpanId: []byte("\xb7\xad\x6b\x71\x69\x20\x33\x31")}); !isLinked(sent, caller) ||
		bytes.Equal(sent.GetTraceId(), caller.GetTraceId()) {
		t.Errorf("the caller's span is not linked: %v", sent)
	}
	for _, step := range []string{"parse", "verify", "commit"} {
		if s := spans.named(step); len(s) != 1 || !isChild(s[0], sent) || s[0].GetEndTimeUnixNano() > sent.GetEndTimeUnixNano() {
			t.Errorf("%s: %v is not in %v", step, s, sent)
		}
	}
	delivery := deliveries[0]
	if !isLinked(delivery, sent) || len(delivery.GetParentSpanId()) != 0 || bytes.Equal(delivery.GetTraceId(), sent.GetTraceId()) {
		t.Errorf("%v is not a trace of its own that is linked to %v", delivery, sent)
	}
	if s := spans.named("send"); len(s) != 1 || !isChild(s[0], delivery) || s[0].GetKind() != tracepb.Span_SPAN_KIND_CLIENT {
		t.Errorf("send: %v is not in %v", s, delivery)
	}
	for _, want := range []string{"rekor_gateway.request", "traced-1", "rekor_gateway.submission", "http.response.status_code", "rekor_gateway.index"} {
		if !strings.Contains(spans.raw.String(), want) {
			t.Errorf("the spans lack %s", want)
		}
	}
	if !strings.Contains(strings.Join(spans.about, ""), "rekor-gateway") || len(spans.named("HTTP")) != 0 {
		t.Errorf("resources %v", spans.about)
	}
	if !strings.Contains(r.log.String(), " trace=") {
		t.Errorf("the access log does not name the trace:\n%s", r.log)
	}
}

// A collector that is down holds up nobody.
func TestTracesWithoutCollector(t *testing.T) {
	cfg := newConfig(t)
	cfg.Tracing = config.Tracing{Endpoint: "http://127.0.0.1:1", Sample: 1}
	r := run(t, cfg)
	if a := r.submit(key, "untraced"); a.status != 201 {
		t.Errorf("%d %v", a.status, a.body)
	}
	started := time.Now()
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

// A batch is one request, with the steps of each of its submissions; the delivery of one is linked to it.
func TestTracesOfBatch(t *testing.T) {
	spans, endpoint := startCollector(t)
	cfg := newConfig(t)
	cfg.Tracing = config.Tracing{Endpoint: endpoint, Sample: 1}
	r := run(t, cfg)
	digest := sha256.Sum256([]byte("batch"))
	signature, spki := must(ecdsa.SignASN1(rand.Reader, key, digest[:])), must(x509.MarshalPKIXPublicKey(key.Public()))
	r.sendBatchOf(digest[:], signature, spki)
	for deadline := time.Now().Add(time.Minute); r.pending(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it is still pending")
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	calls, deliveries := spans.named("rekorgateway.v1.GatewayService/SubmitBatch"), spans.named("deliver")
	if len(calls) != 1 || len(deliveries) != 1 || !isLinked(deliveries[0], calls[0]) {
		t.Fatalf("calls %v, deliveries %v", calls, deliveries)
	}
	for step, want := range map[string]int{"parse": 2, "verify": 1, "commit": 1} { // one is refused as it is parsed
		found := spans.named(step)
		if len(found) != want {
			t.Errorf("%d spans %s, want %d", len(found), step, want)
		}
		for _, s := range found {
			if !isChild(s, calls[0]) {
				t.Errorf("%v is not in %v", s, calls[0])
			}
		}
	}
	for _, secret := range slices.Concat([]string{secretLabel, secretToken}, secretBytes(signature), secretBytes(spki)) {
		if strings.Contains(spans.raw.String(), secret) {
			t.Errorf("the spans have %q", secret)
		}
	}
}

// TestCollectorThatFails: what a collector answers instead of taking spans does not fill the log, whatever its size and however often it does.
func TestCollectorThatFails(t *testing.T) {
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50") // milliseconds between exports, for the library
	answers := make(chan struct{}, 64)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, strings.Repeat("no spans here ", 250_000))
		answers <- struct{}{}
	}))
	t.Cleanup(collector.Close)
	cfg := newConfig(t)
	cfg.Tracing = config.Tracing{Endpoint: collector.URL, Sample: 1}
	r := run(t, cfg)
	r.submit(key, "traced")
	<-answers
	r.submit(key, "traced as well")
	<-answers
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(r.log.String(), "exporting traces"); got != 1 || r.log.Len() > 64<<10 {
		t.Errorf("%d lines of spans that were not exported, and %d bytes in all", got, r.log.Len())
	}
}
