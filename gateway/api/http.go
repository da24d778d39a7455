// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"

	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// HTTPConfig bounds and guards the HTTP routes.
type HTTPConfig struct {
	Upload upload.Config
	Ready  func(context.Context) error // bounds its own time
	Logger *slog.Logger
}

type httpServer struct {
	service Service
	uploads *upload.Reader
	answers *builder
	ready   func(context.Context) error
	logger  *slog.Logger
}

// NewHTTP returns the routes of the public HTTP listener.
func NewHTTP(service Service, cfg HTTPConfig) http.Handler {
	h := &httpServer{service: service, uploads: upload.NewReader(cfg.Upload), answers: newBuilder(), ready: cfg.Ready, logger: cfg.Logger}
	mux := http.NewServeMux()
	for pattern, handle := range h.listRoutes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				h.writeError(w, r, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { serveNoRoute(mux, w, r) })
	return mux
}

// listRoutes lists every route; a test holds openapi.json to it.
func (h *httpServer) listRoutes() map[string]func(http.ResponseWriter, *http.Request) error {
	return map[string]func(http.ResponseWriter, *http.Request) error{
		"POST /v1/submissions":             h.serveSubmit,
		"POST /v1/submissions:plan":        h.servePlan,
		"GET /v1/submissions":              h.serveList,
		"GET /v1/submissions/{id}":         h.serveSubmission,
		"GET /v1/submissions/{id}/receipt": h.serveReceipt,
		"GET /v1/statements/{leaf}":        h.serveStatement,
		"GET /v1/formats":                  h.serveFormats,
		"GET /healthz":                     h.serveHealth,
		"GET /readyz":                      h.serveReadiness,
		"GET /openapi.json":                h.serveOpenAPI,
	}
}

// writeError answers with err as package problem maps it.
func (h *httpServer) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.FromError(err)
	p.LogCause(r.Context(), h.logger, err, "method", r.Method, "route", r.Pattern)
	p.WriteHTTP(w)
}

func (h *httpServer) serveSubmission(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.service.Get(r.Context(), tenantOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	body, err := buildJSON(r.Context(), h.answers, func() (*pb.Submission, error) {
		return convertSubmission(r.Context(), h.service, sub, true)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, body)
}

func (h *httpServer) serveReceipt(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.service.Get(r.Context(), tenantOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	if sub.State != gateway.Logged {
		return errNotLogged
	}
	body, err := build(r.Context(), h.answers, func() ([]byte, error) {
		rec, err := h.service.Receipt(r.Context(), sub)
		if err != nil {
			return nil, err
		}
		return receipt.Marshal(rec)
	}, func(body []byte) int { return cap(body) })
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="receipt.json"`)
	return writeJSON(w, http.StatusOK, body)
}

// serveStatement is for auditors: the log holds only the hash of what the gateway stated.
func (h *httpServer) serveStatement(w http.ResponseWriter, r *http.Request) error {
	raw, err := hex.DecodeString(r.PathValue("leaf"))
	if err != nil || len(raw) != sha256.Size {
		return problem.Malformed("the leaf hash is not 64 hexadecimal digits", "it is the RFC 6962 leaf hash of the entry")
	}
	body, err := buildJSON(r.Context(), h.answers, func() (*dssepb.Envelope, error) {
		return h.service.Statement(r.Context(), gateway.LeafHash(raw))
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, body)
}

func (h *httpServer) serveList(w http.ResponseWriter, r *http.Request) error {
	request, err := parseListQuery(r)
	if err != nil {
		return err
	}
	body, err := buildJSON(r.Context(), h.answers, func() (*pb.ListSubmissionsResponse, error) {
		return listSubmissions(r.Context(), h.service, request)
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, body)
}

func (h *httpServer) serveFormats(w http.ResponseWriter, _ *http.Request) error {
	return writeMessage(w, http.StatusOK, listFormats(h.service.Formats()))
}

func (h *httpServer) serveHealth(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

func (h *httpServer) serveReadiness(w http.ResponseWriter, r *http.Request) error {
	if err := h.ready(r.Context()); err != nil {
		h.logger.Warn("not ready", "error", err)
		return writeJSON(w, http.StatusServiceUnavailable, []byte(`{"status":"not ready"}`))
	}
	return writeJSON(w, http.StatusOK, []byte(`{"status":"ready"}`))
}

func (h *httpServer) serveOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, openapi)
}

// serveNoRoute answers what no route takes: 405 where the path exists with other methods.
func serveNoRoute(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		problem.NoSuchPath().WriteHTTP(w)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	problem.WrongMethod(allowed).WriteHTTP(w)
}
