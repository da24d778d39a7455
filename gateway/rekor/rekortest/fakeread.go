// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/transparency-dev/tessera/api/layout"
)

// OnRead puts a handler in front of the log's reads, of checkpoint, tiles and bundles; nil
// takes it away.
func (f *Fake) OnRead(wrap func(http.Handler) http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.onRead = wrap
}

// Unavailable is for OnRead: reads of paths below prefix fail.
func Unavailable(prefix string) func(http.Handler) http.Handler {
	return changeAnswers(prefix, func(w http.ResponseWriter, _ *httptest.ResponseRecorder) {
		http.Error(w, "unavailable", http.StatusServiceUnavailable)
	})
}

// Corrupted is for OnRead: reads of paths below prefix have a bit flipped in the last byte.
func Corrupted(prefix string) func(http.Handler) http.Handler {
	return changeAnswers(prefix, func(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
		raw := answer.Body.Bytes()
		if len(raw) > 0 {
			raw[len(raw)-1] ^= 1
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(raw)
	})
}

// Truncated is for OnRead: reads of paths below prefix lack their last 32 bytes.
func Truncated(prefix string) func(http.Handler) http.Handler {
	return changeAnswers(prefix, func(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
		raw := answer.Body.Bytes()
		w.WriteHeader(answer.Code)
		_, _ = w.Write(raw[:max(0, len(raw)-32)])
	})
}

func changeAnswers(prefix string, change func(http.ResponseWriter, *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, prefix) {
				next.ServeHTTP(w, r)
				return
			}
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			change(w, answer)
		})
	}
}

func (f *Fake) handleRead(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	wrap := f.onRead
	f.mu.Unlock()
	var handler http.Handler = http.HandlerFunc(f.serveResource)
	if wrap != nil {
		handler = wrap(handler)
	}
	handler.ServeHTTP(w, r)
}

func (f *Fake) serveResource(w http.ResponseWriter, r *http.Request) {
	raw, err := f.readResource(strings.TrimPrefix(r.URL.Path, "/"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(raw)
}

// readResource returns what is at a path. A partial tile or bundle is gone once the full one is
// published, as C2SP tlog-tiles allows.
func (f *Fake) readResource(path string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if path == layout.CheckpointPath {
		if f.override != nil {
			return f.override, nil
		}
		return f.signRoot(f.size, f.entries.computeRoot(f.size)), nil
	}
	level, rest, ok := strings.Cut(strings.TrimPrefix(path, "tile/"), "/")
	if !ok {
		return nil, errNoTile
	}
	if level == "entries" {
		index, partial, err := layout.ParseTileIndexPartial(rest)
		if err != nil || !f.hasTile(0, index, partial) {
			return nil, errors.Join(errNoTile, err)
		}
		return f.entries.encodeBundle(index, partial)
	}
	l, index, partial, err := layout.ParseTileLevelIndexPartial(level, rest)
	if err != nil || l > 7 || !f.hasTile(l, index, partial) {
		return nil, errors.Join(errNoTile, err)
	}
	return f.entries.encodeTile(l, index, partial)
}

// hasTile reports whether a tile is published, and not gone.
func (f *Fake) hasTile(level, index uint64, partial uint8) bool {
	nodes := f.size >> (level * layout.TileHeight)
	full := (index+1)*layout.TileWidth <= nodes
	return full == (partial == 0) && index*layout.TileWidth+tileWidth(partial) <= nodes
}
