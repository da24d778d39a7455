// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// startRekorV1Gateway runs a gateway over a real Rekor v1, and returns its URL and its configuration.
func startRekorV1Gateway(t *testing.T) (url string, c config.Config, other *trustroot.Root) {
	t.Helper()
	log, dir := rekorv1test.Start(t), t.TempDir()
	rootOf := func(spki []byte) *trustroot.Root {
		r, err := trustroot.New(trustroot.LogKey{Origin: rekorv1test.Hostname, SPKI: spki, Start: time.Now().Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	c = config.Default()
	c.TrustedRoot = filepath.Join(dir, "trusted_root.json")
	if err := rootOf(log.Key).Write(c.TrustedRoot); err != nil {
		t.Fatal(err)
	}
	c.HTTP.Listen, c.GRPC.Listen, c.Admin.Listen = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	inline := config.DefaultInlineMax
	c.Logs = []config.Log{{ID: "log", InlineMax: &inline, Kind: config.KindRekorV1, Origin: rekorv1test.Hostname + " - " + strconv.FormatInt(log.TreeID(), 10), URL: log.URL}}
	c.Store.SQLite.Path = filepath.Join(dir, "store.db")
	c.Attestation.Key, c.Attestation.CreateKey = filepath.Join(dir, "key.pem"), true
	c.Attestation.GatewayTrust = filepath.Join(dir, "gateway_trust.json")
	s, err := server.Build(t.Context(), &c, server.Options{Logger: slog.New(slog.DiscardHandler), Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.Addresses().HTTP, c, rootOf(encodeKey(t, newKey(t)))
}

// TestSigstoreGoVerifiesRekorV1: what is exported of receipts of a real Rekor v1 verifies with sigstore-go, offline, with the time that the log has
// promised; with another key of the log it does not, nor without that promise. What stock clients know no such entry for has no export: a
// rekord, and a statement, which they look for in entries of the kinds dsse and intoto alone.
func TestSigstoreGoVerifiesRekorV1(t *testing.T) {
	t.Parallel()
	url, c, other := startRekorV1Gateway(t)
	trusted, err := trustroot.Load(c.TrustedRoot)
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := trustroot.LoadGateway(c.Attestation.GatewayTrust)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now().Add(-time.Minute)
	for _, v := range []vector{
		{"x509", "p256.sig", "p256.pem", "artifact.bin", native},
		{"x509", "rsa2048.sig", "rsa2048.pem", "artifact.bin", native},
		{"pgp", "rsa3072-SHA256.sig", "rsa3072.key", "artifact", projected},
		{"pkcs7", "rsa2048.der", "rsa2048-cert.pem", "artifact.bin", projected},
	} {
		s := submitVector(t, url, v)
		s.options.TrustedRoot, s.options.GatewayTrust, s.otherRoot = trusted, gateway, other
		for _, e := range export(t, s) {
			at, err := e.verifyTime()
			if err != nil {
				t.Fatalf("%s: %v", e.line, err)
			}
			if at.Before(began) || at.After(time.Now().Add(time.Minute)) {
				t.Errorf("%s: its time is %v", e.line, at)
			}
			for name, bad := range alter(t, e) {
				if _, err := bad.verifyTime(); err == nil {
					t.Errorf("%s: %s verifies", e.line, name)
				}
			}
			e.bundle.VerificationMaterial.TlogEntries[0].InclusionPromise.SignedEntryTimestamp[8] ^= 1
			if _, err := e.verifyTime(); err == nil {
				t.Errorf("%s: another promise verifies", e.line)
			}
		}
	}
	for want, v := range map[string]vector{
		"kind rekord":                       {"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", native},
		"hashedrekord in a log of Rekor v1": {"x509", "p256.sig", "p256.pem", "artifact.bin", attested},
	} {
		s := submitVector(t, url, v)
		s.options.TrustedRoot, s.options.GatewayTrust, s.options.Artifact = trusted, gateway, bytes.NewReader(readFile(t, s.artifact))
		report, err := receipt.Verify(t.Context(), s.receipt, s.options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = report.ExportCosign(t.Context(), receipt.Export{Dir: t.TempDir(), Artifact: s.artifact, TrustedRoot: c.TrustedRoot})
		if formats.ReasonOf(err) != receipt.ReasonExportNotPossible || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

// verifyTime is verify, and returns the time that the log has promised.
func (e exported) verifyTime() (time.Time, error) {
	public, err := x509.ParsePKIXPublicKey(e.key)
	if err != nil {
		return time.Time{}, err
	}
	key, err := signature.LoadVerifier(public, e.hash.Hash())
	if err != nil {
		return time.Time{}, err
	}
	expiring := root.NewExpiringKey(key, time.Time{}, time.Time{})
	keys := root.NewTrustedPublicKeyMaterial(func(string) (root.TimeConstrainedVerifier, error) { return expiring, nil })
	v, err := verify.NewVerifier(root.TrustedMaterialCollection{e.root, keys}, verify.WithTransparencyLog(1), verify.WithIntegratedTimestamps(1))
	if err != nil {
		return time.Time{}, err
	}
	result, err := v.Verify(e.bundle, verify.NewPolicy(verify.WithArtifact(bytes.NewReader(e.blob)), verify.WithKey()))
	if err != nil {
		return time.Time{}, err
	}
	return result.VerifiedTimestamps[0].Timestamp, e.verify()
}

// submitVector has a gateway record a vector, and returns the receipt.
func submitVector(t *testing.T, url string, v vector) sample {
	t.Helper()
	dir := filepath.Join("../../formats", v.format, "testdata")
	key := readFile(t, filepath.Join(dir, v.key))
	s := sample{name: "Rekor v1 " + v.format + " " + v.signature, artifact: filepath.Join(dir, v.artifact)}
	s.options = receipt.Options{Registry: all.Formats(), Now: time.Now(), ExpectedKeys: [][]byte{key}}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, part := range []struct {
		name    string
		content []byte
	}{
		{"format", []byte(v.format)}, {"representation", []byte(v.as.String())}, {"signature", readFile(t, filepath.Join(dir, v.signature))}, {"key", key},
		{"artifact", readFile(t, s.artifact)},
	} {
		w, err := form.CreateFormFile(part.name, part.name)
		if err == nil {
			_, err = w.Write(part.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/submissions?wait=60s", &body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	request.Header.Set("Accept", "application/vnd.rekor-gateway.receipt.v1+json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s %s %v", s.name, response.Status, answer, err)
	}
	if s.receipt, err = receipt.Unmarshal(answer); err != nil {
		t.Fatal(err)
	}
	if s.receipt.GetRepresentation() != v.as {
		t.Fatalf("%s: %v, want %v", s.name, s.receipt.GetRepresentation(), v.as)
	}
	return s
}
