// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	stdx509 "crypto/x509"
	"encoding/asn1"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

func parse(t *testing.T, signature, key string, p formats.Policy) formats.Parsed {
	t.Helper()
	s, err := x509.New().Parse(context.Background(), file(t, signature), [][]byte{file(t, key)}, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func verify(t *testing.T, s formats.Parsed, a formats.Artifact) *formats.Verified {
	t.Helper()
	v, err := s.Verify(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func wantReason(t *testing.T, err error, want formats.Reason) {
	t.Helper()
	if got := formats.ReasonOf(err); got != want {
		t.Errorf("reason %q, want %s (%v)", got, want, err)
	}
}

// Which submissions the log takes as they are; the others say how to sign instead.
func TestKeyDetails(t *testing.T) {
	for _, c := range []struct {
		signature, key string
		loggable       bool
	}{
		{"rsa2048.sig", "rsa2048.pem", true},
		{"rsa3072.sig", "rsa3072.pem", true},
		{"rsa4096.sig", "rsa4096.pem", true},
		{"p256.sig", "p256.pem", true},
		{"p384.sig", "p384.pem", true},
		{"p521.sig", "p521.pem", true},
		{"ed25519ph.sig", "ed25519.pem", true},
		{"rsa2560.sig", "rsa2560.pem", false},
		{"rsa2048-sha512.sig", "rsa2048.pem", false},
		{"rsa2048-pss.sig", "rsa2048.pem", false},
		{"p384-sha256.sig", "p384.pem", false},
		{"p521-sha256.sig", "p521.pem", false},
	} {
		v := verify(t, parse(t, c.signature, c.key, strict(t)), formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
		if formatstest.TakenByRekor(v.Projections[0].Candidate) != c.loggable {
			t.Errorf("%s: %+v", c.signature, v.Projections[0].Candidate)
		}
		if !v.Projections[0].Native || v.Projections[0].Remedy == "" {
			t.Errorf("%s: not native, or without a remedy", c.signature)
		}
	}
}

// fixed returns the r‖s form of a P-256 signature, with n−s instead of s when asked.
func fixed(t *testing.T, der []byte, negate bool) []byte {
	var p struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &p); err != nil {
		t.Fatal(err)
	}
	if negate {
		n, _ := new(big.Int).SetString("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)
		p.S.Sub(n, p.S)
	}
	return append(p.R.FillBytes(make([]byte, 32)), p.S.FillBytes(make([]byte, 32))...)
}

func TestECDSAForms(t *testing.T) {
	der, keys := file(t, "p256.sig"), [][]byte{file(t, "p256.pem")}
	var canonical []byte
	logged := map[string]bool{}
	for _, form := range [][]byte{der, fixed(t, der, false), fixed(t, der, true)} {
		s, err := x509.New().Parse(context.Background(), form, keys, strict(t))
		if err != nil {
			t.Fatal(err)
		}
		v := verify(t, s, formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
		if canonical != nil && !bytes.Equal(v.Canonical, canonical) {
			t.Error("two forms of one signature are two submissions")
		}
		canonical = v.Canonical
		logged[string(v.Projections[0].Signature)] = true
	}
	if !logged[string(der)] || len(logged) != 2 {
		t.Error("a DER signature must be logged as submitted, r‖s as DER with its own s")
	}
}

// ECDSA reads a digest as a number of the curve's length: neither a longer digest nor leading zeros may pass.
func TestECDSADigestIsBoundWhole(t *testing.T) {
	artifact := file(t, "artifact.bin")
	short := digest(formats.SHA256, artifact).Value
	s := parse(t, "p256.sig", "p256.pem", strict(t))
	_, err := s.Verify(context.Background(), formats.FromDigest(formats.Digest{Algorithm: formats.SHA512, Value: append(bytes.Clone(short), make([]byte, 32)...)}))
	wantReason(t, err, formats.ReasonWrongDigestAlgorithm)
	s = parse(t, "p521-sha256.sig", "p521.pem", strict(t))
	_, err = s.Verify(context.Background(), formats.FromDigest(formats.Digest{Algorithm: formats.SHA512, Value: append(make([]byte, 32), short...)}))
	wantReason(t, err, formats.ReasonMalformedDigest)
}

func TestArtifactKinds(t *testing.T) {
	s := parse(t, "p256.sig", "p256.pem", strict(t))
	_, err := s.Verify(context.Background(), formats.Artifact{})
	wantReason(t, err, formats.ReasonMissingArtifact)
	_, err = s.Verify(context.Background(), formats.FromSignedDigest(*digest(formats.SHA256, nil)))
	wantReason(t, err, formats.ReasonNeedsBytes)
	_, err = s.Verify(context.Background(), formats.FromDigest(formats.Digest{Algorithm: formats.SHA256, Value: []byte{1}}))
	wantReason(t, err, formats.ReasonMalformedDigest)
	pure := parse(t, "ed25519.sig", "ed25519.pem", strict(t))
	_, err = pure.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA512, file(t, "artifact.bin"))))
	wantReason(t, err, formats.ReasonSignatureInvalid)
}

func TestHistoricalSHA1(t *testing.T) {
	p := strict(t)
	p.Historical.Allow = formats.AllExceptions
	s := parse(t, "rsa2048-sha1.sig", "rsa2048.pem", p)
	if d := s.Describe(); len(d.Findings) != 1 || d.NotProjectable == nil || d.Need != formats.NeedBytes {
		t.Errorf("description %+v", d)
	}
	v := verify(t, s, formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
	if len(v.Projections) != 0 || len(v.Digests) != 1 {
		t.Errorf("verified %+v", v)
	}
	_, err := s.Verify(context.Background(), formats.FromReader(strings.NewReader("another")))
	wantReason(t, err, formats.ReasonArtifactMismatch)
	_, err = s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA256, nil)))
	wantReason(t, err, formats.ReasonNeedsBytes)
	_, err = x509.New().Parse(context.Background(), file(t, "rsa2048-md5.sig"), [][]byte{file(t, "rsa2048.pem")}, p)
	wantReason(t, err, formats.ReasonWeakAlgorithm)
}

func TestSignerPolicy(t *testing.T) {
	id := sha256.Sum256(file(t, "p256.der"))
	forbidden, allowed := strict(t), strict(t)
	forbidden.ForbiddenSigners = append(forbidden.ForbiddenSigners, id)
	allowed.AllowedSigners = append(allowed.AllowedSigners, [32]byte{1})
	for want, p := range map[formats.Reason]formats.Policy{
		formats.ReasonForbiddenSigner: forbidden, formats.ReasonKeyNotTrusted: allowed,
	} {
		_, err := x509.New().Parse(context.Background(), file(t, "p256.sig"), [][]byte{file(t, "p256-cert.pem")}, p)
		wantReason(t, err, want)
	}
}

func TestPolicyKeysWin(t *testing.T) {
	p := strict(t)
	p.Keys = map[string][][]byte{"x509": {file(t, "p384.pem"), file(t, "rsa2048.pem")}}
	_, err := x509.New().Parse(context.Background(), file(t, "p256.sig"), [][]byte{file(t, "p256.pem")}, p)
	wantReason(t, err, formats.ReasonKeyNotTrusted)
	if _, err := x509.New().Parse(context.Background(), file(t, "p384.sig"), nil, p); err != nil {
		t.Error(err)
	}
	if _, err := x509.New().Parse(context.Background(), file(t, "p384.sig"), [][]byte{file(t, "p384.pem")}, p); err != nil {
		t.Error(err)
	}
}

func TestCertificateIsPreferred(t *testing.T) {
	s, err := x509.New().Parse(context.Background(), file(t, "p256.sig"), [][]byte{file(t, "p256.pem"), file(t, "rsa2048.pem"), file(t, "p256-cert.pem")}, strict(t))
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Describe(); !strings.Contains(d.Variant, "certificate") {
		t.Errorf("the certificate of the same key was not preferred: %s", d.Variant)
	}
}

func TestRoots(t *testing.T) {
	p := strict(t)
	p.Roots = stdx509.NewCertPool()
	p.Roots.AddCert(certificate(t, "root-cert.pem"))
	s := parse(t, "p256.sig", "p256-chain.pem", p)
	v := verify(t, s, formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
	if !slices.Contains(v.Checks, "certificate-chain") || len(v.Projections[0].Certificate) == 0 {
		t.Errorf("checks %v", v.Checks)
	}
	for _, key := range []string{"p256-cert.pem", "p256.pem"} { // without the issuer; without a certificate
		_, err := x509.New().Parse(context.Background(), file(t, "p256.sig"), [][]byte{file(t, key)}, p)
		wantReason(t, err, formats.ReasonKeyNotTrusted)
	}
}

func TestExpiredCertificate(t *testing.T) {
	p := strict(t)
	p.Now = certificate(t, "p256-cert.pem").NotAfter.Add(time.Hour)
	if d := parse(t, "p256.sig", "p256-cert.pem", p).Describe(); !slices.ContainsFunc(d.Notes, func(n string) bool { return strings.Contains(n, "expired") }) {
		t.Errorf("notes %q", d.Notes)
	}
	p.Roots = stdx509.NewCertPool()
	p.Roots.AddCert(certificate(t, "root-cert.pem"))
	_, err := x509.New().Parse(context.Background(), file(t, "p256.sig"), [][]byte{file(t, "p256-chain.pem")}, p)
	wantReason(t, err, formats.ReasonKeyExpired)
	p.Historical.Allow = formats.AllExceptions
	if d := parse(t, "p256.sig", "p256-chain.pem", p).Describe(); len(d.Findings) != 1 || len(d.Candidates) != 0 {
		t.Errorf("description %+v", d)
	}
	p = strict(t)
	p.Now = certificate(t, "p256-cert.pem").NotBefore.Add(-time.Hour)
	_, err = x509.New().Parse(context.Background(), file(t, "p256.sig"), [][]byte{file(t, "p256-cert.pem")}, p)
	wantReason(t, err, formats.ReasonKeyNotValid)
}

func TestDetect(t *testing.T) {
	for name, want := range map[string]bool{
		"p256.sig": true, "p384.sig": true, "p521.sig": true, "p256.b64": true,
		"rsa2048.sig": false, "ed25519.sig": false, "p256.pem": false, "p256.der": false, "p256-cert.der": false, "artifact.bin": false,
	} {
		if got := x509.New().Detect(file(t, name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if x509.New().Detect(append(file(t, "p256.sig"), 0)) || x509.New().Detect(nil) {
		t.Error("claims bytes after the end, or nothing")
	}
}
