// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
)

// Bounds on HTTP connections. Bodies and answers have time limits of their own.
const (
	readHeaderTimeout = 10 * time.Second
	keepAliveTimeout  = 2 * time.Minute // between two requests of a connection
	takeTimeout       = time.Minute     // in which nothing can be written to an HTTP/2 connection, before it is closed
	headerSlop        = 4 << 10         // bytes that net/http reads beyond MaxHeaderBytes
)

// newHTTP returns the server of http, and gives those of callers' listeners theirs.
func (s *Server) newHTTP(cfg *config.Config, m *metrics) *http.Server {
	routes := api.NewHTTP(s.service, api.HTTPConfig{
		Upload: s.uploadConfig(cfg), RekorV2: s.rekorV2, RekorV1: s.rekorV1,
		Ready: s.readyInTime, Degraded: s.domain.listDegraded, Drift: s.drift.list, Trust: s.trustFiles(cfg), Own: s.domain.owns.serve, Authorize: s.authorize(auth.CheckRight), Notice: s.audit.check,
		CountItem: s.countItem, Refused: m.requests.countRefusal, Batches: &s.batches, Stopping: s.stopping, Panics: s.panics, Logger: s.logger,
	})
	for i := range s.listeners.callers {
		l := &s.listeners.callers[i]
		h := s.chainHandlers(routes, config.HTTP{Listen: l.config.Listen, AllowedHosts: l.config.AllowedHosts}, s.identifyRecorded(l.config.Listen), m)
		l.http = s.newPublicHTTP(h, s.certificates.callers[l.config.Listen])
	}
	return s.newPublicHTTP(s.chainHandlers(routes, cfg.HTTP, s.identifyRecorded(""), m), &s.certificates.http)
}

func (s *Server) uploadConfig(cfg *config.Config) upload.Config {
	return upload.Config{MaxArtifact: int64(cfg.Limits.MaxArtifactBytes), Spool: s.spool, Pace: upload.Pace{MinRate: int64(cfg.Limits.MinUploadRate)}}
}

func (s *Server) newPublicHTTP(h http.Handler, c *certificate) *http.Server {
	server := s.newHTTPServer(h)
	server.HTTP2 = newHTTP2Config(takeTimeout)
	server.TLSConfig = c.config()
	return server
}

// trustFiles are the trusted root in use, whatever is in its file since, and the gateway's own, which is read for each request: it
// grows as keys and logs are added.
func (s *Server) trustFiles(cfg *config.Config) api.TrustFiles {
	t := api.TrustFiles{TrustedRoot: func() ([]byte, error) { return *s.rootFile.Load(), nil }}
	if cfg.Attestation.GatewayTrust != "" {
		t.GatewayTrust = func() ([]byte, error) { return os.ReadFile(cfg.Attestation.GatewayTrust) }
	}
	return t
}

// newHTTP2Config closes connections to which nothing can be written for longer than take: the time limit of an answer
// ends its stream alone, and the connection, stuck in a write, would stay for ever.
func newHTTP2Config(take time.Duration) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams: upload.MaxRequests, MaxReceiveBufferPerConnection: upload.ConnectionWindow, MaxReceiveBufferPerStream: upload.ConnectionWindow,
		WriteByteTimeout: take, SendPingTimeout: idlePing, PingTimeout: pingTimeout,
	}
}

// chainHandlers wraps the routes h in what every request passes, from the outermost: tokens in paths, request id, delivery of
// refusals, Rekor's form of them at its paths, remote address, access log, Host and Origin checks, caller, rate limit, admission. The limits come
// after the caller, so that a caller with a name is counted by it. newGRPC has the same order.
func (s *Server) chainHandlers(h http.Handler, cfg config.HTTP, identify func(*http.Request) (middleware.Identity, error), m *metrics) http.Handler {
	h = middleware.AdmitRequests(h, middleware.APIPath, s.admission.requests)
	h = middleware.AdmitRequests(h, rekorcompat.EntriesPath, s.admission.requests)
	h = middleware.AdmitRequests(h, rekorcompat.V1Path, s.admission.requests)
	h = middleware.AdmitRequests(h, middleware.OwnPath, s.admission.own)
	for _, read := range []string{rekorcompat.ReadPath, rekorcompat.NotePath} {
		h = middleware.AdmitRequests(h, read, s.admission.mirror)
	}
	h = middleware.LimitRate(h, s.rateLimit)
	h = middleware.IdentifyCaller(h, identify, s.rateLimit)
	h = middleware.BlockForeignPages(h, cfg.Listen, cfg.AllowedHosts)
	h = middleware.LogAccess(h, s.access, m.requests.countRequest, s.panics)
	h = middleware.TraceRequests(h, s.tracing.requestTracer())
	h = rekorcompat.AnswerAsRekor(s.proxies.FindRemote(h))
	return takePathTokens(middleware.NameRequest(middleware.DeliverRefusals(h, middleware.Linger{
		Time: upload.LingerTime, Idle: upload.LingerIdle, IdleStream: upload.LingerIdleStream, Bytes: upload.LingerBytes, Most: upload.LingerMost,
	})))
}

func (s *Server) newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: keepAliveTimeout, MaxHeaderBytes: upload.MaxMetadata - headerSlop,
		ErrorLog: newErrorLog(s.logger),
	}
}

// newAdmin serves what only operators should see. Nothing there takes a body, and web pages are kept out as on the public
// listener.
func (s *Server) newAdmin(cfg config.Admin, m *metrics) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.serveMetrics(m))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeState(w)(http.StatusOK, []byte(`{"status":"ok"}`)) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		err := s.readyInTime(r.Context())
		if err != nil {
			s.logger.Warn("not ready", "error", err)
		}
		writeState(w)(api.EncodeReadiness(err, s.domain.listDegraded(), s.drift.list(), s.audit.check()))
	})
	if cfg.Pprof {
		addProfiles(mux)
	}
	server := s.newHTTPServer(middleware.BlockForeignPages(api.RefuseUncleanPaths(mux), cfg.Listen, cfg.AllowedHosts))
	server.ReadTimeout, server.WriteTimeout = readHeaderTimeout, time.Minute
	return server
}

// serveMetrics serves what can be read. A store that cannot be takes its own metrics away, not those that say so.
func (s *Server) serveMetrics(m *metrics) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, ErrorLog: slog.NewLogLogger(s.logger.Handler(), slog.LevelWarn),
	})
}

// readyTimeout bounds one look at the gateway's readiness, and is how often gRPC health looks.
const readyTimeout = 5 * time.Second

// readyInTime is Ready, within readyTimeout.
func (s *Server) readyInTime(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return s.Ready(ctx)
}

func writeState(w http.ResponseWriter) func(status int, body []byte) {
	return func(status int, body []byte) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(body, '\n'))
	}
}
