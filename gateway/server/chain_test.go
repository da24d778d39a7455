// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
)

func newChainServer(t *testing.T, log *bytes.Buffer) (*Server, *metrics) {
	t.Helper()
	m, err := newMetrics(nil)
	if err != nil {
		t.Fatal(err)
	}
	logger := slog.New(slog.NewTextHandler(log, nil))
	everybody, err := auth.NewTable(nil)
	if err != nil {
		t.Fatal(err)
	}
	callers := auth.New(time.Now)
	callers.Use(everybody)
	s := &Server{
		metrics: m, callers: callers, logger: logger, access: middleware.AccessLog{Logger: logger}, panics: panics.NewReporter(logger, m.requests.countPanic), admission: newAdmission(config.Default().Limits, gateway.NewMemory(1<<30)),
	}
	if err := s.openLimit(config.Limits{RequestsPerMinute: 60, RequestBurst: 1}); err != nil {
		t.Fatal(err)
	}
	return s, m
}

// Strangers who read own logs, as many as there may be, do not keep callers from reading the log of rekor_api, over HTTP and gRPC.
func TestReadersApart(t *testing.T) {
	s, m := newChainServer(t, new(bytes.Buffer))
	for i := range maxOwnReads {
		_, done, err := s.admission.own.Admit(strconv.Itoa(i), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer done()
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	h := s.chainHandlers(mux, config.HTTP{Listen: "127.0.0.1:8080"}, s.identifyAt(""), m)
	for i, test := range []struct {
		path string
		want int
	}{{"/api/v2/checkpoint", 200}, {"/api/v2/tile/0/000", 200}, {"/own/checkpoint", 503}} {
		w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://localhost"+test.path, nil)
		r.RemoteAddr = "192.0.2." + strconv.Itoa(i+1) + ":1"
		if h.ServeHTTP(w, r); w.Code != test.want {
			t.Errorf("%s: %d %s", test.path, w.Code, w.Body)
		}
	}
	_, done, err := s.admission.admitCall(t.Context(), "/dev.sigstore.rekor.v2.Rekor/GetCheckpoint")
	if err != nil {
		t.Fatal(err)
	}
	done()
}

// The log sees every request, what the guard refuses is not counted against the limit, and behind
// the limit the caller is known.
func TestChainOrder(t *testing.T) {
	var log bytes.Buffer
	s, m := newChainServer(t, &log)
	var caller gateway.Caller
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/things", func(_ http.ResponseWriter, r *http.Request) { caller = gateway.CallerFrom(r.Context()) })
	h := s.chainHandlers(mux, config.HTTP{Listen: "127.0.0.1:8080"}, s.identifyAt(""), m)
	for i, c := range []struct {
		host string
		want int
	}{{"evil.example", 421}, {"evil.example", 421}, {"localhost", 200}, {"localhost", 429}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "http://"+c.host+"/v1/things", nil))
		if w.Code != c.want {
			t.Errorf("request %d to %s: %d, want %d", i, c.host, w.Code, c.want)
		}
	}
	if caller != defaultCaller {
		t.Errorf("the caller is %+v", caller)
	}
	for want, n := range map[string]int{"reason=HOST_NOT_ALLOWED": 2, `route="GET /v1/things" status=200`: 1, "reason=RATE_LIMITED": 1} {
		if got := strings.Count(log.String(), want); got != n {
			t.Errorf("%q is in the log %d times, want %d:\n%s", want, got, n, &log)
		}
	}
}

// Behind a trusted proxy the access log and the limit go by the address that it tells.
func TestChainBehindProxy(t *testing.T) {
	var log bytes.Buffer
	s, m := newChainServer(t, &log)
	s.proxies = middleware.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
	h := s.chainHandlers(http.NotFoundHandler(), config.HTTP{Listen: "127.0.0.1:8080"}, s.identifyAt(""), m)
	for _, client := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.1"} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/v1/things", nil)
		r.RemoteAddr = "10.0.0.1:9"
		r.Header.Set("X-Forwarded-For", "203.0.113.7, "+client)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	for want, n := range map[string]int{"remote=198.51.100.1 ": 2, "remote=198.51.100.2 ": 1, "reason=RATE_LIMITED": 1} {
		if got := strings.Count(log.String(), want); got != n {
			t.Errorf("%q is in the log %d times, want %d:\n%s", want, got, n, &log)
		}
	}
}

// headedStream is a stream of which only the context and the header are asked.
type headedStream struct {
	contextStream
	header metadata.MD
}

func (s *headedStream) SetHeader(md metadata.MD) error {
	s.header = metadata.Join(s.header, md)
	return nil
}

// A panic in a call is INTERNAL, with the reason that HTTP gives and the request's id, and tells nothing.
func TestPanicInACall(t *testing.T) {
	var log bytes.Buffer
	s, m := newChainServer(t, &log)
	stream := &headedStream{contextStream: contextStream{ctx: metadata.NewIncomingContext(t.Context(), metadata.Pairs("x-request-id", "r1"))}}
	err := s.logStream(m)(nil, stream, &grpc.StreamServerInfo{FullMethod: "/x/Y"}, func(any, grpc.ServerStream) error { panic("secret state") })
	if status.Code(err) != codes.Internal || problem.GRPCReason(err) != "INTERNAL" || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
	if id := problem.GRPCRequestID(err); id != "r1" {
		t.Errorf("the request's id is %q in %v", id, status.Convert(err).Details())
	}
	if got := stream.header.Get("x-request-id"); len(got) != 1 || got[0] != "r1" {
		t.Errorf("header %v", stream.header)
	}
	if strings.Count(log.String(), "request=r1") != 2 || !strings.Contains(log.String(), "reason=INTERNAL") || strings.Contains(log.String(), "secret") {
		t.Errorf("log:\n%s", &log)
	}
}

func TestStreamsKnowTheirCaller(t *testing.T) {
	stranger := gateway.WithCaller(t.Context(), gateway.Caller{Tenant: "claimed"})
	s, _ := newChainServer(t, new(bytes.Buffer))
	err := s.identifyStream(nil, contextStream{ctx: stranger}, &grpc.StreamServerInfo{FullMethod: "/x/Y"}, func(_ any, stream grpc.ServerStream) error {
		if c := gateway.CallerFrom(stream.Context()); c != defaultCaller {
			t.Errorf("the caller is %+v", c)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
