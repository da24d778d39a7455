// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	dssepb "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// HTTPConfig bounds and guards the HTTP routes.
type HTTPConfig struct {
	Upload upload.Config
	Ready  func(context.Context) error // bounds its own time
	// Degraded returns the logs that cannot be used now, each with a gateway.Problem; nil: there are none.
	Degraded func() map[string]string
	// Notice returns what else does not work although submissions are taken; nil: nothing.
	Notice func() error
	// Drift returns where other gateways on the store do not agree with this one; nil: there are none.
	Drift func() []Drift
	Trust TrustFiles
	// Own returns a log of the gateway's own by its tree, ErrNotFound where there is none; nil: there are none.
	Own func(ctx context.Context, tree string) (OwnLog, error)
	// RekorV2 has Rekor v2's own routes; nil: there are none.
	RekorV2 *rekorcompat.V2
	// RekorV1 has Rekor v1's own routes; nil: there are none.
	RekorV1 *rekorcompat.V1
	// Authorize refuses callers who lack a right; nil: everybody may do everything.
	Authorize func(context.Context, gateway.Right) error
	// CountItem counts a submission of a batch against the rate limit of who sent the request, and returns the refusal; nil: there is
	// no limit.
	CountItem func(*http.Request) error
	// Refused is told why a submission of a batch was refused, which the answer's status does not say; nil: it is not.
	Refused func(formats.Reason)
	// Batches is shared with gRPC; nil: there are none over gRPC.
	Batches *Batches
	// Stopping ends when the gateway stops: batches are read no further then. nil: it does not.
	Stopping context.Context //nolint:containedctx // it is the gateway's, not a request's
	Panics   *panics.Reporter
	Logger   *slog.Logger
}

// setDefaults fills in what may be left out.
func (c *HTTPConfig) setDefaults() {
	if c.Degraded == nil {
		c.Degraded = func() map[string]string { return nil }
	}
	if c.Notice == nil {
		c.Notice = func() error { return nil }
	}
	if c.Drift == nil {
		c.Drift = func() []Drift { return nil }
	}
	if c.Authorize == nil {
		c.Authorize = func(context.Context, gateway.Right) error { return nil }
	}
	if c.CountItem == nil {
		c.CountItem = func(*http.Request) error { return nil }
	}
	if c.Refused == nil {
		c.Refused = func(formats.Reason) {}
	}
	if c.Batches == nil {
		c.Batches = new(Batches)
	}
	if c.Stopping == nil {
		c.Stopping = context.Background()
	}
}

type httpServer struct {
	service Service
	cfg     HTTPConfig
	uploads *upload.Reader
	answers *builder
	bundles *builder // of own logs: strangers who read them hold up no caller's answer
}

// NewHTTP returns the routes of the public HTTP listener.
func NewHTTP(service Service, cfg HTTPConfig) http.Handler {
	cfg.setDefaults()
	h := &httpServer{service: service, cfg: cfg, uploads: upload.NewReader(cfg.Upload), answers: newBuilder(), bundles: newBuilder()}
	mux := http.NewServeMux()
	for pattern, route := range h.listRoutes() {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			err := cfg.Authorize(r.Context(), route.right)
			if err == nil && !route.inPath && gateway.CallerFrom(r.Context()).InPath {
				err = errNotInPath
			}
			if err == nil {
				err = route.serve(w, r)
			}
			if err != nil {
				h.writeError(w, r, err)
			}
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { serveNoRoute(mux, w, r) })
	return RefuseUncleanPaths(mux)
}

