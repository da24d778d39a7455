// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

const testMaxArtifact = 1 << 20

// start runs a gateway over log until the test ends.
func start(t testing.TB, log gateway.Log) *gatewaytest.Gateway {
	t.Helper()
	return startWith(t, log, func(*gatewaytest.Config) {})
}

func startWith(t testing.TB, log gateway.Log, change func(*gatewaytest.Config)) *gatewaytest.Gateway {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{MaxPending: 50})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	timing := gatewaytest.Quick
	timing.AddTimeout = time.Second
	cfg := gatewaytest.Config{Logs: []gateway.Log{log}, Store: store, Timing: timing}
	change(&cfg)
	g := gatewaytest.New(cfg)
	g.Start(t)
	return g
}

// server is the HTTP surface over a fake log.
type server struct {
	*httptest.Server
	t        *testing.T
	log      *gatewaytest.Log
	spoolDir string
}

func serve(t *testing.T, faults ...gatewaytest.Fault) *server {
	t.Helper()
	return serveWith(t, func(*HTTPConfig) {}, faults...)
}

func serveWith(t *testing.T, change func(*HTTPConfig), faults ...gatewaytest.Fault) *server {
	t.Helper()
	log, dir := gatewaytest.NewLog(faults...), t.TempDir()
	s := start(t, log)
	cfg := HTTPConfig{
		Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: dir, MaxSpool: testMaxArtifact},
		Ready:  func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	out := &server{Server: httptest.NewServer(NewHTTP(s, cfg)), t: t, log: log, spoolDir: dir}
	t.Cleanup(out.Close)
	return out
}

// answer is a response with its JSON read.
type answered struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

func (a answered) text(key string) string { s, _ := a.body[key].(string); return s }

func (s *server) do(method, path, contentType string, body io.Reader) answered {
	s.t.Helper()
	var sent bytes.Buffer
	if body != nil {
		body = io.TeeReader(body, &sent)
	}
	r, out := s.send(method, path, contentType, body)
	if err := json.Unmarshal(out.raw, &out.body); err != nil {
		s.t.Fatalf("%s %s: answer is no JSON: %v: %.200s", method, path, err, out.raw)
	}
	recordExchange(s.t, r, sent.Bytes(), out)
	return out
}

// send is do for what need not be JSON; it records nothing.
func (s *server) send(method, path, contentType string, body io.Reader) (*http.Request, answered) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.URL+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	res, err := s.Client().Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r, answered{status: res.StatusCode, header: res.Header, raw: raw}
}

// field is one part of a form.
type field struct{ name, value string }

func formBody(fields ...field) (string, io.Reader) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		var part io.Writer
		if f.name == "signature" || f.name == "key" || f.name == "artifact" {
			part, _ = w.CreateFormFile(f.name, "file")
		} else {
			part, _ = w.CreateFormField(f.name)
		}
		_, _ = io.WriteString(part, f.value)
	}
	_ = w.Close()
	return w.FormDataContentType(), &b
}

func (s *server) post(path string, fields ...field) answered {
	s.t.Helper()
	kind, body := formBody(fields...)
	return s.do(http.MethodPost, path, kind, body)
}

// parts are the form fields of a signed text.
func parts(t *testing.T, text string) (signature, key, artifact, format field) {
	t.Helper()
	r := gatewaytest.Signed(t, text)
	return field{"signature", string(r.Signature)}, field{"key", string(r.Keys[0])}, field{"artifact", text}, field{"format", "x509"}
}

func (s *server) expect(a answered, status int, reason string) {
	s.t.Helper()
	if a.status != status || a.text("reason") != reason {
		s.t.Errorf("got %d %s, want %d %s: %.300s", a.status, a.text("reason"), status, reason, a.raw)
	}
	if reason != "" && strings.Count(strings.TrimSpace(string(a.raw)), "\n") > 0 {
		s.t.Errorf("the problem is not on one line: %s", a.raw)
	}
}
