// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	stdx509 "crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// certificate returns the first certificate of a PEM file.
func certificate(t testing.TB, name string) *stdx509.Certificate {
	t.Helper()
	block, _ := pem.Decode(file(t, name))
	cert, err := stdx509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// strict is the default policy, on the day after the test data was made.
func strict(t testing.TB) formats.Policy {
	return formats.Policy{Now: certificate(t, "p256-cert.pem").NotBefore.Add(24 * time.Hour)}
}

func digest(a formats.DigestAlgorithm, artifact []byte) *formats.Digest {
	h := a.New()
	h.Write(artifact)
	return &formats.Digest{Algorithm: a, Value: h.Sum(nil)}
}

// valid lists what must verify: signature, key, the digest that is enough, if any, and whether
// the whole conformance run is worth its time.
var valid = []struct {
	signature, key string
	digest         formats.DigestAlgorithm
	projects       bool
	conformance    bool
}{
	{"rsa2048.sig", "rsa2048.pem", formats.SHA256, true, true},
	{"rsa2048.sig", "rsa2048-pkcs1.pem", formats.SHA256, true, false},
	{"rsa2560.sig", "rsa2560.pem", formats.SHA256, true, false},
	{"rsa3072.sig", "rsa3072.pem", formats.SHA256, true, false},
	{"rsa3072.b64", "rsa3072.pem", formats.SHA256, true, true},
	{"rsa4096.sig", "rsa4096.pem", formats.SHA256, true, false},
	{"rsa2048-sha384.sig", "rsa2048.pem", formats.SHA384, true, false},
	{"rsa2048-sha512.sig", "rsa2048.pem", formats.SHA512, true, true},
	{"rsa2048-pss.sig", "rsa2048.pem", formats.SHA256, true, true},
	{"rsa3072-pss.sig", "rsa3072.pem", formats.SHA512, true, false},
	{"p256.sig", "p256.pem", formats.SHA256, true, true},
	{"p256.sig", "p256.der", formats.SHA256, true, false},
	{"p256.b64", "p256.pem", formats.SHA256, true, true},
	{"p256.sig", "p256-cert.pem", formats.SHA256, true, false},
	{"p256.sig", "p256-cert.der", formats.SHA256, true, true},
	{"p256.sig", "p256-chain.pem", formats.SHA256, true, true},
	{"p384.sig", "p384.pem", formats.SHA384, true, true},
	{"p384-sha256.sig", "p384.pem", formats.SHA256, true, true},
	{"p521.sig", "p521.pem", formats.SHA512, true, false},
	{"p521-sha256.sig", "p521.pem", formats.SHA256, true, false},
	{"ed25519ph.sig", "ed25519.pem", formats.SHA512, true, true},
	{"ed25519.sig", "ed25519.pem", "", true, true},
}

func TestConformance(t *testing.T) {
	artifact := file(t, "artifact.bin")
	suite := formatstest.Suite{Format: x509.New()}
	for _, c := range valid {
		if !c.conformance {
			continue
		}
		v := formatstest.Vector{
			Name: c.signature + " by " + c.key, Signature: file(t, c.signature), Keys: [][]byte{file(t, c.key)},
			Artifact: artifact, Policy: strict(t), Projects: c.projects,
		}
		if c.digest != "" {
			v.Digest = digest(c.digest, artifact)
		}
		suite.Vectors = append(suite.Vectors, v)
	}
	suite.Vectors = append(suite.Vectors, refused(t)...)
	formatstest.Run(t, suite)
}

func TestValid(t *testing.T) {
	artifact := file(t, "artifact.bin")
	for _, c := range valid {
		s := parse(t, c.signature, c.key, strict(t))
		v := verify(t, s, formats.FromReader(bytes.NewReader(artifact)))
		if (len(v.Projections) > 0) != c.projects {
			t.Errorf("%s by %s: %d projections", c.signature, c.key, len(v.Projections))
		}
		if c.digest != "" {
			verify(t, s, formats.FromDigest(*digest(c.digest, artifact)))
		}
	}
}

// refused are the submissions that a strict gateway turns away, by reason.
func refused(t *testing.T) []formatstest.Vector {
	trailing := func(name string, tail ...byte) []byte { return append(file(t, name), tail...) }
	good := file(t, "p256.sig")
	cases := []struct {
		name      string
		signature []byte
		key       []byte
		want      formats.Reason
	}{
		{"no signature", nil, file(t, "p256.pem"), formats.ReasonMissingSignature},
		{"RSA-1024", file(t, "rsa1024.sig"), file(t, "rsa1024.pem"), formats.ReasonWeakAlgorithm},
		{"P-224", file(t, "p224.sig"), file(t, "p224.pem"), formats.ReasonWeakAlgorithm},
		{"DSA", file(t, "dsa.sig"), file(t, "dsa.pem"), formats.ReasonWeakAlgorithm},
		{"SHA-1", file(t, "rsa2048-sha1.sig"), file(t, "rsa2048.pem"), formats.ReasonWeakAlgorithm},
		{"MD5", file(t, "rsa2048-md5.sig"), file(t, "rsa2048.pem"), formats.ReasonWeakAlgorithm},
		{"SHA-224", file(t, "rsa2048-sha224.sig"), file(t, "rsa2048.pem"), formats.ReasonUnsupportedAlgorithm},
		{"PSS with a short salt", file(t, "rsa2048-pss20.sig"), file(t, "rsa2048.pem"), formats.ReasonSignatureInvalid},
		{"secp256k1", good, file(t, "k256.pem"), formats.ReasonUnsupportedAlgorithm},
		{"Ed448", good, file(t, "ed448.pem"), formats.ReasonUnsupportedAlgorithm},
		{"another key of another size", file(t, "rsa2048.sig"), file(t, "rsa3072.pem"), formats.ReasonMalformedSignature},
		{"bytes after a DER signature", append(bytes.Clone(good), 0), file(t, "p256.pem"), formats.ReasonTrailingData},
		{"bytes after a DER key", good, trailing("p256.der", 0), formats.ReasonTrailingData},
		{"bytes after a DER certificate", good, trailing("p256-cert.der", 0), formats.ReasonTrailingData},
		{"issuer before leaf", good, file(t, "p256-chain-backwards.pem"), formats.ReasonMalformedKey},
		{"unrelated certificate after leaf", good, trailing("p256-cert.pem", file(t, "root-cert.pem")...), formats.ReasonMalformedKey},
		{"damaged block after a PEM key", good, trailing("p256.pem", []byte("-----BEGIN PUBLIC KEY-----\nMF")...), formats.ReasonMalformedKey},
		{"PGP key after a PEM key", good, trailing("p256.pem", []byte("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmFIE\n-----END PGP PUBLIC KEY BLOCK-----\n")...), formats.ReasonMalformedKey},
		{"certificate not for signing", good, file(t, "p256-agreement-cert.pem"), formats.ReasonKeyNotValid},
		{"no key at all", good, []byte("ssh-ed25519 AAAA"), formats.ReasonMalformedKey},
		{"encrypted private key", good, file(t, "secret-encrypted.der"), formats.ReasonSecretKey},
		{"PKCS #12", good, file(t, "secret-pkcs12.der"), formats.ReasonSecretKey},
	}
	var out []formatstest.Vector
	for _, c := range cases {
		out = append(out, formatstest.Vector{Name: c.name, Signature: c.signature, Keys: [][]byte{c.key},
			Artifact: file(t, "artifact.bin"), Policy: strict(t), Want: c.want})
	}
	return append(out,
		formatstest.Vector{Name: "SSHSIG blob", Signature: file(t, "sshsig.sig"), Keys: [][]byte{file(t, "p256.pem")},
			Artifact: file(t, "sshsig.bin"), Policy: strict(t), Want: formats.ReasonProtocolConfusion},
		formatstest.Vector{Name: "CMS attributes", Signature: file(t, "attributes.sig"), Keys: [][]byte{file(t, "p256.pem")},
			Artifact: file(t, "attributes.bin"), Policy: strict(t), Want: formats.ReasonProtocolConfusion},
		formatstest.Vector{Name: "no key", Signature: good, Artifact: file(t, "artifact.bin"), Policy: strict(t), Want: formats.ReasonMissingKey},
	)
}
