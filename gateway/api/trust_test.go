// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

func serveTrust(t *testing.T, files TrustFiles) *server {
	t.Helper()
	log := gatewaytest.NewLog()
	handler := NewHTTP(startWith(t, log, func(*gatewaytest.Config) {}), HTTPConfig{
		Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact},
		Ready:  func(context.Context) error { return nil }, Trust: files, Logger: slog.New(slog.DiscardHandler),
	})
	s := &server{Server: httptest.NewServer(handler), t: t, log: log}
	t.Cleanup(s.Close)
	return s
}

func TestTrustFiles(t *testing.T) {
	fail := false
	read := func() ([]byte, error) {
		if fail {
			return nil, errors.New("reading /secret/place: no such file")
		}
		return []byte(`{"mediaType": "a root"}`), nil
	}
	s := serveTrust(t, TrustFiles{TrustedRoot: read})
	attesting := serveTrust(t, TrustFiles{TrustedRoot: read, GatewayTrust: read})
	attesting.expect(attesting.do(http.MethodGet, "/.well-known/rekor-gateway/gateway_trust.json", "", nil), http.StatusOK, "")
	root := s.do(http.MethodGet, "/.well-known/rekor-gateway/trusted_root.json", "", nil)
	s.expect(root, http.StatusOK, "")
	if root.text("mediaType") != "a root" {
		t.Errorf("got %s", root.raw)
	}
	s.expect(s.do(http.MethodGet, "/.well-known/rekor-gateway/gateway_trust.json", "", nil), http.StatusNotFound, "NOT_FOUND")
	fail = true
	s.expect(s.do(http.MethodGet, "/.well-known/rekor-gateway/trusted_root.json", "", nil), http.StatusInternalServerError, "INTERNAL")
}
