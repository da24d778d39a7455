// SPDX-License-Identifier: Apache-2.0

package pkcs7_test

import (
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// kindsPolicy is the strict policy, on the day after the data in kinds was made.
func kindsPolicy(t testing.TB) formats.Policy {
	return formats.Policy{Now: certificate(t, "kinds/critical-cert.pem").NotBefore.Add(24 * time.Hour)}
}

// opensslAccepts asks "openssl cms -verify -noverify", with certificates beside the signature.
func opensslAccepts(t *testing.T, signature, artifact []byte, certificates ...string) bool {
	t.Helper()
	tool, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("openssl is not installed: make system-tools installs it")
	}
	dir := t.TempDir()
	var beside []byte
	for _, c := range certificates {
		beside = append(beside, file(t, c)...)
	}
	for name, content := range map[string][]byte{"s.der": signature, "content": artifact, "certificates": beside} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"cms", "-verify", "-noverify", "-binary", "-inform", "DER", "-in", filepath.Join(dir, "s.der"),
		"-content", filepath.Join(dir, "content"), "-out", os.DevNull}
	if len(beside) > 0 {
		args = append(args, "-certfile", filepath.Join(dir, "certificates"))
	}
	return exec.CommandContext(t.Context(), tool, args...).Run() == nil
}

// TestKindsOfKeys: what tools write, with the certificate inside, named by its key identifier, and sent as key. OpenSSL accepts all
// of them but Ed25519 and Ed448, which 3.0 does not know.
func TestKindsOfKeys(t *testing.T) {
	const supported, brainpool = "", "brainpoolP256r1"
	for _, c := range []struct {
		name, what string // what the refusal names
		reason     formats.Reason
		projected  int
	}{
		{"brainpool", brainpool, formats.ReasonUnsupportedAlgorithm, 0},
		{"brainpool-keyid", brainpool, formats.ReasonUnsupportedAlgorithm, 0},
		{"brainpool-nocerts", brainpool, formats.ReasonUnsupportedAlgorithm, 0},
		{"secp256k1", "secp256k1", formats.ReasonUnsupportedAlgorithm, 0},
		{"secp256k1-keyid", "secp256k1", formats.ReasonUnsupportedAlgorithm, 0},
		{"secp256k1-nocerts", "secp256k1", formats.ReasonUnsupportedAlgorithm, 0},
		{"explicit-brainpool", "parameters of its own", formats.ReasonUnsupportedAlgorithm, 0},
		{"explicit-brainpool-keyid", "parameters of its own", formats.ReasonUnsupportedAlgorithm, 0},
		{"explicit-brainpool-nocerts", "parameters of its own", formats.ReasonUnsupportedAlgorithm, 0},
		{"explicit", supported, "", 1},
		{"explicit-keyid", supported, "", 1},
		{"explicit-nocerts", supported, "", 1},
		{"compressed", supported, "", 1},
		{"compressed-keyid", supported, "", 1},
		{"compressed-nocerts", supported, "", 1},
		{"hybrid", supported, "", 1},
		{"hybrid-keyid", supported, "", 1},
		{"hybrid-nocerts", supported, "", 1},
		{"exponent-2147483647", supported, "", 1},
		{"exponent-2147483647-nocerts", supported, "", 1},
		{"exponent-4294967297", "exponent", formats.ReasonUnsupportedAlgorithm, 0},
		{"exponent-4294967297-nocerts", "exponent", formats.ReasonUnsupportedAlgorithm, 0},
		{"exponent-18446744073709551617", "exponent", formats.ReasonUnsupportedAlgorithm, 0},
		{"exponent-18446744073709551617-nocerts", "exponent", formats.ReasonUnsupportedAlgorithm, 0},
		{"pss", supported, "", 1},
		{"pss-noattr", supported, "", 1},
		{"pss-salt20", supported, "", 1},
		{"pss-sha256", supported, "", 1},
		{"pss-sha256-noattr", supported, "", 1},
		{"critical", supported, "", 1},
		{"ed25519", supported, "", 1},
		{"ed25519-noattr", supported, "", 1},
		{"ed448", "Ed448", formats.ReasonUnsupportedAlgorithm, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			signature, artifact := file(t, "kinds/"+c.name+".der"), file(t, "artifact.bin")
			var keys [][]byte
			var beside []string
			if owner, ok := strings.CutSuffix(c.name, "-nocerts"); ok {
				beside = []string{"kinds/" + owner + "-cert.pem"}
				keys = [][]byte{file(t, beside[0])}
			}
			v, err := run(signature, keys, artifact, kindsPolicy(t))
			wantReason(t, err, c.reason)
			if err != nil && !strings.Contains(err.Error(), c.what) {
				t.Errorf("%v does not name %s", err, c.what)
			}
			if err == nil && len(v.Projections) != c.projected {
				t.Errorf("%d projections", len(v.Projections))
			}
			if !strings.HasPrefix(c.name, "ed") && !opensslAccepts(t, signature, artifact, beside...) {
				t.Error("OpenSSL does not accept it")
			}
			_, err = run(signature, keys, []byte("another"), kindsPolicy(t))
			if err == nil {
				t.Error("another artifact is accepted")
			}
		})
	}
}

// A certificate that is not there is told from one that cannot be read.
func TestMissingIsNotUnreadable(t *testing.T) {
	_, err := run(file(t, "kinds/brainpool-nocerts.der"), nil, nil, kindsPolicy(t))
	wantReason(t, err, formats.ReasonMissingKey)
	f := newForgery(t)
	f.certificates = [][]byte{sequence(number(1))}
	_, err = run(f.der(t), nil, forgedArtifact, f.policy())
	wantReason(t, err, formats.ReasonMalformedKey)
	f.certificates = [][]byte{}
	_, err = run(f.der(t), nil, forgedArtifact, f.policy())
	wantReason(t, err, formats.ReasonMissingKey)
}

