// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest/toy"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// A raw signature is found beside its key, in every encoding of both. Nobody has to name the format.
func TestDetectBesideKeys(t *testing.T) {
	for _, c := range []struct{ signature, key, want string }{
		{"x509/testdata/rsa2048.sig", "x509/testdata/rsa2048.pem", "x509"},
		{"x509/testdata/rsa3072.b64", "x509/testdata/rsa3072.pem", "x509"},
		{"x509/testdata/rsa2048-pss.sig", "x509/testdata/rsa2048-pkcs1.pem", "x509"},
		{"x509/testdata/ed25519.sig", "x509/testdata/ed25519.pem", "x509"},
		{"x509/testdata/p256.sig", "x509/testdata/p256-chain.pem", "x509"},
		{"x509/testdata/rsa2048.sig", "x509/testdata/rsa3072.pem", "x509"}, // another key: that is what the refusal says
		{"x509/testdata/ed25519.sig", "x509/testdata/ed448.pem", "x509"},
		{"pgp/testdata/p256.sig", "x509/testdata/p256.pem", "pgp"},
		{"pkcs7/testdata/rsa2048.der", "pkcs7/testdata/rsa2048-cert.pem", "pkcs7"},
		{"minisign/testdata/legacy.minisig", "x509/testdata/ed25519.pem", "minisign"},
		{"ssh/testdata/ed25519.sig", "x509/testdata/ed25519.pem", "ssh"},
		{"tuf/testdata/targets.json", "tuf/testdata/root-1.json", "tuf"},
		{"x509/testdata/rsa2048.sig", "pgp/testdata/rsa2048.key", ""},
		{"x509/testdata/rsa2048.sig", "ssh/testdata/allowed.signers", ""},
		{"x509/testdata/ed25519.sig", "minisign/testdata/signer.pub", ""},
	} {
		f, err := all.Formats().Detect(t.Context(), read(t, c.signature), [][]byte{read(t, c.key)}, now)
		switch {
		case c.want == "" && formats.ReasonOf(err) == formats.ReasonUnknownFormat:
		case err != nil || f.Name() != c.want:
			t.Errorf("%s beside %s: %v, %v, want %q", c.signature, c.key, f, err, c.want)
		}
	}
}

// With the policy's keys a raw signature needs no key beside it, and no name.
func TestDetectBesidePolicyKeys(t *testing.T) {
	p := now
	p.Keys = map[string][][]byte{"x509": {read(t, "x509/testdata/p384.pem"), read(t, "x509/testdata/rsa2048.pem")}}
	if f, err := all.Formats().Detect(t.Context(), read(t, "x509/testdata/rsa2048.sig"), nil, p); err != nil || f.Name() != "x509" {
		t.Errorf("%v, %v", f, err)
	}
	_, err := all.Formats().Detect(t.Context(), read(t, "x509/testdata/rsa2048.sig"), nil, now)
	var e *formats.Error
	if !errors.As(err, &e) || e.Reason != formats.ReasonUnknownFormat || !strings.Contains(e.Hint, "public key") {
		t.Errorf("without any key: %v", err)
	}
}

// greedy is a format that claims what is 64 bytes long.
type greedy struct{ formats.Format }

func (greedy) Name() string                 { return "greedy" }
func (greedy) Detect(signature []byte) bool { return len(signature) == ed25519.SignatureSize }

// Where two formats really fit, the refusal names both, and naming one of them helps.
func TestSeveralFit(t *testing.T) {
	r := formats.NewRegistry(greedy{toy.New()}, x509.New())
	signature, key := read(t, "x509/testdata/ed25519.sig"), read(t, "x509/testdata/ed25519.pem")
	_, err := r.Parse(t.Context(), "", signature, [][]byte{key}, now)
	var e *formats.Error
	if !errors.As(err, &e) || e.Reason != formats.ReasonUnknownFormat || !strings.Contains(e.Message, "greedy and x509") || !strings.Contains(e.Hint, "format=greedy or format=x509") {
		t.Errorf("%v", err)
	}
	if _, err := r.Parse(t.Context(), "x509", signature, [][]byte{key}, now); err != nil {
		t.Errorf("by its name: %v", err)
	}
	if f, err := r.Detect(t.Context(), signature, [][]byte{read(t, "pgp/testdata/p256.key")}, now); err != nil || f.Name() != "greedy" {
		t.Errorf("beside a key of another format: %v, %v", f, err)
	}
}

// Text before a signature is called that, without a format being named.
func TestTextBeforeSignature(t *testing.T) {
	for name, signature := range map[string]string{
		"pgp": "pgp/testdata/armored.asc", "ssh": "ssh/testdata/ecdsa-256.sig", "pkcs7": "pkcs7/testdata/rsa2048-cms.pem", "minisign": "minisign/testdata/legacy.minisig",
	} {
		text := append([]byte("Here is my signature:\n\n"), read(t, signature)...)
		_, err := all.Formats().Parse(context.Background(), "", text, [][]byte{read(t, "x509/testdata/p256.pem")}, now)
		if formats.ReasonOf(err) != formats.ReasonMalformedSignature || !strings.Contains(err.Error(), "text before the signature") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A key in a form that is not read is still the key of a raw signature: the refusal has the command that converts it.
func TestDetectBesideConvertibleKeys(t *testing.T) {
	for key, hint := range map[string]string{
		"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n":     "openssl req -in FILE",
		"-----BEGIN TRUSTED CERTIFICATE-----\nAAAA\n-----END TRUSTED CERTIFICATE-----\n":     "openssl x509 -in FILE",
		"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAB3NzaC1yc2E=\n---- END SSH2 PUBLIC KEY ----\n": "ssh-keygen -i -f FILE",
		"-----BEGIN EC PUBLIC KEY-----\nAAAA\n-----END EC PUBLIC KEY-----\n":                 "openssl pkey -pubin",
	} {
		_, err := all.Formats().Parse(t.Context(), "", read(t, "x509/testdata/rsa2048.sig"), [][]byte{[]byte(key)}, now)
		var e *formats.Error
		if !errors.As(err, &e) || e.Reason != formats.ReasonMalformedKey || !strings.Contains(e.Hint, hint) {
			t.Errorf("%.40q: %v", key, err)
		}
	}
}

// Text before a signature: the hint has the command that takes it off, which depends on how the signature begins.
func TestHintsOfTextBefore(t *testing.T) {
	hello := []byte("Hello,\nhere it is:\n\n")
	for _, c := range []struct {
		signature []byte
		hint      string
	}{
		{append(hello[:len(hello):len(hello)], read(t, "ssh/testdata/ed25519.sig")...), "/^-----BEGIN/,$p"},
		{append(hello[:len(hello):len(hello)], read(t, "minisign/testdata/legacy.minisig")...), "/^untrusted comment:/,$p"},
		{[]byte("RSA-SHA2-256(app)= 3045ab\n"), "without -hex"},
		{[]byte("EC-SHA2-256(a (b)= c)= 30:45:ab\n"), "without -hex"},
	} {
		_, err := all.Formats().Detect(t.Context(), c.signature, [][]byte{read(t, "x509/testdata/p256.pem")}, now)
		var e *formats.Error
		if !errors.As(err, &e) || e.Reason != formats.ReasonMalformedSignature || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%.30q: %v, want a hint with %s", c.signature, err, c.hint)
		}
	}
}
