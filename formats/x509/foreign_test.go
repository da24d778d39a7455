// SPDX-License-Identifier: Apache-2.0

package x509_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	stdx509 "crypto/x509"
	"encoding/pem"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/foreign"
	"github.com/rekor-gateway/rekor-gateway/formats/x509"
)

// verifies reports whether the signature is good by the standard library: what is refused would pass else.
func verifies(t *testing.T, key, signed, signature []byte) bool {
	t.Helper()
	block, _ := pem.Decode(key)
	pub, err := stdx509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		sum := sha512.Sum512(signed)
		return rsa.VerifyPKCS1v15(k, crypto.SHA512, sum[:], signature) == nil
	case *ecdsa.PublicKey:
		sum := sha256.Sum256(signed)
		return ecdsa.VerifyASN1(k, sum[:], signature)
	default:
		return ed25519.Verify(pub.(ed25519.PublicKey), signed, signature)
	}
}

// TestForeignSignatures: signatures that other protocols' tools made are valid over what they signed, and are
// not about an artifact.
func TestForeignSignatures(t *testing.T) {
	names, err := filepath.Glob(filepath.Join("..", "foreign", "testdata", "*.sig"))
	if err != nil || len(names) < 15 {
		t.Fatalf("%d signatures, %v", len(names), err)
	}
	for _, name := range names {
		relative := filepath.Join("..", strings.TrimSuffix(name, ".sig"))
		signature, key, signed := file(t, relative+".sig"), file(t, relative+".pem"), file(t, relative+".bin")
		if !verifies(t, key, signed, signature) {
			t.Errorf("%s is no signature", name)
			continue
		}
		s, err := x509.New().Parse(context.Background(), signature, [][]byte{key}, strict(t))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, err = s.Verify(context.Background(), formats.FromReader(bytes.NewReader(signed)))
		wantReason(t, err, formats.ReasonProtocolConfusion)
	}
}

// What was excluded is stated where the bytes were seen, and a note stands in its place where they were not.
func TestForeignChecks(t *testing.T) {
	s := parse(t, "p256.sig", "p256.pem", strict(t))
	excludes := func(v *formats.Verified) bool {
		return slices.ContainsFunc(v.Checks, func(c string) bool { return strings.HasPrefix(c, foreign.CheckPrefix) })
	}
	v := verify(t, s, formats.FromReader(bytes.NewReader(file(t, "artifact.bin"))))
	if !excludes(v) || !slices.Contains(v.Checks, "not-openpgp") || len(v.Notes) > 0 {
		t.Errorf("with bytes: checks %q, notes %q", v.Checks, v.Notes)
	}
	v = verify(t, s, formats.FromDigest(*digest(formats.SHA256, file(t, "artifact.bin"))))
	if excludes(v) || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "no other protocol's") {
		t.Errorf("by digest: checks %q, notes %q", v.Checks, v.Notes)
	}
	if notes := s.Describe().Notes; slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "protocol") }) {
		t.Errorf("before verification: notes %q", notes)
	}
}
