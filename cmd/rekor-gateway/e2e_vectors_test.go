// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// vector is one of a plugin's test vectors that verifies.
type vector struct {
	want      string   // representation
	format    string   // the plugin's folder
	signature string   // file in its testdata, as are the others
	keys      []string // none where the signature has its certificate
	artifact  string   // "" where the signature has it
}

// vectors are of the kinds that TestStockCosign's tools do not make, or that stock cosign
// cannot judge.
var vectors = []vector{
	{"NATIVE", "x509", "ed25519ph.sig", []string{"ed25519.pem"}, "artifact.bin"},
	{"NATIVE", "x509", "p256.sig", []string{"p256-chain.pem"}, "artifact.bin"},
	{"NATIVE", "x509", "rsa2048.sig", []string{"rsa2048-pkcs1.pem"}, "artifact.bin"},
	{"NATIVE", "x509", "rsa3072.b64", []string{"rsa3072.pem"}, "artifact.bin"},
	{"ATTESTED", "x509", "ed25519.sig", []string{"ed25519.pem"}, "artifact.bin"},
	{"ATTESTED", "x509", "rsa2048-pss.sig", []string{"rsa2048.pem"}, "artifact.bin"},
	{"ATTESTED", "x509", "rsa2048-sha384.sig", []string{"rsa2048.pem"}, "artifact.bin"},
	{"ATTESTED", "x509", "p384-sha256.sig", []string{"p384.pem"}, "artifact.bin"},

	{"PROJECTED", "pgp", "v3-SHA256.sig", []string{"v3.key"}, "artifact"},
	{"ATTESTED", "pgp", "v3-SHA512.sig", []string{"v3.key"}, "artifact"},
	{"PROJECTED", "pgp", "v6-rsa.sig", []string{"v6-rsa.key"}, "artifact"},
	{"PROJECTED", "pgp", "v6-p256.sig", []string{"v6-p256.key"}, "artifact"},
	{"PROJECTED", "pgp", "v6-rsa-cleartext.asc", []string{"v6-rsa.key"}, ""},
	{"ATTESTED", "pgp", "v6-ed25519.sig", []string{"v6-ed25519.key"}, "artifact"},
	{"ATTESTED", "pgp", "rsa3072-SHA384.sig", []string{"rsa3072.key"}, "artifact"},
	{"ATTESTED", "pgp", "p256-SHA512.sig", []string{"p256.key"}, "artifact"},
	{"ATTESTED", "pgp", "cleartext-ed25519.asc", []string{"ed25519.key"}, ""},

	{"PROJECTED", "ssh", "rsa-sha256.sig", []string{"rsa-sha256.pub"}, "artifact.txt"},
	{"PROJECTED", "ssh", "sk-ecdsa.sig", []string{"sk-ecdsa.pub"}, "artifact.txt"},
	{"PROJECTED", "ssh", "cert-ecdsa.sig", []string{"ca.signers"}, "artifact.txt"},
	{"ATTESTED", "ssh", "cert-ed25519.sig", []string{"ca-other.signers"}, "artifact.txt"},
	{"ATTESTED", "ssh", "sk-ed25519.sig", []string{"sk-ed25519.pub"}, "artifact.txt"},

	{"PROJECTED", "pkcs7", "rsa3072.der", nil, "artifact.bin"},
	{"PROJECTED", "pkcs7", "p521.der", nil, "artifact.bin"},
	{"PROJECTED", "pkcs7", "p384-noattr.der", nil, "artifact.bin"},
	{"PROJECTED", "pkcs7", "rsa2048-cades.der", nil, "artifact.bin"},
	{"PROJECTED", "pkcs7", "rsa2048-stream.ber", nil, ""},
	{"PROJECTED", "pkcs7", "rsa2048-nocerts.der", []string{"rsa2048-cert.pem"}, "artifact.bin"},
	{"PROJECTED", "pkcs7", "smime.eml", nil, ""},
	{"PROJECTED", "pkcs7", "text.der", nil, "text.txt"},
	{"ATTESTED", "pkcs7", "rsa2048-pss.der", nil, "artifact.bin"},
	{"ATTESTED", "pkcs7", "rsa2048-sha384.der", nil, "artifact.bin"},
	{"ATTESTED", "pkcs7", "p384-sha256.der", nil, "artifact.bin"},

	{"PROJECTED", "tuf", "root-2.json", []string{"root-1.json"}, ""},
	{"PROJECTED", "tuf", "targets.json", []string{"root-1.json"}, "target.txt"},
	{"ATTESTED", "tuf", "targets-mixed.json", []string{"root-1.json"}, ""},
	{"ATTESTED", "tuf", "snapshot.json", []string{"root-1.json"}, ""},
	{"ATTESTED", "tuf", "timestamp.json", []string{"root-1.json"}, ""},
}

// TestVectors: each is recorded in a real log as it should be, and its receipt verifies
// offline, by the expected signer alone.
func TestVectors(t *testing.T) {
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	s := &stock{deployment: g}
	g.start()
	t.Run("formats", func(t *testing.T) {
		for _, v := range vectors {
			t.Run(v.format+" "+v.signature, func(t *testing.T) {
				t.Parallel()
				s.checkVector(t, v)
			})
		}
	})
	g.stop()
}

func (s *stock) checkVector(t *testing.T, v vector) {
	dir := must(filepath.Abs(filepath.Join("..", "..", "formats", v.format, "testdata")))
	receipt := filepath.Join(t.TempDir(), "receipt.json")
	submit := []string{"submit", "--server", s.url, "--format", v.format, "--signature", v.signature, "--receipt", receipt}
	verify := []string{"verify", "--receipt", receipt, "--trusted-root", s.file(rootFile), "--gateway-trust", s.file(trustFile)}
	for _, k := range v.keys {
		submit = append(submit, "--key", k)
	}
	if v.artifact != "" {
		submit, verify = append(submit, "--artifact", v.artifact), append(verify, "--artifact", v.artifact)
	}
	if out := s.run(t, dir, submit...); !strings.Contains(out, " as "+v.want) {
		t.Errorf("not %s:\n%s", v.want, out)
	}
	if out, err := s.command(dir, s.program, verify...).CombinedOutput(); err == nil || !strings.Contains(string(out), "signer") {
		t.Errorf("verified without an expected signer: %v\n%s", err, out)
	}
	stranger := append(verify, "--signer", "sha256:"+strings.Repeat("ab", 32))
	if out, err := s.command(dir, s.program, stranger...).CombinedOutput(); err == nil {
		t.Errorf("verified as a stranger's:\n%s", out)
	}
	if len(v.keys) == 0 {
		verify = append(verify, "--any-signer")
	}
	for _, k := range v.keys {
		verify = append(verify, "--key", k)
	}
	s.run(t, dir, verify...)
}
