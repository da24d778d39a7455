// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/pkcs7"
)

func parse(t *testing.T, signature []byte, p formats.Policy) formats.Parsed {
	t.Helper()
	s, err := pkcs7.New().Parse(context.Background(), signature, nil, p)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Which submissions the log takes as projections; the others say how to sign instead.
func TestLoggable(t *testing.T) {
	for signature, loggable := range map[string]bool{
		"rsa2048.der": true, "rsa3072.der": true, "rsa2048-noattr.der": true, "p256.der": true, "p384.der": true, "p521.der": true,
		"rsa2048-sha384.der": false, "rsa2048-sha512.der": false, "rsa2048-pss.der": false, "p384-sha256.der": false,
	} {
		c := parse(t, file(t, signature), strict(t)).Describe().Candidates[0]
		if formatstest.TakenByRekor(c) != loggable || c.Native || c.Remedy == "" {
			t.Errorf("%s: candidate %+v", signature, c)
		}
	}
}

func TestDescribe(t *testing.T) {
	for signature, want := range map[string]struct {
		variant, algorithm string
		need               formats.Need
	}{
		"rsa2048.der":                 {"DER, detached", "RSA-2048/SHA-256", formats.NeedDigest},
		"rsa2048-noattr.der":          {"DER, detached, no signed attributes", "RSA-2048/SHA-256", formats.NeedBytes},
		"rsa2048-cades.der":           {"DER, detached, CAdES", "RSA-2048/SHA-256", formats.NeedDigest},
		"rsa2048-stream.ber":          {"BER, attached", "RSA-2048/SHA-256", formats.NeedNone},
		"rsa2048-pss.der":             {"DER, detached", "RSA-2048-PSS/SHA-256", formats.NeedDigest},
		"rsa2048-pkcs7.pem":           {"PEM, detached", "RSA-2048/SHA-256", formats.NeedDigest},
		"smime.eml":                   {"S/MIME, attached", "ECDSA P-256/SHA-256", formats.NeedNone},
		"rsa2048-attached-noattr.der": {"DER, attached, no signed attributes", "RSA-2048/SHA-256", formats.NeedNone},
	} {
		d := parse(t, file(t, signature), strict(t)).Describe()
		if d.Variant != want.variant || d.Algorithm != want.algorithm || d.Need != want.need {
			t.Errorf("%s: %s, %s, needs %s", signature, d.Variant, d.Algorithm, d.Need)
		}
		if timed := !strings.Contains(signature, "noattr"); timed != (d.ClaimedTime != nil) {
			t.Errorf("%s: claimed time %v", signature, d.ClaimedTime)
		}
	}
}

// Text signed without -binary: either line ends verify, and the receipt can rebuild what was signed.
func TestLineEnds(t *testing.T) {
	lf := file(t, "text.txt")
	crlf := bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))
	for _, c := range []struct {
		signature string
		artifact  []byte
		converted bool
	}{
		{"text.der", lf, true}, {"text.der", crlf, false}, {"text-noattr.der", lf, true}, {"text-noattr.der", crlf, false},
		{"text-attached.der", lf, true}, {"text-attached.der", crlf, false},
	} {
		v, err := run(file(t, c.signature), nil, c.artifact, strict(t))
		if err != nil {
			t.Fatalf("%s: %v", c.signature, err)
		}
		if slices.Contains(v.Checks, "crlf-line-ends") != c.converted {
			t.Errorf("%s: checks %v", c.signature, v.Checks)
		}
		if r := v.Projections[0].Recipe; c.signature == "text-noattr.der" && (!r.Artifact || r.CRLF != c.converted) {
			t.Errorf("recipe %+v", r)
		}
	}
	// The digest of the file is not the one signed; that of its CRLF form is.
	s := parse(t, file(t, "text.der"), strict(t))
	_, err := s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA256, lf)))
	wantReason(t, err, formats.ReasonArtifactMismatch)
	if _, err := s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA256, crlf))); err != nil {
		t.Error(err)
	}
}

func TestAttached(t *testing.T) {
	s, content := parse(t, file(t, "rsa2048-attached.der"), strict(t)), file(t, "artifact.bin")
	v, err := s.Verify(context.Background(), formats.Artifact{})
	if err != nil || v.Size != int64(len(content)) || !v.Digests[0].Equal(*digest(formats.SHA256, content)) {
		t.Errorf("the content inside: %+v, %v", v, err)
	}
	for _, a := range []formats.DigestAlgorithm{formats.SHA256, formats.SHA512} {
		if _, err := s.Verify(context.Background(), formats.FromDigest(*digest(a, content))); err != nil {
			t.Errorf("its %s digest: %v", a, err)
		}
	}
	_, err = s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA256, nil)))
	wantReason(t, err, formats.ReasonArtifactMismatch)
	_, err = s.Verify(context.Background(), formats.FromReader(strings.NewReader("another")))
	wantReason(t, err, formats.ReasonArtifactMismatch)
}

