// SPDX-License-Identifier: Apache-2.0

package ssh_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"io"
	"slices"
	"testing"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/formatstest"
	"github.com/rekor-gateway/rekor-gateway/formats/ssh"
)

// FuzzParse: no panic; a value or an *Error, never both; what verifies, verifies with the
// standard library alone; its canonical form and minimal keys lead back to themselves; work in proportion
// to the input.
func FuzzParse(f *testing.F) {
	artifact := read(f, "artifact.txt")
	for _, a := range accepted {
		f.Add(read(f, a.sig+".sig"), read(f, a.keys))
		f.Add(dearmor(f, read(f, a.sig+".sig")), read(f, a.keys))
	}
	for _, r := range refused {
		f.Add(dearmor(f, read(f, r.sig+".sig")), read(f, r.keys))
	}
	f.Add(read(f, "ecdsa-256.sig"), []byte(`"a b" namespaces="f*",valid-after="2020" ssh-ed25519 AAAA`))
	f.Fuzz(func(t *testing.T, sig, key []byte) {
		ssh.New().Detect(sig)
		s := submission{sig, [][]byte{key}, policy()}
		ctx, check := formatstest.CheckWork(t, sig, key)
		if p, err := ssh.New().Parse(ctx, sig, s.keys, s.policy); (p == nil) != (err != nil) {
			t.Fatal("a value beside an error, or neither")
		} else if err == nil {
			p.Describe()
			_, _ = p.Verify(ctx, formats.FromReader(bytes.NewReader(artifact)))
		}
		check()
		v := judge(t, s)
		if v == nil {
			return
		}
		checkIndependently(t, v, artifact)
		again := judge(t, submission{sig, v.Keys, policy()})
		if again == nil || !slices.EqualFunc(again.Keys, v.Keys, bytes.Equal) || !bytes.Equal(again.Canonical, v.Canonical) {
			t.Error("the minimal keys are no fixed point")
		}
		canonical := judge(t, submission{v.Canonical, [][]byte{embedded(t, v.Canonical)}, policy()})
		if canonical == nil || !bytes.Equal(canonical.Canonical, v.Canonical) {
			t.Error("the canonical form is no fixed point")
		}
	})
}

// judge verifies, and demands a typed refusal otherwise.
func judge(t *testing.T, s submission) *formats.Verified {
	t.Helper()
	v, err := verify(s)
	if (v == nil) != (err != nil) {
		t.Fatal("a value beside an error, or neither")
	}
	var e *formats.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("refusal is no *formats.Error: %v", err)
	}
	return v
}

// embedded returns the public key line of a blob's own key.
func embedded(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b blob
	if err := xssh.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	key, err := xssh.ParsePublicKey(b.Key)
	if err != nil {
		t.Fatal(err)
	}
	return xssh.MarshalAuthorizedKey(key)
}

// checkIndependently verifies with crypto/* and no SSH library.
func checkIndependently(t *testing.T, v *formats.Verified, artifact []byte) {
	t.Helper()
	for _, p := range v.Projections {
		h := p.Hash.New()
		if _, err := io.Copy(h, p.Recipe.Reader(nil)); err != nil {
			t.Fatal(err)
		}
		if err := p.VerifyDigest(); err != nil || !bytes.Equal(h.Sum(nil), p.Digest.Value) {
			t.Errorf("the projection does not verify: %v", err)
		}
	}
	if len(v.Projections) > 0 {
		return
	}
	pub, err := x509.ParsePKIXPublicKey(v.Signers[0].SPKI)
	if err != nil {
		t.Fatal(err)
	}
	message, sig := signedByEd25519(t, v.Canonical, artifact)
	if !ed25519.Verify(pub.(ed25519.PublicKey), message, sig) {
		t.Error("crypto/ed25519 refuses the signature")
	}
}

func signedByEd25519(t *testing.T, raw, artifact []byte) (message, sig []byte) {
	t.Helper()
	var b blob
	if err := xssh.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	s := b.signature(t)
	digest := digestOf(formats.DigestAlgorithm(b.Hash), artifact).Value
	message = slices.Concat(b.Magic[:], wire(b.Namespace, "", b.Hash, string(digest)))
	if s.Format == xssh.KeyAlgoED25519 {
		return message, s.Blob
	}
	var key struct{ Type, Point, Application string }
	if err := xssh.Unmarshal(b.Key, &key); err != nil {
		t.Fatal(err)
	}
	application, inner := sha256.Sum256([]byte(key.Application)), sha256.Sum256(message)
	return slices.Concat(application[:], s.Rest, inner[:]), s.Blob
}
