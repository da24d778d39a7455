// SPDX-License-Identifier: Apache-2.0

package formats_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
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

// TestRememberChecks: what was found good once is not computed on again, and nothing else passes for that: the same changes as above are refused.
func TestRememberChecks(t *testing.T) {
	if err := formats.RememberChecks(2); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(formats.ForgetChecks)
	message := []byte("message")
	p := pure(t, edKey(), message)
	p.Message = message
	if testing.AllocsPerRun(1, func() { _ = p.VerifyDigest() }) > 0 { // AllocsPerRun calls it once before
		t.Error("the same is computed on again")
	}
	if err := p.VerifyDigest(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*formats.Projection){
		"message":    func(p *formats.Projection) { p.Message = []byte("another") },
		"no message": func(p *formats.Projection) { p.Message = nil },
		"digest":     func(p *formats.Projection) { p.Digest.Value = make([]byte, 32) },
		"signature":  func(p *formats.Projection) { p.Signature = pure(t, edKey(), []byte("another")).Signature },
		"key":        func(p *formats.Projection) { p.SPKI = spki(t, ecKey(t, elliptic.P256()).Public()) },
		"scheme":     func(p *formats.Projection) { p.Scheme = formats.Ed25519ph },
	} {
		changed := p
		change(&changed)
		for range 2 { // what was refused is not remembered as good
			if changed.VerifyDigest() == nil {
				t.Errorf("another %s is taken for the same", name)
			}
		}
	}
	if formats.RememberChecks(0) == nil {
		t.Error("a memory of nothing was made")
	}
}

// pure returns a pure Ed25519 signature over message, with what is to be seen of it in a log, without the note that it verifies.
func pure(t *testing.T, key ed25519.PrivateKey, message []byte) formats.Projection {
	t.Helper()
	digest := sha256.Sum256(message)
	return formats.Projection{
		Candidate: formats.Candidate{SPKI: spki(t, key.Public()), Scheme: formats.Ed25519, Hash: formats.SHA256},
		Digest:    formats.Digest{Algorithm: formats.SHA256, Value: digest[:]}, Signature: ed25519.Sign(key, message),
	}
}

// TestPureProjection: a pure Ed25519 signature is verified over its message. Without one, it is believed of nobody but who has verified it.
func TestPureProjection(t *testing.T) {
	message := []byte("message")
	p := pure(t, edKey(), message)
	if err := p.VerifyDigest(); formats.ReasonOf(err) != formats.ReasonNeedsBytes {
		t.Errorf("without the message: %v", err)
	}
	for name, change := range map[string]func(*formats.Projection){
		"":          func(*formats.Projection) {},
		"message":   func(p *formats.Projection) { p.Message = []byte("another") },
		"nothing":   func(p *formats.Projection) { p.Message = []byte{} },
		"digest":    func(p *formats.Projection) { p.Digest.Value = make([]byte, 32) },
		"hash":      func(p *formats.Projection) { p.Hash, p.Digest = formats.SHA512, digest(formats.SHA512, message) },
		"signature": func(p *formats.Projection) { p.Signature = pure(t, edKey(), []byte("another")).Signature },
		"key":       func(p *formats.Projection) { p.SPKI = spki(t, ecKey(t, elliptic.P256()).Public()) },
		"prehashed": func(p *formats.Projection) { p.Scheme = formats.Ed25519ph },
	} {
		shown := p
		shown.Message = message
		change(&shown)
		if err := shown.VerifyDigest(); (err == nil) != (name == "") || err != nil && formats.ReasonOf(err) != formats.ReasonSignatureInvalid {
			t.Errorf("with another %s: %v", name, err)
		}
	}
	checked, err := p.CheckMessage(message)
	if err != nil || checked.Message != nil || checked.VerifyDigest() != nil {
		t.Errorf("%v", err)
	}
	checked.Message = []byte("another")
	if checked.VerifyDigest() == nil {
		t.Error("another message is believed")
	}
	if bad, err := p.CheckMessage([]byte("another")); err == nil || bad.IsChecked() {
		t.Error("another message was checked")
	}
	if _, err := pure(t, edKey(), nil).CheckMessage(nil); err != nil {
		t.Errorf("of nothing: %v", err)
	}
}

// TestStreamedProjection: what was streamed counts for the key and the signature that it was streamed for.
func TestStreamedProjection(t *testing.T) {
	message := []byte("message")
	p := pure(t, edKey(), message)
	stream := func(p formats.Projection, message string) *ed25519stream.Verifier {
		v, err := ed25519stream.New(edKey().Public().(ed25519.PublicKey), p.Signature)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = v.Write([]byte(message))
		return v
	}
	if checked, err := p.CheckStream(stream(p, "message")); err != nil || checked.VerifyDigest() != nil {
		t.Error(err)
	}
	other := pure(t, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)), message)
	prehashed, overlong := p, p
	prehashed.Scheme, overlong.Digest = formats.Ed25519ph, digest(formats.SHA512, message)
	for name, c := range map[string]struct {
		p formats.Projection
		v *ed25519stream.Verifier
	}{
		"another message":   {p, stream(p, "another")},
		"another signature": {p, stream(pure(t, edKey(), []byte("another")), "another")},
		"another key":       {other, stream(p, "message")},
		"another scheme":    {prehashed, stream(p, "message")},
		"another digest":    {overlong, stream(p, "message")},
	} {
		if checked, err := c.p.CheckStream(c.v); formats.ReasonOf(err) != formats.ReasonSignatureInvalid || checked.IsChecked() {
			t.Errorf("%s: %v", name, err)
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
