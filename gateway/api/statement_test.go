// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
)

// Auditors get the statement whose hash the log has, by the entry's leaf hash, and nothing else.
func TestStatementRoute(t *testing.T) {
	signer, err := attest.New(attest.Config{
		Active: filepath.Join(t.TempDir(), "key.pem"), Create: true, Verifier: statement.Verifier{Name: "rekor-gateway", Version: "test"},
	})
	if err != nil {
		t.Fatal(err)
	}
	log := gatewaytest.NewLog()
	service := startWith(t, log, func(c *gatewaytest.Config) { c.Attester = signer })
	handler := NewHTTP(service, HTTPConfig{
		Upload: upload.Config{MaxArtifact: testMaxArtifact, SpoolDir: t.TempDir(), MaxSpool: testMaxArtifact},
		Ready:  func(context.Context) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	})
	s := &server{Server: httptest.NewServer(handler), t: t, log: log}
	t.Cleanup(s.Close)

	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join("..", "..", "formats", "minisign", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	attested := s.post("/v1/submissions", field{"signature", read("prehashed.minisig")}, field{"key", read("signer.pub")}, field{"artifact", read("artifact.txt")})
	s.expect(attested, http.StatusCreated, "")
	envelope := s.do(http.MethodGet, "/v1/statements/"+leafOf(attested), "", nil)
	s.expect(envelope, http.StatusOK, "")
	payload, err := base64.StdEncoding.DecodeString(envelope.text("payload"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := statement.Parse(payload); err != nil {
		t.Errorf("the payload is no statement: %v: %.300s", err, payload)
	}

	sig, key, artifact, format := parts(t, "hello")
	native := s.post("/v1/submissions", sig, key, format, artifact)
	s.expect(native, http.StatusCreated, "")
	s.expect(s.do(http.MethodGet, "/v1/statements/"+leafOf(native), "", nil), http.StatusNotFound, "NOT_FOUND")
	s.expect(s.do(http.MethodGet, "/v1/statements/"+strings.Repeat("00", 32), "", nil), http.StatusNotFound, "NOT_FOUND")
	s.expect(s.do(http.MethodGet, "/v1/statements/00", "", nil), http.StatusBadRequest, "MALFORMED_REQUEST")
}

func leafOf(a answered) string {
	return a.body["entries"].([]any)[0].(map[string]any)["leafHash"].(string)
}
