// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
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
}{
	{"rsa2048.der", "", "artifact.bin", formats.SHA256},
	{"rsa2048.der", "rsa2048-cert.pem", "artifact.bin", formats.SHA256},
	{"rsa2048.der", "rsa2048.pem", "artifact.bin", formats.SHA256},
	{"rsa2048-noattr.der", "", "artifact.bin", ""},
	{"rsa3072.der", "", "artifact.bin", formats.SHA256},
	{"p256.der", "", "artifact.bin", formats.SHA256},
	{"p256-noattr.der", "", "artifact.bin", ""},
	{"p384.der", "", "artifact.bin", formats.SHA384},
	{"p384-noattr.der", "", "artifact.bin", ""},
	{"p384-sha256.der", "", "artifact.bin", formats.SHA256},
	{"p521.der", "", "artifact.bin", formats.SHA512},
	{"rsa2048-sha384.der", "", "artifact.bin", formats.SHA384},
	{"rsa2048-sha512.der", "", "artifact.bin", formats.SHA512},
	{"rsa2048-pss.der", "", "artifact.bin", formats.SHA256},
	{"rsa2048-pss20.der", "", "artifact.bin", formats.SHA256},
	{"rsa2048-cades.der", "", "artifact.bin", formats.SHA256},
	{"rsa2048-keyid.der", "", "artifact.bin", formats.SHA256},
	{"rsa2048-nocerts.der", "rsa2048-cert.pem", "artifact.bin", formats.SHA256},
	{"rsa2048-chain.der", "", "artifact.bin", formats.SHA256},
	{"rsa2048-cms.pem", "", "artifact.bin", formats.SHA256},
	{"rsa2048-pkcs7.pem", "", "artifact.bin", formats.SHA256},
	{"gpgsm.ber", "", "artifact.bin", formats.SHA256},
	{"gpgsm.pem", "", "artifact.bin", formats.SHA256},
	{"text.der", "", "text.txt", ""},
	{"text-noattr.der", "", "text.txt", ""},
	{"rsa2048-attached.der", "", "", ""},
	{"rsa2048-attached-noattr.der", "", "", ""},
	{"rsa2048-stream.ber", "", "", ""},
	{"rsa2048-attached.der", "", "artifact.bin", ""},
	{"text-attached.der", "", "text.txt", ""},
	{"text-attached.der", "", "", ""},
	{"text.eml", "", "", ""},
	{"text.eml", "", "text.txt", ""},
	{"text-crlf.eml", "", "text.txt", ""},
	{"text-noattr.eml", "", "", ""},
	{"text-plain.eml", "", "text.txt", ""},
	{"text-opaque.eml", "", "text.txt", ""},
	{"text-opaque.eml", "", "", ""},
	{"smime.eml", "", "text.txt", ""},
}

func TestConformance(t *testing.T) {
	suite := formatstest.Suite{Format: pkcs7.New()}
	for _, c := range valid {
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
		suite.Vectors = append(suite.Vectors, v)
	}
	formatstest.Run(t, suite)
}
