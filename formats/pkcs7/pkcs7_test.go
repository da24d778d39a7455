// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func certificate(t testing.TB, name string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(file(t, name))
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// strict is the default policy, on the day after the test data was made.
func strict(t testing.TB) formats.Policy {
	return formats.Policy{Now: certificate(t, "rsa2048-cert.pem").NotBefore.Add(24 * time.Hour)}
}

func digest(a formats.DigestAlgorithm, artifact []byte) *formats.Digest {
	h := a.New()
	h.Write(artifact)
	return &formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

// valid lists what must verify; the artifact is "" for attached signatures, the digest for
// those that need the bytes.
var valid = []struct {
	signature, key, artifact string
	digest                   formats.DigestAlgorithm
	conformance              bool // whether the whole run is worth its time
}{
	{"rsa2048.der", "", "artifact.bin", formats.SHA256, true},
	{"rsa2048.der", "rsa2048-cert.pem", "artifact.bin", formats.SHA256, false},
	{"rsa2048.der", "rsa2048.pem", "artifact.bin", formats.SHA256, true},
	{"rsa2048-noattr.der", "", "artifact.bin", "", true},
	{"rsa3072.der", "", "artifact.bin", formats.SHA256, false},
	{"p256.der", "", "artifact.bin", formats.SHA256, true},
	{"p256-noattr.der", "", "artifact.bin", "", true},
	{"p384.der", "", "artifact.bin", formats.SHA384, true},
	{"p384-noattr.der", "", "artifact.bin", "", false},
	{"p384-sha256.der", "", "artifact.bin", formats.SHA256, false},
	{"p521.der", "", "artifact.bin", formats.SHA512, false},
	{"rsa2048-sha384.der", "", "artifact.bin", formats.SHA384, false},
	{"rsa2048-sha512.der", "", "artifact.bin", formats.SHA512, true},
	{"rsa2048-pss.der", "", "artifact.bin", formats.SHA256, true},
	{"rsa2048-pss20.der", "", "artifact.bin", formats.SHA256, false},
	{"rsa2048-cades.der", "", "artifact.bin", formats.SHA256, true},
	{"rsa2048-keyid.der", "", "artifact.bin", formats.SHA256, false},
	{"rsa2048-nocerts.der", "rsa2048-cert.pem", "artifact.bin", formats.SHA256, true},
	{"rsa2048-chain.der", "", "artifact.bin", formats.SHA256, false},
	{"rsa2048-cms.pem", "", "artifact.bin", formats.SHA256, false},
	{"rsa2048-pkcs7.pem", "", "artifact.bin", formats.SHA256, false},
	{"gpgsm.ber", "", "artifact.bin", formats.SHA256, false},
	{"gpgsm.pem", "", "artifact.bin", formats.SHA256, true},
	{"text.der", "", "text.txt", "", true},
	{"text-noattr.der", "", "text.txt", "", true},
	{"rsa2048-attached.der", "", "", "", false},
	{"rsa2048-attached-noattr.der", "", "", "", true},
	{"rsa2048-stream.ber", "", "", "", true},
	{"rsa2048-attached.der", "", "artifact.bin", "", false},
	{"text-attached.der", "", "text.txt", "", true},
	{"text-attached.der", "", "", "", false},
	{"text.eml", "", "", "", true},
	{"text.eml", "", "text.txt", "", false},
	{"text-crlf.eml", "", "text.txt", "", false},
	{"text-noattr.eml", "", "", "", false},
	{"text-plain.eml", "", "text.txt", "", false},
	{"text-opaque.eml", "", "text.txt", "", false},
	{"text-opaque.eml", "", "", "", false},
	{"smime.eml", "", "text.txt", "", true},
}

// vectors returns the valid submissions, or only those for the conformance run.
func vectors(t testing.TB, conformance bool) []formatstest.Vector {
	var out []formatstest.Vector
	for _, c := range valid {
		if conformance && !c.conformance {
			continue
		}
		v := formatstest.Vector{
			Name: strings.Join([]string{c.signature, c.key, c.artifact}, " "), Signature: file(t, c.signature),
			Policy: strict(t), Projects: true,
		}
		if c.key != "" {
			v.Keys = [][]byte{file(t, c.key)}
		}
		if c.artifact != "" {
			v.Artifact = file(t, c.artifact)
		}
		if c.digest != "" {
			v.Digest = digest(c.digest, v.Artifact)
		}
		out = append(out, v)
	}
	return out
}

func TestConformance(t *testing.T) {
	formatstest.Run(t, formatstest.Suite{Format: pkcs7.New(), Vectors: vectors(t, true)})
}

func TestValid(t *testing.T) {
	for _, v := range vectors(t, false) {
		got, err := run(v.Signature, v.Keys, v.Artifact, v.Policy)
		if err != nil || len(got.Projections) != 1 {
			t.Errorf("%s: %v", v.Name, err)
		}
		if v.Digest == nil {
			continue
		}
		s, err := pkcs7.New().Parse(context.Background(), v.Signature, v.Keys, v.Policy)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(context.Background(), formats.FromDigest(*v.Digest)); err != nil {
			t.Errorf("%s: by digest: %v", v.Name, err)
		}
	}
}