func TestAttachedContentAltered(t *testing.T) {
	for name, want := range map[string]formats.Reason{
		"rsa2048-attached.der": formats.ReasonArtifactMismatch, "rsa2048-attached-noattr.der": formats.ReasonSignatureInvalid,
		"text.eml": formats.ReasonArtifactMismatch, "text-noattr.eml": formats.ReasonSignatureInvalid,
	} {
		altered := bytes.Replace(file(t, name), []byte("a release"), []byte("a relic!!"), 1)
		_, err := pkcs7.New().Parse(context.Background(), altered, nil, strict(t))
		wantReason(t, err, want)
	}
}

func TestArtifactKinds(t *testing.T) {
	s, bare := parse(t, file(t, "rsa2048.der"), strict(t)), parse(t, file(t, "rsa2048-noattr.der"), strict(t))
	d := *digest(formats.SHA256, file(t, "artifact.bin"))
	_, err := s.Verify(context.Background(), formats.Artifact{})
	wantReason(t, err, formats.ReasonMissingArtifact)
	_, err = s.Verify(context.Background(), formats.FromSignedDigest(d))
	wantReason(t, err, formats.ReasonNeedsBytes)
	_, err = s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA512, nil)))
	wantReason(t, err, formats.ReasonWrongDigestAlgorithm)
	_, err = bare.Verify(context.Background(), formats.FromDigest(d))
	wantReason(t, err, formats.ReasonNeedsBytes)
}

func TestHistoricalSHA1(t *testing.T) {
	p := strict(t)
	p.Historical.Allow = formats.AllExceptions
	s := parse(t, file(t, "sha1.der"), p)
	if d := s.Describe(); len(d.Findings) != 1 || d.NotProjectable == nil || d.Need != formats.NeedBytes {
		t.Errorf("description %+v", d)
	}
	v, err := s.Verify(context.Background(), formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
	if err != nil || len(v.Projections) != 0 || len(v.Digests) != 1 {
		t.Errorf("verified %+v, %v", v, err)
	}
	_, err = s.Verify(context.Background(), formats.FromDigest(*digest(formats.SHA256, nil)))
	wantReason(t, err, formats.ReasonNeedsBytes)
	_, err = pkcs7.New().Parse(context.Background(), file(t, "md5.der"), nil, p)
	wantReason(t, err, formats.ReasonWeakAlgorithm)
}

func TestRoots(t *testing.T) {
	p := strict(t)
	p.Roots = x509.NewCertPool()
	p.Roots.AddCert(certificate(t, "root-cert.pem"))
	v, err := run(file(t, "rsa2048-chain.der"), nil, file(t, "artifact.bin"), p)
	if err != nil || !slices.Contains(v.Checks, "certificate-chain") || len(v.Keys) != 0 {
		t.Errorf("chain inside: %+v, %v", v, err)
	}
	_, err = run(file(t, "rsa2048.der"), nil, file(t, "artifact.bin"), p)
	wantReason(t, err, formats.ReasonKeyNotTrusted)
	v, err = run(file(t, "rsa2048.der"), [][]byte{file(t, "rsa2048-chain.pem")}, file(t, "artifact.bin"), p)
	if err != nil {
		t.Fatalf("chain beside: %v", err)
	}
	if _, err := run(file(t, "rsa2048.der"), v.Keys, file(t, "artifact.bin"), p); err != nil {
		t.Errorf("the returned keys do not do: %v", err)
	}
	p.Roots = x509.NewCertPool()
	_, err = run(file(t, "rsa2048-chain.der"), nil, file(t, "artifact.bin"), p)
	wantReason(t, err, formats.ReasonKeyNotTrusted)
}

func TestDetect(t *testing.T) {
	for name, want := range map[string]bool{
		"rsa2048.der": true, "rsa2048-stream.ber": true, "rsa2048-cms.pem": true, "rsa2048-pkcs7.pem": true, "text.eml": true,
		"text-opaque.eml": true, "enveloped.der": true, "rsa2048-cert.pem": false, "text.txt": false, "artifact.bin": false,
	} {
		if got := pkcs7.New().Detect(file(t, name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, s := range []string{"", "0", "0\x80", "0\xff", "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"\n\n"} {
		if pkcs7.New().Detect([]byte(s)) {
			t.Errorf("claims %q", s)
		}
	}
}
