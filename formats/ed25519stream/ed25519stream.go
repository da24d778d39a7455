// SPDX-License-Identifier: Apache-2.0

// Package ed25519stream checks pure Ed25519 signatures (RFC 8032) over messages of any
// length in constant memory. crypto/ed25519 takes the message as one slice, because
// signing reads it twice; verifying reads it once and needs no such thing.
//
// The verdict is that of [crypto/ed25519.Verify] for every key, signature and message:
// S must be canonical, R is compared as encoded bytes, the equation is the cofactorless
// one, non-canonical and small-order keys are taken as they are.
package ed25519stream

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"hash"

	"filippo.io/edwards25519"
)

// What New refuses: inputs that no message can make valid.
var (
	// ErrKey: the key is not 32 bytes that encode a point of the curve.
	ErrKey = errors.New("not an Ed25519 public key")
	// ErrSignature: the signature is not 64 bytes with S below the group's order.
	ErrSignature = errors.New("not an Ed25519 signature")
)

// Verifier takes the message through Write and gives the verdict with Verify. It is for
// one message and one goroutine.
type Verifier struct {
	pub    [ed25519.PublicKeySize]byte
	minusA *edwards25519.Point
	r      [32]byte
	s      *edwards25519.Scalar
	h      hash.Hash // of R ‖ A ‖ what was written
}

// New returns a Verifier of sig (R ‖ S, 64 bytes) by pub (32 bytes). Errors are ErrKey and
// ErrSignature. It keeps neither slice.
func New(pub ed25519.PublicKey, sig []byte) (*Verifier, error) {
	a, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil {
		return nil, ErrKey
	}
	if len(sig) != ed25519.SignatureSize {
		return nil, ErrSignature
	}
	s, err := edwards25519.NewScalar().SetCanonicalBytes(sig[32:])
	if err != nil {
		return nil, ErrSignature
	}
	v := &Verifier{pub: [ed25519.PublicKeySize]byte(pub), minusA: a.Negate(a), r: [32]byte(sig[:32]), s: s, h: sha512.New()}
	v.h.Write(sig[:32])
	v.h.Write(pub) // as given: a non-canonical encoding is hashed as such
	return v, nil
}

// Write adds p to the message. It never fails.
func (v *Verifier) Write(p []byte) (int, error) { return v.h.Write(p) }

// IsFor reports whether v is for sig by pub.
func (v *Verifier) IsFor(pub ed25519.PublicKey, sig []byte) bool {
	return bytes.Equal(v.pub[:], pub) && len(sig) == ed25519.SignatureSize && bytes.Equal(v.r[:], sig[:32]) && bytes.Equal(v.s.Bytes(), sig[32:])
}

// Verify reports whether the signature is valid for what was written so far.
func (v *Verifier) Verify() bool {
	k, err := edwards25519.NewScalar().SetUniformBytes(v.h.Sum(nil))
	if err != nil {
		return false // only for another length than 64
	}
	// [S]B = R + [k]A, so R = [k](−A) + [S]B; comparing encodings refuses a non-canonical R.
	r := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(k, v.minusA, v.s)
	return bytes.Equal(v.r[:], r.Bytes())
}
