// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// postFields posts a submission as JSON, and returns the answer's body.
func (r *running) postFields(fields map[string]any) map[string]any {
	r.t.Helper()
	resp := must(http.Post(r.Addresses().HTTP+"/v1/submissions", "application/json", bytes.NewReader(must(json.Marshal(fields)))))
	defer resp.Body.Close()
	raw := must(io.ReadAll(resp.Body))
	var body map[string]any
	if err := json.Unmarshal(raw, &body); err != nil || resp.StatusCode != http.StatusCreated {
		r.t.Fatalf("%d %s: %v", resp.StatusCode, raw, err)
	}
	return body
}

// TestOwnLogAlgorithms: what Rekor v2 has no algorithm for is ATTESTED there, and the signer's own signature in the own log. Artifacts of PGP
// and minisign need not travel for that.
func TestOwnLogAlgorithms(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t)
	cfg := ownConfig(t, log)
	r := run(t, cfg)
	for _, c := range []struct {
		format, signature, key, artifact string
		want                             string
		kind                             string
		by                               string // the field that the digest goes into, "" for the bytes
	}{
		{"pgp", "rsa4096-SHA512.sig", "rsa4096.key", "artifact", "PROJECTED", hashedrekord.Kind, "signedDigest"},
		{"pgp", "ed25519.sig", "ed25519.key", "artifact", "PROJECTED", hashedrekord.MessageKind, "signedDigest"},
		{"pgp", "mixed.asc", "keyring.gpg", "artifact", "PROJECTED", hashedrekord.Kind, ""}, // two signatures, a record of each kind
		{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", "PROJECTED", hashedrekord.MessageKind, "digest"},
		{"minisign", "legacy.minisig", "signer.pub", "artifact.txt", "PROJECTED", hashedrekord.Kind, ""},
		{"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt", "PROJECTED", hashedrekord.MessageKind, ""},
		{"x509", "ed25519.sig", "ed25519.pem", "artifact.bin", "NATIVE", hashedrekord.Kind, ""},
	} {
		read := func(name string) []byte {
			return must(os.ReadFile(filepath.Join("../../formats", c.format, "testdata", name)))
		}
		fields := map[string]any{"signature": read(c.signature), "keys": [][]byte{read(c.key)}}
		artifact := read(c.artifact)
		if c.by == "" {
			fields["artifact"] = artifact
		} else {
			parsed := must(all.Formats().Parse(t.Context(), c.format, read(c.signature), [][]byte{read(c.key)}, formats.Policy{Now: time.Now()}))
			fields[c.by] = must(parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(artifact)))).Projections[0].SignedDigest().String()
		}
		body := r.postFields(fields)
		if body["representation"] != c.want {
			t.Errorf("%s: %v", c.signature, body["representation"])
		}
		raw := r.batchedReceipt(cfg, body["id"].(string), string(artifact))
		record, err := hashedrekord.Own.Parse(must(receipt.Unmarshal(raw)).GetEntries()[0].GetOwn().GetBody())
		if err != nil || record.Kind() != c.kind {
			t.Errorf("%s: %s, %v", c.signature, record.Kind(), err)
		}
		if c.by != "" {
			continue // to attest that, the file is needed
		}
		fields["way"] = "DIRECT"
		if direct := r.postFields(fields); direct["representation"] != "ATTESTED" {
			t.Errorf("%s, directly: %v", c.signature, direct["representation"])
		}
	}
	r.end()
}
