// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/transparency-dev/tessera/api/layout"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// OwnLog serves a log of the gateway's own (https://c2sp.org/tlog-tiles). Errors are gateway.ErrNotFound for what is not anchored, or not there.
type OwnLog interface {
	ReadCheckpoint(ctx context.Context) ([]byte, error)
	ReadTile(ctx context.Context, t tiletree.Tile) ([]byte, error)
	ReadEntries(ctx context.Context, index uint64, width int) ([]byte, error)
}

// ownPath is what the paths of all own logs begin with. Nothing there needs a credential.
const ownPath = "/own/"

// What is served of a tree does not change, but for its checkpoint.
const (
	cacheTile       = "public, max-age=31536000, immutable"
	cacheCheckpoint = "public, max-age=1"
)

// findOwn returns the log that the path names. The error is gateway.ErrNotFound where there is none.
func (h *httpServer) findOwn(r *http.Request) (OwnLog, error) {
	if h.cfg.Own == nil {
		return nil, gateway.ErrNotFound
	}
	return h.cfg.Own(r.Context(), r.PathValue("tree"))
}

func (h *httpServer) serveOwnCheckpoint(w http.ResponseWriter, r *http.Request) error {
	log, err := h.findOwn(r)
	if err != nil {
		return refuseTile(w, err)
	}
	body, err := log.ReadCheckpoint(r.Context())
	if err != nil {
		return refuseTile(w, err)
	}
	return writeTile(w, "text/plain; charset=utf-8", cacheCheckpoint, body)
}

func (h *httpServer) serveOwnTile(w http.ResponseWriter, r *http.Request) error {
	level, index, width, err := layout.ParseTileLevelIndexPartial(r.PathValue("level"), r.PathValue("index"))
	if err != nil || level > 63 {
		return noSuchTile(w)
	}
	log, err := h.findOwn(r)
	if err != nil {
		return refuseTile(w, err)
	}
	body, err := log.ReadTile(r.Context(), tiletree.Tile{Level: uint8(level), Index: index, Width: widthOf(width)})
	if err != nil {
		return refuseTile(w, err)
	}
	return writeTile(w, "application/octet-stream", cacheTile, body)
}

func (h *httpServer) serveOwnEntries(w http.ResponseWriter, r *http.Request) error {
	index, width, err := layout.ParseTileIndexPartial(r.PathValue("index"))
	if err != nil {
		return noSuchTile(w)
	}
	log, err := h.findOwn(r)
	if err != nil {
		return refuseTile(w, err)
	}
	body, err := build(r.Context(), h.bundles, func() ([]byte, error) { return log.ReadEntries(r.Context(), index, widthOf(width)) },
		func(body []byte) int { return cap(body) })
	if err != nil {
		return refuseTile(w, err)
	}
	return writeTile(w, "application/octet-stream", cacheTile, body)
}

// widthOf is that of a tile whose path says how many of 256 it has, or 0 for all.
func widthOf(partial uint8) int {
	if partial == 0 {
		return layout.TileWidth
	}
	return int(partial)
}

// refuseTile answers 404 for what is not there, or not yet.
func refuseTile(w http.ResponseWriter, err error) error {
	if errors.Is(err, gateway.ErrNotFound) {
		return noSuchTile(w)
	}
	return err
}

func noSuchTile(w http.ResponseWriter) error {
	problem.NoSuchPath().WriteHTTP(w)
	return nil
}

// writeTile sends body as it is: signatures and hashes are over each byte of it.
func writeTile(w http.ResponseWriter, mediaType, cache string, body []byte) error {
	header := w.Header()
	header.Set("Content-Type", mediaType)
	header.Set("Cache-Control", cache)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) //nolint:gosec // hashes and records of the store, as no kind of text that a browser runs; a failure to send is the client's
	return nil
}

// isOwnPath reports whether a path is of an own log.
func isOwnPath(path string) bool { return strings.HasPrefix(path, ownPath) }
