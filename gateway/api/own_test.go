// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// namedTree answers with what it was asked for, where it is in the list.
type namedTree []string

func (n namedTree) find(asked string) ([]byte, error) {
	for _, has := range n {
		if has == asked {
			return []byte(asked), nil
		}
	}
	return nil, fmt.Errorf("reading %s: %w", asked, gateway.ErrNotFound)
}

func (n namedTree) ReadCheckpoint(context.Context) ([]byte, error) { return n.find("checkpoint") }

func (n namedTree) ReadTile(_ context.Context, t tiletree.Tile) ([]byte, error) {
	if t.Level == 9 {
		return nil, errors.New("reading /secret/place: input/output error")
	}
	return n.find(fmt.Sprintf("tile %d %d %d", t.Level, t.Index, t.Width))
}

func (n namedTree) ReadEntries(_ context.Context, index uint64, width int) ([]byte, error) {
	return n.find(fmt.Sprintf("entries %d %d", index, width))
}

// getBytes is do for what is no JSON.
func (s *server) getBytes(path string) answered {
	s.t.Helper()
	r, out := s.send(http.MethodGet, path, "", nil)
	if !strings.Contains(path, "/x") && !strings.Contains(path, ".p/") { // openapi.json has no parameters with slashes
		recordExchange(s.t, r, nil, out)
	}
	return out
}

// The paths of an own log are those of tlog-tiles. What is served is for everybody to keep, the checkpoint for a second.
func TestOwnLogPaths(t *testing.T) {
	trees := map[string]namedTree{"own-one": {"checkpoint", "tile 0 0 256", "tile 1 0 7", "tile 0 1234067 1", "entries 0 256", "entries 5 255"}, "own-empty": {}}
	s := serveWith(t, func(c *HTTPConfig) {
		c.Own = func(_ context.Context, name string) (OwnLog, error) {
			if log, ok := trees[name]; ok {
				return log, nil
			}
			return nil, gateway.ErrNotFound
		}
	})
	for path, want := range map[string]struct{ body, mediaType, cache string }{
		"checkpoint":                        {"checkpoint", "text/plain; charset=utf-8", "public, max-age=1"},
		"tile/0/000":                        {"tile 0 0 256", "application/octet-stream", "public, max-age=31536000, immutable"},
		"tile/1/000.p/7":                    {"tile 1 0 7", "application/octet-stream", "public, max-age=31536000, immutable"},
		"tile/0/x001/x234/067.p/1":          {"tile 0 1234067 1", "application/octet-stream", "public, max-age=31536000, immutable"},
		"tile/entries/000":                  {"entries 0 256", "application/octet-stream", "public, max-age=31536000, immutable"},
		"tile/entries/005.p/255":            {"entries 5 255", "application/octet-stream", "public, max-age=31536000, immutable"},
		"tile/0/001":                        {},
		"tile/0/000.p/0":                    {},
		"tile/0/000.p/256":                  {},
		"tile/0/000.p/7/":                   {},
		"tile/0/1":                          {},
		"tile/0/x000/001":                   {},
		"tile/64/000":                       {},
		"tile/-1/000":                       {},
		"tile/entries/001":                  {},
		"tile/entries/x":                    {},
		"tile/entries/18446744073709551616": {},
		"":                                  {},
		"tile":                              {},
	} {
		a := s.getBytes("/own/own-one/" + path)
		if want.body == "" {
			if a.status != http.StatusNotFound {
				t.Errorf("%s: %d %q", path, a.status, a.raw)
			}
			continue
		}
		if a.status != http.StatusOK || string(a.raw) != want.body || a.header.Get("Content-Type") != want.mediaType || a.header.Get("Cache-Control") != want.cache {
			t.Errorf("%s: %d %q %v, want %+v", path, a.status, a.raw, a.header, want)
		}
	}
	for _, path := range []string{"own-empty/checkpoint", "own-other/checkpoint", "own-other/tile/0/000", "own-other/tile/entries/000"} {
		s.expect(s.do(http.MethodGet, "/own/"+path, "", nil), http.StatusNotFound, "NOT_FOUND")
	}
	s.expect(s.do(http.MethodGet, "/own/own-one/tile/9/000", "", nil), http.StatusInternalServerError, "INTERNAL")
	s.expect(s.do(http.MethodPost, "/own/own-one/checkpoint", "", nil), http.StatusMethodNotAllowed, "MALFORMED_REQUEST")
}