// Ed25519 with the content inside, and with bytes changed.
func TestEd25519(t *testing.T) {
	policy := kindsPolicy(t)
	for _, name := range []string{"ed25519-attached", "ed25519-attached-noattr"} {
		signature := file(t, "kinds/"+name+".der")
		for _, artifact := range [][]byte{nil, file(t, "artifact.bin")} {
			v, err := run(signature, nil, artifact, policy)
			if err != nil || len(v.Projections) != 1 || v.Projections[0].Message != nil || v.Digests[0].Algorithm != formats.SHA256 {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := run(signature, nil, []byte("another"), policy)
		wantReason(t, err, formats.ReasonArtifactMismatch)
	}
	signature := file(t, "kinds/ed25519.der")
	signature[len(signature)-20] ^= 1 // in S
	_, err := run(signature, nil, file(t, "artifact.bin"), policy)
	wantReason(t, err, formats.ReasonSignatureInvalid)
	s := parse(t, file(t, "kinds/ed25519.der"), policy)
	if d := s.Describe(); len(d.Candidates) != 1 || d.Candidates[0].Scheme != formats.Ed25519 || d.Candidates[0].Hash != formats.SHA256 || d.Need != formats.NeedDigest || d.Digests[0] != formats.SHA512 {
		t.Errorf("described as %+v", d)
	}
}

// A critical extension that is not understood refuses where the certificate's word counts.
func TestCriticalExtension(t *testing.T) {
	p := kindsPolicy(t)
	d := parse(t, file(t, "kinds/critical.der"), p).Describe()
	if !strings.Contains(strings.Join(d.Notes, "\n"), "critical extension") {
		t.Errorf("notes are %q", d.Notes)
	}
	p.Roots = x509.NewCertPool()
	p.Roots.AddCert(certificate(t, "kinds/critical-cert.pem"))
	_, err := run(file(t, "kinds/critical.der"), nil, file(t, "artifact.bin"), p)
	wantReason(t, err, formats.ReasonUnsupportedFeature)
	if err == nil || !strings.Contains(err.Error(), "1.2.840.113635.100.6.1.13") {
		t.Errorf("%v does not name the extension", err)
	}
}

// TestNamedFields: what OpenSSL reads leniently is refused, and the field named; what names the key alone is not.
func TestNamedFields(t *testing.T) {
	rsaSHA256, ecKey, ecSpecified := []int{1, 2, 840, 113549, 1, 1, 11}, []int{1, 2, 840, 10045, 2, 1}, []int{1, 2, 840, 10045, 4, 3}
	null := value(asn1.NULL)
	for _, c := range []struct {
		name    string
		forge   func(f *forgery)
		field   string // that the refusal names; "" is accepted
		openssl bool
	}{
		{"id-ecPublicKey", func(f *forgery) { f.algorithm = ecKey }, "", true},
		{"id-ecPublicKey and NULL", func(f *forgery) { f.algorithm, f.parameters = ecKey, null }, "", true},
		{"id-ecPublicKey and a curve", func(f *forgery) { f.algorithm, f.parameters = ecKey, oid([]int{1, 2, 840, 10045, 3, 1, 7}) }, "", true},
		{"ecdsa-with-Specified", func(f *forgery) { f.algorithm, f.parameters = ecSpecified, sequence(oid(hashSHA256)) }, "", true},
		{"ecdsa-with-Specified, another hash", func(f *forgery) {
			f.algorithm, f.parameters = ecSpecified, sequence(oid([]int{2, 16, 840, 1, 101, 3, 4, 2, 3}))
		}, "signatureAlgorithm", true},
		{"id-ecPublicKey and a number", func(f *forgery) { f.algorithm, f.parameters = ecKey, number(1) }, "signatureAlgorithm", true},
		{"signatureAlgorithm is a digest", func(f *forgery) { f.algorithm = hashSHA256 }, "signatureAlgorithm", true},
		{"signatureAlgorithm of another hash", func(f *forgery) { f.algorithm = ecdsaSHA384 }, "signatureAlgorithm", true},
		{"signatureAlgorithm of another key", func(f *forgery) { f.algorithm = rsaSHA256 }, "signatureAlgorithm", true},
		{"digestAlgorithm is a signature's", func(f *forgery) { f.digest = sequence(oid(ecdsaSHA256)) }, "digestAlgorithm", false},
		{"digestAlgorithm with parameters", func(f *forgery) { f.digest = sequence(oid(hashSHA256), number(1)) }, "digestAlgorithm", true},
		{"digestAlgorithms is a signature's", func(f *forgery) { f.announced = sequence(oid(ecdsaSHA256)) }, "digestAlgorithms", false},
		{"digestAlgorithms is empty", func(f *forgery) { f.announced = []byte{} }, "digestAlgorithms", false},
		{"version 3 with a serial number", func(f *forgery) { f.signerVersion = number(3) }, "version", true},
	} {
		for _, direct := range []bool{false, true} {
			f := newForgery(t)
			c.forge(f)
			name := c.name
			if direct {
				f.attributes, name = nil, name+", no attributes"
			}
			t.Run(name, func(t *testing.T) {
				der := f.der(t)
				_, err := run(der, nil, forgedArtifact, f.policy())
				if (err == nil) != (c.field == "") || err != nil && !strings.Contains(err.Error(), c.field) {
					t.Errorf("%v, want %q named", err, c.field)
				}
				if err != nil {
					wantReason(t, err, formats.ReasonMalformedSignature)
				}
				if got := opensslAccepts(t, der, forgedArtifact); got != c.openssl {
					t.Errorf("OpenSSL says %v", got)
				}
			})
		}
	}
}
