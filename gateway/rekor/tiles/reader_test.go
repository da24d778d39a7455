// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"bytes"
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
		"slow body": {func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte("log.example\n"))
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "unavailable"},
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

// TestPublished: what is handed on as it is published has the width that it is asked for by.
func TestPublished(t *testing.T) {
	fake := rekortest.StartFake(t)
	var served []byte
	fake.OnRead(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(served) })
	})
	r := newReader(t, readerConfig(fake))
	entry := []byte("\x00\x01a")
	for name, test := range map[string]struct {
		served        []byte
		partial       uint8
		tile, entries string
	}{
		"two hashes":               {make([]byte, 64), 2, "ok", "bad answer"},
		"a full tile for two":      {make([]byte, 256*32), 2, "bad answer", "bad answer"},
		"a full tile":              {bytes.Repeat([]byte{1}, 256*32), 0, "ok", "bad answer"},
		"a hash and a half":        {make([]byte, 48), 2, "bad answer", "bad answer"},
		"nothing":                  {nil, 2, "bad answer", "bad answer"},
		"a page":                   {[]byte("<html>"), 2, "bad answer", "bad answer"},
		"two entries":              {bytes.Repeat(entry, 2), 2, "bad answer", "ok"},
		"one entry too few":        {entry, 2, "bad answer", "bad answer"},
		"one too many":             {bytes.Repeat(entry, 3), 2, "bad answer", "bad answer"},
		"256 entries":              {bytes.Repeat(entry, 256), 0, "bad answer", "ok"},
		"an entry that is cut off": {[]byte("\x00\x01a\x00\x02a"), 2, "bad answer", "bad answer"},
		"a byte behind them":       {[]byte("\x00\x01a\x00\x01a\x00"), 2, "bad answer", "bad answer"},
	} {
		served = test.served
		tile, err := r.PublishedTile(t.Context(), 0, 0, test.partial)
		if kind(err) != test.tile || !bytes.Equal(tile, test.served) && err == nil || err != nil && tile != nil {
			t.Errorf("%s as a tile: %d bytes, %v", name, len(tile), err)
		}
		entries, err := r.PublishedBundle(t.Context(), 0, test.partial)
		if kind(err) != test.entries || !bytes.Equal(entries, test.served) && err == nil || err != nil && entries != nil {
			t.Errorf("%s as entries: %d bytes, %v", name, len(entries), err)
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
