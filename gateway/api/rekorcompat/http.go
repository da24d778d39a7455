// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"net/http"
	"strconv"
	"strings"

	rekorv2pb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/transparency-dev/tessera/api/layout"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Paths of Rekor's own API.
const (
	Path        = "/api/"
	EntriesPath = "/api/v2/log/entries"
	ReadPath    = "/api/v2/tile/"
	NotePath    = "/api/v2/checkpoint"
)

// What may be kept by clients, and by nobody in between: who may read it, the gateway's operator says.
const (
	cacheTile       = "private, max-age=600" // the same path is of another log once the shard is another
	cacheCheckpoint = "private, max-age=1"
)

// ServeCreate takes POST /api/v2/log/entries. The answer is 201 also for what is sent again: the clients of Rekor v2 take no other status.
func (v *V2) ServeCreate(w http.ResponseWriter, r *http.Request) error {
	entry, err := v.createEntry(r.Context(), func() (*rekorv2pb.CreateEntryRequest, error) {
		raw, held, err := v.uploads.ReadRekorJSON(r, http.NewResponseController(w))
		if err != nil {
			return nil, err
		}
		defer held.Close()
		return decodeRequest(raw)
	})
	if err != nil {
		return err
	}
	body, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(entry)
	if err != nil {
		return err
	}
	write(w, http.StatusCreated, "application/json", body)
	return nil
}

// ServeCheckpoint takes GET /api/v2/checkpoint.
func (v *V2) ServeCheckpoint(w http.ResponseWriter, r *http.Request) error {
	cp, err := v.mirror.readCheckpoint(r.Context())
	if err != nil {
		return refuseRead(w, err)
	}
	w.Header().Set("Cache-Control", cacheCheckpoint)
	write(w, http.StatusOK, "text/plain; charset=utf-8", cp.Envelope)
	return nil
}

// ServeTile takes GET /api/v2/tile/{level}/{index...}.
func (v *V2) ServeTile(w http.ResponseWriter, r *http.Request) error {
	level, index, partial, err := layout.ParseTileLevelIndexPartial(r.PathValue("level"), r.PathValue("index"))
	if err != nil {
		return refuseRead(w, gateway.ErrNotFound)
	}
	raw, err := v.mirror.readTile(r.Context(), level, index, partial)
	return writeTile(w, raw, err)
}

// ServeBundle takes GET /api/v2/tile/entries/{index...}.
func (v *V2) ServeBundle(w http.ResponseWriter, r *http.Request) error {
	index, partial, err := layout.ParseTileIndexPartial(r.PathValue("index"))
	if err != nil {
		return refuseRead(w, gateway.ErrNotFound)
	}
	raw, err := v.mirror.readEntries(r.Context(), index, partial)
	return writeTile(w, raw, err)
}

func writeTile(w http.ResponseWriter, raw []byte, err error) error {
	if err != nil {
		return refuseRead(w, err)
	}
	w.Header().Set("Cache-Control", cacheTile)
	write(w, http.StatusOK, "application/octet-stream", raw)
	return nil
}

// refuseRead answers 404 for what is not there, in words that are not about submissions.
func refuseRead(w http.ResponseWriter, err error) error {
	if isNotFound(err) {
		problem.NoSuchPath().WriteHTTP(w)
		return nil
	}
	return err
}

// write sends an answer. A failure to send is the client's.
func write(w http.ResponseWriter, status int, mediaType string, body []byte) {
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) //nolint:gosec // JSON and bytes of a log, sent as such
}

// AnswerAsRekor has what is refused at Rekor's paths, by whatever stands in front of the routes, told as Rekor's server tells it: as
// google.rpc.Status, with the reason and the hint in the message; at those of Rekor v1 as that says errors.
func AnswerAsRekor(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, Path) {
			next.ServeHTTP(w, r)
			return
		}
		converting := &statusWriter{ResponseWriter: w, v1: strings.HasPrefix(r.URL.Path, V1Path)}
		defer converting.flush()
		next.ServeHTTP(converting, r)
	})
}

// statusWriter converts problems, which are written at once.
type statusWriter struct {
	http.ResponseWriter
	v1      bool
	pending int // status of a problem whose body is still to come; 0: none
}

// Unwrap lets http.ResponseController reach the connection.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	if status >= http.StatusBadRequest && problem.IsProblem(w.Header()) {
		w.pending = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *statusWriter) Write(body []byte) (int, error) {
	if w.pending == 0 {
		return w.ResponseWriter.Write(body)
	}
	converted := problem.ConvertToStatus(w.Header(), body)
	if w.v1 {
		converted = problem.ConvertToRekorV1(w.Header(), w.pending, body)
	}
	if converted != nil {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(converted)))
		w.flush()
		_, err := w.ResponseWriter.Write(converted) //nolint:gosec // JSON, sent as such
		return len(body), err
	}
	w.flush()
	return w.ResponseWriter.Write(body)
}

func (w *statusWriter) flush() {
	if status := w.pending; status != 0 {
		w.pending = 0
		w.ResponseWriter.WriteHeader(status)
	}
}
