// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestCheckedProjection: what was found to verify is not believed of anything else.
func TestCheckedProjection(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("artifact"))
	sig, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	p := formats.Projection{
		Candidate: formats.Candidate{SPKI: marshal(t, key), Scheme: formats.ECDSA, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: sig,
	}
	bad := p
	bad.Signature = slices.Concat(sig[:len(sig)-1], []byte{sig[len(sig)-1] ^ 1})
	if got, err := bad.Check(); err == nil || got.VerifyDigest() == nil {
		t.Error("a wrong signature was checked")
	}
	checked, err := p.Check()
	if err != nil || checked.VerifyDigest() != nil || p.WithCheckOf(checked).VerifyDigest() != nil {
		t.Fatal("the right one does not verify")
	}
	for name, change := range map[string]func(*formats.Projection){
		"key":       func(p *formats.Projection) { p.SPKI = marshal(t, other) },
		"scheme":    func(p *formats.Projection) { p.Scheme = formats.RSAPSS },
		"hash":      func(p *formats.Projection) { p.Hash = formats.SHA512 },
		"algorithm": func(p *formats.Projection) { p.Digest.Algorithm = formats.SHA512 },
		"digest":    func(p *formats.Projection) { p.Digest.Value = make([]byte, 32) },
		"signature": func(p *formats.Projection) { p.Signature = bad.Signature },
		"boundary": func(p *formats.Projection) {
			p.Digest.Value, p.Signature = slices.Concat(digest[:], sig[:1]), sig[1:]
		},
	} {
		changed := checked
		change(&changed)
		if changed.VerifyDigest() == nil || changed.WithCheckOf(checked).VerifyDigest() == nil {
			t.Errorf("with another %s it verifies still", name)
		}
	}
}

func marshal(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return spki
}