// RefuseUncleanPaths answers 404 where a ServeMux would redirect: curl takes a redirect for success, and sends nothing
// to where it leads.
func RefuseUncleanPaths(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if clean := path.Clean(r.URL.Path); r.URL.Path != clean && (r.URL.Path != clean+"/" || clean == "/") {
			problem.NoSuchPath().WriteHTTP(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// route is what serves a pattern, and the right that a caller needs for it.
type route struct {
	serve func(http.ResponseWriter, *http.Request) error
	right gateway.Right
	// inPath: a token in the path of the URL is enough.
	inPath bool
}

// errNotInPath refuses what goes beyond sending a signature and reading what became of it.
var errNotInPath = formats.NewError(problem.ReasonForbidden, "a token in the path of a URL is not enough for that",
	"send a token of another kind, as Authorization: Bearer TOKEN")

// listRoutes lists every route; tests hold openapi.json and docs/access.md to it.
func (h *httpServer) listRoutes() map[string]route {
	return map[string]route{
		"POST /v1/submissions":             {h.serveSubmit, gateway.MaySubmit, true},
		"POST /v1/submissions:batch":       {h.serveBatch, gateway.MaySubmit, false},
		"POST /v1/submissions:plan":        {h.servePlan, gateway.MaySubmit, false},
		"GET /v1/submissions":              {h.serveList, gateway.MayRead, false},
		"GET /v1/submissions/{id}":         {h.serveSubmission, gateway.MayRead, true},
		"GET /v1/submissions/{id}/receipt": {h.serveReceipt, gateway.MayRead, true},
		"GET /v1/statements/{leaf}":        {h.serveStatement, gateway.MayRead, false},
		"GET /v1/audit":                    {h.serveAudit, gateway.MayAudit, false},
		"GET /v1/formats":                  {h.serveFormats, gateway.NoRight, false},
		"GET /healthz":                     {h.serveHealth, gateway.NoRight, false},
		"GET /readyz":                      {h.serveReadiness, gateway.NoRight, false},
		"GET /openapi.json":                {h.serveOpenAPI, gateway.NoRight, false},

		"GET /.well-known/rekor-gateway/trusted_root.json":  {h.serveTrustedRoot, gateway.NoRight, false},
		"GET /.well-known/rekor-gateway/gateway_trust.json": {h.serveGatewayTrust, gateway.NoRight, false},

		"POST " + rekorcompat.EntriesPath:     {h.serveRekor((*rekorcompat.V2).ServeCreate), gateway.MaySubmit, true},
		"GET " + rekorcompat.NotePath:         {h.serveRekor((*rekorcompat.V2).ServeCheckpoint), gateway.MayRead, true},
		"GET /api/v2/tile/{level}/{index...}": {h.serveRekor((*rekorcompat.V2).ServeTile), gateway.MayRead, true},
		"GET /api/v2/tile/entries/{index...}": {h.serveRekor((*rekorcompat.V2).ServeBundle), gateway.MayRead, true},

		"POST " + rekorcompat.V1EntriesPath:  {h.serveRekorV1((*rekorcompat.V1).ServeCreate), gateway.MaySubmit, true},
		"GET " + rekorcompat.V1EntriesPath:   {h.serveRekorV1((*rekorcompat.V1).ServeEntryByIndex), gateway.MayRead, true},
		"GET /api/v1/log/entries/{id}":       {h.serveRekorV1((*rekorcompat.V1).ServeEntryByID), gateway.MayRead, true},
		"POST " + rekorcompat.V1RetrievePath: {h.serveRekorV1((*rekorcompat.V1).ServeRetrieve), gateway.MayRead, true},
		"POST " + rekorcompat.V1IndexPath:    {h.serveRekorV1((*rekorcompat.V1).ServeSearch), gateway.MayRead, true},
		"GET " + rekorcompat.V1LogPath:       {h.serveRekorV1((*rekorcompat.V1).ServeLog), gateway.MayRead, true},
		"GET " + rekorcompat.V1KeyPath:       {h.serveRekorV1((*rekorcompat.V1).ServeKey), gateway.MayRead, true},
		"GET " + rekorcompat.V1ProofPath:     {h.serveRekorV1((*rekorcompat.V1).ServeProof), gateway.MayRead, true},
		"GET " + rekorcompat.PingPath:        {h.serveRekorV1((*rekorcompat.V1).ServePing), gateway.NoRight, true},

		"GET /own/{tree}/checkpoint":              {h.serveOwnCheckpoint, gateway.NoRight, false},
		"GET /own/{tree}/tile/{level}/{index...}": {h.serveOwnTile, gateway.NoRight, false},
		"GET /own/{tree}/tile/entries/{index...}": {h.serveOwnEntries, gateway.NoRight, false},
	}
}

// serveRekor returns what serves a route of Rekor v2, where there are any.
func (h *httpServer) serveRekor(serve func(*rekorcompat.V2, http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if h.cfg.RekorV2 == nil {
			problem.NoSuchPath().WriteHTTP(w)
			return nil
		}
		return serve(h.cfg.RekorV2, w, r)
	}
}

// serveRekorV1 is serveRekor for Rekor v1.
func (h *httpServer) serveRekorV1(serve func(*rekorcompat.V1, http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if h.cfg.RekorV1 == nil {
			problem.NoSuchPath().WriteHTTP(w)
			return nil
		}
		return serve(h.cfg.RekorV1, w, r)
	}
}

// writeError answers with err as package problem maps it.
func (h *httpServer) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := problem.FromError(err)
	p.LogCause(r.Context(), h.cfg.Logger, err, "method", r.Method, "route", r.Pattern)
	p.WriteHTTP(w)
}

func (h *httpServer) serveSubmission(w http.ResponseWriter, r *http.Request) error {
	w.Header().Add("Vary", "Accept")
	if wantsReceipt(r) {
		return h.serveReceipt(w, r)
	}
	sub, err := h.service.Get(r.Context(), tenantOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.writeSubmission(w, r, http.StatusOK, sub)
}

// writeSubmission sends sub, with its receipt when it is logged.
func (h *httpServer) writeSubmission(w http.ResponseWriter, r *http.Request, status int, sub gateway.Submission) error {
	body, eta, err := h.buildSubmission(r.Context(), sub)
	if err != nil {
		return err
	}
	if status == http.StatusAccepted {
		w.Header().Set("Retry-After", strconv.Itoa(retrySeconds(eta, time.Now())))
	}
	return h.writeJSON(w, r, status, body)
}

// buildSubmission returns sub as JSON, with its receipt when it is logged, or when it will be, as far as that is known.
func (h *httpServer) buildSubmission(ctx context.Context, sub gateway.Submission) (body []byte, eta *timestamppb.Timestamp, err error) {
	body, err = buildJSON(ctx, h.answers, func() (*pb.Submission, error) {
		out, err := convertSubmission(ctx, h.service, sub, true)
		eta = out.GetEta()
		return out, err
	})
	return body, eta, err
}

// Bounds on the seconds after which who was answered 202 is told to ask again.
const (
	soonestRetry = 1
	usualRetry   = 30 // where there is no estimate
	latestRetry  = 60
)

func retrySeconds(eta *timestamppb.Timestamp, now time.Time) int {
	if eta == nil {
		return usualRetry
	}
	return int(min(max(math.Ceil(eta.AsTime().Sub(now).Seconds()), soonestRetry), latestRetry))
}

func (h *httpServer) serveReceipt(w http.ResponseWriter, r *http.Request) error {
	sub, err := h.service.Get(r.Context(), tenantOf(r.Context()), r.PathValue("id"))
	if err != nil {
		return err
	}
	if sub.State != gateway.Logged {
		return errNotLogged
	}
	return h.writeReceipt(w, r, http.StatusOK, sub, "")
}

// writeReceipt sends the receipt of a logged submission. artifact is the artifact's file name, "" if it is not known.
func (h *httpServer) writeReceipt(w http.ResponseWriter, r *http.Request, status int, sub gateway.Submission, artifact string) error {
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
	w.Header().Set("Content-Disposition", receiptDisposition(artifact))
	return h.writeBody(w, r, status, receipt.MediaType, body)
}

// serveStatement is for auditors: the log holds only the hash of what the gateway stated.
func (h *httpServer) serveStatement(w http.ResponseWriter, r *http.Request) error {
	raw, err := hex.DecodeString(r.PathValue("leaf"))
	if err != nil || len(raw) != sha256.Size {
		return problem.Malformed("the leaf hash is not 64 hexadecimal digits", "it is the RFC 6962 leaf hash of the entry")
	}
	body, err := buildJSON(r.Context(), h.answers, func() (*dssepb.Envelope, error) {
		return h.service.Statement(r.Context(), tenantOf(r.Context()), gateway.LeafHash(raw))
	})
	if err != nil {
		return err
	}
	return h.writeJSON(w, r, http.StatusOK, body)
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
	return h.writeJSON(w, r, http.StatusOK, body)
}

func (h *httpServer) serveFormats(w http.ResponseWriter, r *http.Request) error {
	return h.writeMessage(w, r, listFormats(h.service.Formats()))
}

func (h *httpServer) serveHealth(w http.ResponseWriter, r *http.Request) error {
	return h.writeJSON(w, r, http.StatusOK, []byte(`{"status":"ok"}`))
}

func (h *httpServer) serveReadiness(w http.ResponseWriter, r *http.Request) error {
	err := h.cfg.Ready(r.Context())
	if err != nil {
		h.cfg.Logger.Warn("not ready", "error", err)
	}
	status, body := EncodeReadiness(err, h.cfg.Degraded(), h.cfg.Drift(), h.cfg.Notice())
	return h.writeJSON(w, r, status, body)
}

func (h *httpServer) serveOpenAPI(w http.ResponseWriter, r *http.Request) error {
	return h.writeJSON(w, r, http.StatusOK, openapi)
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
