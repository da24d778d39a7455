// SPDX-License-Identifier: Apache-2.0

package receipt_test

import (
	"bytes"
	"crypto/sha256"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Signatures that each format's own tools made, as the formats' tests have them.
func TestEveryFormat(t *testing.T) {
	const projected, attested, native = receiptpb.Receipt_PROJECTED, receiptpb.Receipt_ATTESTED, receiptpb.Receipt_NATIVE
	g := newGateway(t)
	for _, c := range []struct {
		format, signature, key, artifact string
		as                               receiptpb.Receipt_Representation
	}{
		{"pgp", "rsa3072-SHA256.sig", "rsa3072.key", "artifact", projected},
		{"pgp", "p384.sig", "p384.key", "artifact", projected},
		{"pgp", "text.asc", "rsa3072.key", "text", projected},
		{"pgp", "cleartext.asc", "rsa3072.key", "", projected},
		{"pgp", "v3-SHA256.sig", "v3.key", "artifact", projected},
		{"pgp", "ed25519.sig", "ed25519.key", "artifact", attested},
		{"pgp", "cleartext-ed25519.asc", "ed25519.key", "", attested},
		{"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt", projected},
		{"ssh", "sk-ecdsa.sig", "sk-ecdsa.pub", "artifact.txt", projected},
		{"ssh", "ed25519.sig", "ed25519.pub", "artifact.txt", attested},
		{"pkcs7", "rsa2048.der", "rsa2048-cert.pem", "artifact.bin", projected},
		{"pkcs7", "p256-noattr.der", "p256-cert.pem", "artifact.bin", projected},
		{"pkcs7", "rsa2048-attached.der", "rsa2048-cert.pem", "", projected},
		{"pkcs7", "rsa2048-sha512.der", "rsa2048-cert.pem", "artifact.bin", attested},
		{"minisign", "prehashed.minisig", "signer.pub", "artifact.txt", attested},
		{"tuf", "targets.json", "root-1.json", "", projected},
		{"tuf", "targets.json", "root-1.json", "target.txt", projected},
		{"tuf", "targets-mixed.json", "root-1.json", "target.txt", attested},
		{"tuf", "snapshot.json", "root-1.json", "", attested},
		{"x509", "rsa2048.sig", "rsa2048.pem", "artifact.bin", native},
		{"x509", "ed25519.sig", "ed25519.pem", "artifact.bin", attested},
		{"x509", "bundles/p256.json", "bundles/p256.pem", "artifact.bin", native},
		{"x509", "bundles/p256-cosign.json", "bundles/p256.pem", "artifact.bin", native},
		{"x509", "bundles/certificate.json", "bundles/certificate.pem", "artifact.bin", native},
		{"x509", "bundles/ed25519.json", "bundles/ed25519.pem", "artifact.bin", attested},
		{"pkcs7", "kinds/compressed.der", "kinds/compressed-cert.pem", "artifact.bin", attested},
		{"pkcs7", "kinds/explicit.der", "kinds/explicit-cert.pem", "artifact.bin", projected},
		{"pkcs7", "kinds/pss.der", "kinds/pss-cert.pem", "artifact.bin", attested},
		{"pkcs7", "kinds/ed25519.der", "kinds/ed25519-cert.pem", "artifact.bin", attested},
		{"pkcs7", "kinds/ed25519-attached-noattr.der", "kinds/ed25519-cert.pem", "", attested},
		{"pkcs7", "kinds/ed25519-attached-noattr.der", "kinds/ed25519-cert.pem", "artifact.bin", attested},
		{"pkcs7", "forms/attached-sha512.der", "forms/cert.pem", "", attested},
		{"pkcs7", "forms/attached-sha512.der", "forms/cert.pem", "artifact.bin", attested},
		{"pkcs7", "forms/attached-sha384-noattr.der", "forms/cert.pem", "artifact.bin", attested},
	} {
		t.Run(c.format+" "+c.signature, func(t *testing.T) {
			data := func(name string) []byte {
				return readFile(t, filepath.Join("../../formats", c.format, "testdata", name))
			}
			s := &signed{format: c.format, signature: data(c.signature), keys: [][]byte{data(c.key)}}
			s.policy.Now = timeFor(c.format)
			if c.artifact != "" {
				s.content = data(c.artifact)
			}
			if c.as == attested {
				facts, _ := s.facts(t, c.as)
				s.attest(t, g, receipt.New(facts))
			} else {
				s.record(t, c.as)
			}
			checkEveryWay(t, s, g)
		})
	}
}

// timeFor is when the format's test data is good.
func timeFor(format string) time.Time {
	if format == "tuf" || format == "pgp" {
		return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	}
	return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
}

// Whatever the format, a key that is not the signer's does not do, and neither does
// another identity.
func TestOtherKeyOfEveryFormat(t *testing.T) {
	for _, c := range []struct{ format, signature, key, artifact, other string }{
		{"pgp", "rsa3072-SHA256.sig", "rsa3072.key", "artifact", "p256.key"},
		{"pgp", "cleartext.asc", "rsa3072.key", "", "rsa4096.key"},
		{"ssh", "ecdsa-256.sig", "ecdsa-256.pub", "artifact.txt", "other.pub"},
		{"ssh", "rsa-sha256.sig", "rsa-sha256.pub", "artifact.txt", "rsa.pub"},
		{"pkcs7", "rsa2048.der", "rsa2048-cert.pem", "artifact.bin", "other-cert.pem"},
		{"pkcs7", "p256.der", "p256-cert.pem", "artifact.bin", "other-cert.pem"},
		{"tuf", "targets.json", "root-1.json", "", "twice-root.json"},
		{"x509", "rsa2048.sig", "rsa2048.pem", "artifact.bin", "rsa3072.pem"},
		{"x509", "p256.sig", "p256.pem", "artifact.bin", "p384.pem"},
	} {
		t.Run(c.format+" "+c.signature, func(t *testing.T) {
			data := func(name string) []byte {
				return readFile(t, filepath.Join("../../formats", c.format, "testdata", name))
			}
			s := &signed{format: c.format, signature: data(c.signature), keys: [][]byte{data(c.key)}}
			s.policy.Now = timeFor(c.format)
			if c.artifact != "" {
				s.content = data(c.artifact)
			}
			as := receiptpb.Receipt_PROJECTED
			if c.format == "x509" {
				as = receiptpb.Receipt_NATIVE
			}
			s.record(t, as)
			o := s.options()
			o.ExpectedKeys = [][]byte{data(c.other)}
			want := receipt.ReasonSignerMismatch
			if c.format == "tuf" { // one of the two keys that signed is in the other root, too
				want = receipt.ReasonSignatureInvalid
			}
			s.refused(t, o, want, nil)
			o.ExpectedKeys, o.ExpectedSigners = nil, ids(t, newKey(t))
			s.refused(t, o, receipt.ReasonSignerMismatch, nil)
		})
	}
}

// A receipt for a TUF target needs that target, though the metadata by itself would verify.
func TestTargetIsNeeded(t *testing.T) {
	data := func(name string) []byte { return readFile(t, filepath.Join("../../formats/tuf/testdata", name)) }
	s := &signed{format: "tuf", signature: data("targets.json"), keys: [][]byte{data("root-1.json")}, content: data("target.txt")}
	s.policy.Now = timeFor("tuf")
	s.record(t, receiptpb.Receipt_PROJECTED)
	if _, err := receipt.Verify(t.Context(), s.receipt, s.options()); err != nil {
		t.Fatal(err)
	}
	o := s.options()
	o.Artifact = nil
	s.refused(t, o, receipt.ReasonMissingArtifact, nil)
	o.Artifact = bytes.NewReader(s.signature) // what it is metadata of, but not what the receipt is for
	if _, err := receipt.Verify(t.Context(), s.receipt, o); formats.ReasonOf(err) != receipt.ReasonArtifactMismatch {
		t.Errorf("error %v", err)
	}
}

func BenchmarkVerify(b *testing.B) {
	s := native(b)
	o := s.options()
	for b.Loop() {
		o.Artifact = bytes.NewReader(artifact)
		if _, err := receipt.Verify(b.Context(), s.receipt, o); err != nil {
			b.Fatal(err)
		}
	}
}

func checkEveryWay(t *testing.T, s *signed, g interface{ SPKI() []byte }) {
	o := s.options()
	o.GatewayTrust = trust(t, g, 0, -1)
	exportBy(t, s, o)
	o = s.options()
	o.GatewayTrust, o.ExpectedKeys = trust(t, g, 0, -1), nil
	for _, signer := range s.receipt.GetSigners() {
		o.ExpectedSigners = append(o.ExpectedSigners, sha256.Sum256(signer.GetSpki()))
	}
	if _, err := receipt.Verify(t.Context(), s.receipt, o); err != nil {
		t.Errorf("by identity and the receipt's own keys: %v", err)
	}
	if o.Artifact != nil {
		o.Artifact = bytes.NewReader(s.content)
	}
	if c := s.check(t, s.receipt.GetRepresentation()); !s.checkChecked(t, c, s.receipt, o) {
		t.Error("what was checked does not fit its receipt")
	}
	if s.content == nil {
		return
	}
	s.content = append([]byte("x"), s.content...)
	o = s.options()
	o.GatewayTrust = trust(t, g, 0, -1)
	s.refused(t, o, formats.ReasonArtifactMismatch, nil)
}
