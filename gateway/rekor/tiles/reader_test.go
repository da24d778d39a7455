// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

func TestReadLimits(t *testing.T) {
	t.Parallel()
	elsewhere := rekortest.StartFake(t)
	tests := map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"redirect to another host": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.ReadURL()+r.URL.Path, http.StatusFound)
		}, "unavailable"},
		"endless redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, "unavailable"},
		"endless body": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		}, "bad answer"},
		"no answer": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "unavailable"},
		"not found": {http.NotFound, "unavailable"},
		"forbidden": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "unavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := rekortest.StartFake(t)
			fake.OnRead(func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.UserAgent() != "rekor-gateway" {
						t.Errorf("user agent %q", r.UserAgent())
					}
					test.handle(w, r)
				})
			})
			cfg := readerConfig(fake)
			cfg.Timeout = 200 * time.Millisecond
			r := newReader(t, cfg)
			if raw, err := r.Checkpoint(t.Context()); kind(err) != test.want || raw != nil {
				t.Errorf("got %d bytes, %v", len(raw), err)
			}
		})
	}
}

// TestMaxBundle: a bundle may be as large as the reader is told, and no larger.
func TestMaxBundle(t *testing.T) {
	fake := rekortest.StartFake(t)
	fake.Append(make([]byte, 100), make([]byte, 100))
	for limit, want := range map[int64]string{203: "bad answer", 204: "ok", 0: "ok"} {
		cfg := readerConfig(fake)
		cfg.MaxBundle = limit
		raw, err := newReader(t, cfg).Bundle(t.Context(), 0, 2)
		if kind(err) != want || err == nil && len(raw) != 204 {
			t.Errorf("limit %d: %d bytes, %v", limit, len(raw), err)
		}
	}
}

func TestNewReaderRefuses(t *testing.T) {
	for name, cfg := range map[string]tiles.ReaderConfig{
		"no URL":             {},
		"unknown scheme":     {URL: "file:///tmp"},
		"no host":            {URL: "https://"},
		"user":               {URL: "https://user:secret@log.test"},
		"query":              {URL: "https://log.test/?a=b"},
		"fragment":           {URL: "https://log.test/#x"},
		"control character":  {URL: "https://log.test/\x00"},
		"negative timeout":   {URL: "https://log.test", Timeout: -1},
		"negative MaxBundle": {URL: "https://log.test", MaxBundle: -1},
	} {
		if r, err := tiles.NewReader(cfg); err == nil || r != nil {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
}
