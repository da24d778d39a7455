// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// HTTPConfig bounds and guards the HTTP routes.
type HTTPConfig struct {
	MaxArtifact int64 // bytes of one artifact
	SpoolDir    string
	MaxSpool    int64         // bytes of all spooled artifacts together
	IdleTimeout time.Duration // between two reads of a request's body; 0 means 60 s
	Ready       func(context.Context) error
	Logger      *slog.Logger
}

type httpServer struct {
	service Service
	cfg     HTTPConfig
	spool   *spool
	memory  *memory // that JSON bodies take
}

// NewHTTP returns the routes of the public HTTP listener.
func NewHTTP(service Service, cfg HTTPConfig) http.Handler {
	if cfg.IdleTimeout == 0 {
		cfg.IdleTimeout = idleTimeout
	}
	h := &httpServer{service: service, cfg: cfg, spool: &spool{dir: cfg.SpoolDir, max: cfg.MaxSpool}, memory: &memory{max: maxMemory}}
	mux := http.NewServeMux()
	for pattern, handle := range h.routes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := handle(w, r); err != nil {
				h.fail(w, r, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.notFound(mux, w, r) })
	return mux
}

// routes lists every route; a test holds openapi.json to it.
func (h *httpServer) routes() map[string]func(http.ResponseWriter, *http.Request) error {
	return map[string]func(http.ResponseWriter, *http.Request) error{
		"POST /v1/submissions":             h.submit,
		"POST /v1/submissions:plan":        h.plan,
		"GET /v1/submissions":              h.list,
		"GET /v1/submissions/{id}":         h.get,
		"GET /v1/submissions/{id}/receipt": h.receipt,
		"GET /v1/statements/{leaf}":        h.statement,
		"GET /v1/formats":                  h.formats,
		"GET /healthz":                     h.healthz,
		"GET /readyz":                      h.readyz,
		"GET /openapi.json":                h.openapi,
	}
}

func (h *httpServer) get(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.service.Get(r.Context(), tenant(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	out, err := submission(h.service, sub, true)
	if err != nil {
		return err
	}
	return writeMessage(w, http.StatusOK, out)
}

func (h *httpServer) receipt(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.service.Get(r.Context(), tenant(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	if sub.State != gateway.Logged {
		return errNotLogged
	}
	rec, err := h.service.Receipt(sub)
	if err != nil {
		return err
	}
	body, err := receipt.Marshal(rec)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Disposition", `attachment; filename="receipt.json"`)
	return writeJSON(w, http.StatusOK, body)
}

// statement serves auditors: the log holds only the hash of what the gateway stated.
func (h *httpServer) statement(w http.ResponseWriter, r *http.Request) error {
	raw, err := hex.DecodeString(r.PathValue("leaf"))
	if err != nil || len(raw) != sha256.Size {
		return malformed("the leaf hash is not 64 hexadecimal digits", "it is the RFC 6962 leaf hash of the entry")
	}
	envelope, err := h.service.Statement(r.Context(), gateway.LeafHash(raw))
	if err != nil {
		return err
	}
	return writeMessage(w, http.StatusOK, envelope)
}

func (h *httpServer) list(w http.ResponseWriter, r *http.Request) error {
	q, err := queryOf(r, "artifact", "signer", "state", "page_size", "page_token")
	if err != nil {
		return err
	}
	request := &pb.ListSubmissionsRequest{Artifact: q.Get("artifact"), Signer: q.Get("signer"), PageToken: q.Get("page_token")}
	if request.State, err = parseState(q.Get("state")); err != nil {
		return err
	}
	if s := q.Get("page_size"); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil {
			return malformed("the page size is no number", "use 1 to 1000")
		}
		request.PageSize = int32(n)
	}
	out, err := list(r.Context(), h.service, request)
	if err != nil {
		return err
	}
	return writeMessage(w, http.StatusOK, out)
}

func (h *httpServer) formats(w http.ResponseWriter, _ *http.Request) error {
	return writeMessage(w, http.StatusOK, listFormats(h.service.Formats()))
}

func (h *httpServer) healthz(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, []byte(`{"status":"ok"}`))
}

func (h *httpServer) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := h.cfg.Ready(ctx); err != nil {
		h.cfg.Logger.Warn("not ready", "error", err)
		return writeJSON(w, http.StatusServiceUnavailable, []byte(`{"status":"not ready"}`))
	}
	return writeJSON(w, http.StatusOK, []byte(`{"status":"ready"}`))
}

func (h *httpServer) openapi(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, openapi)
}

// notFound answers what no route takes: 405 where the path exists with other methods.
func (h *httpServer) notFound(mux *http.ServeMux, w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		probe := &http.Request{Method: method, URL: r.URL, Host: r.Host}
		if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		writeProblem(w, problem{status: http.StatusNotFound, reason: ReasonNotFound, message: "there is nothing here", hint: "see /openapi.json"})
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	writeProblem(w, problem{status: http.StatusMethodNotAllowed, reason: ReasonMalformedRequest,
		message: "this path does not take this method", hint: "use " + strings.Join(allowed, " or ")})
}

// fail answers with what the error map makes of err.
func (h *httpServer) fail(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.log(h.cfg.Logger, err, "method", r.Method, "route", r.Pattern)
	writeProblem(w, p)
}

// writeProblem answers with RFC 9457 problem details, on one line for build logs.
func writeProblem(w http.ResponseWriter, p problem) {
	if p.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(p.retryAfter.Seconds()))))
	}
	body, err := json.Marshal(struct {
		Title  string `json:"title"`
		Status int    `json:"status"`
		Reason string `json:"reason"`
		Detail string `json:"detail"`
		Hint   string `json:"hint,omitempty"`
	}{http.StatusText(p.status), p.status, string(p.reason), p.message, p.hint})
	if err != nil {
		p.status, body = http.StatusInternalServerError, []byte(`{"status":500,"reason":"INTERNAL"}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.status)
	_, _ = w.Write(append(body, '\n'))
}

func writeMessage(w http.ResponseWriter, status int, m proto.Message) error {
	body, err := marshalJSON(m)
	if err != nil {
		return err
	}
	return writeJSON(w, status, body)
}

// writeJSON sends body with a line end. A failure to send is the client's, and no error.
func writeJSON(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body[:len(body):len(body)], '\n')) // #nosec G705 -- JSON, sent as such
	return nil
}

// marshalJSON is protobuf's JSON without the white space it varies on purpose.
func marshalJSON(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	return compact(raw)
}
