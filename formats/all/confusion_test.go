// SPDX-License-Identifier: Apache-2.0

package all_test

import (
	"bytes"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// readTestdata reads files of one format's test data, separated by spaces.
func readTestdata(t *testing.T, format, names string) [][]byte {
	t.Helper()
	var out [][]byte
	for _, name := range strings.Fields(names) {
		b, err := os.ReadFile(filepath.Join("..", format, "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// TestProjectionsAreNoX509: what PGP, SSH, PKCS #7 and TUF sign, with the very signature and key, is a valid X.509 signature
// over bytes that must not pass for an artifact.
func TestProjectionsAreNoX509(t *testing.T) {
	for _, c := range []struct{ format, signature, keys, artifact string }{
		{"pgp", "rsa2048-SHA256.sig", "rsa2048.key", "artifact"},
		{"pgp", "rsa3072-SHA512.sig", "rsa3072.key", "artifact"},
		{"pgp", "p256.sig", "p256.key", "artifact"},
		{"pgp", "text.asc", "rsa3072.key", "text"},
		{"pgp", "cleartext.asc", "rsa3072.key", ""},
		{"pgp", "subkey.sig", "subkey.key", "artifact"},
		{"pgp", "v6-rsa.sig", "v6-rsa.key", "artifact"},
		{"pgp", "v6-p256.sig", "v6-p256.key", "artifact"},
		{"pgp", "v3-SHA256.sig", "v3.key", "artifact"},
		{"pgp", "v3-text.sig", "v3.key", "text"},
		{"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt"},
		{"ssh", "ecdsa-521.sig", "ecdsa-521.pub", "artifact.txt"},
		{"ssh", "rsa-sha256.sig", "rsa-sha256.pub", "artifact.txt"},
		{"ssh", "sk-ecdsa.sig", "sk-ecdsa.pub", "artifact.txt"},
		{"pkcs7", "rsa2048.der", "", "artifact.bin"},
		{"pkcs7", "rsa2048-cades.der", "", "artifact.bin"},
		{"pkcs7", "p384.der", "", "artifact.bin"},
		{"tuf", "targets.json", "root-1.json", ""},
		{"tuf", "root-2.json", "root-1.json", ""},
	} {
		t.Run(c.format+" "+c.signature, func(t *testing.T) {
			var artifact []byte
			if c.artifact != "" {
				artifact = readTestdata(t, c.format, c.artifact)[0]
			}
			for _, p := range project(t, c.format, readTestdata(t, c.format, c.signature)[0], readTestdata(t, c.format, c.keys), artifact) {
				signed, err := io.ReadAll(p.Recipe.Reader(bytes.NewReader(artifact)))
				if err != nil {
					t.Fatal(err)
				}
				checkConfusion(t, p, signed)
			}
		})
	}
}

// atTheTime is when all test data is valid.
func atTheTime(t *testing.T, format string) formats.Policy {
	t.Helper()
	p := formats.Policy{Now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	if format == "pgp" {
		p.Now = time.Date(2025, 2, 1, 0, 0, 0, 0, time.UTC)
	}
	return p
}

func project(t *testing.T, format string, signature []byte, keys [][]byte, artifact []byte) []formats.Projection {
	t.Helper()
	parsed, err := all.Formats().Parse(t.Context(), format, signature, keys, atTheTime(t, format))
	if err != nil {
		t.Fatal(err)
	}
	given := formats.Artifact{}
	if artifact != nil {
		given = formats.FromReader(bytes.NewReader(artifact))
	}
	v, err := parsed.Verify(t.Context(), given)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Projections) == 0 {
		t.Fatal("nothing is projected")
	}
	return v.Projections
}

func checkConfusion(t *testing.T, p formats.Projection, signed []byte) {
	t.Helper()
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: p.SPKI})
	parsed, err := all.Formats().Parse(t.Context(), "x509", p.Signature, [][]byte{key}, atTheTime(t, "x509"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parsed.Verify(t.Context(), formats.FromReader(bytes.NewReader(signed))); formats.ReasonOf(err) != formats.ReasonProtocolConfusion {
		t.Errorf("verified over %d bytes: %v, want %s", len(signed), err, formats.ReasonProtocolConfusion)
	}
	sum := p.Hash.New()
	sum.Write(signed)
	v, err := parsed.Verify(t.Context(), formats.FromDigest(formats.Digest{Algorithm: p.Hash, Value: sum.Sum(nil)}))
	if err != nil {
		t.Fatalf("by its digest: %v", err) // then the refusal above has another cause
	}
	for _, check := range v.Checks {
		if strings.HasPrefix(check, "not-") {
			t.Errorf("%s is stated of a digest", check)
		}
	}
	if len(v.Notes) == 0 {
		t.Error("no note says that nothing was excluded")
	}
}
