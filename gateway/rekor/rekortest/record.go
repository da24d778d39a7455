// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"

	commonpb "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// Signer makes records that the log takes, with one key.
type Signer struct {
	t       testing.TB
	key     crypto.Signer
	hash    crypto.Hash
	spki    []byte
	details commonpb.PublicKeyDetails
}

// NewECDSASigner returns a signer with a new P-256 key.
func NewECDSASigner(t testing.TB) *Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return newSigner(t, key, err, crypto.SHA256, commonpb.PublicKeyDetails_PKIX_ECDSA_P256_SHA_256)
}

// NewRSASigner returns a signer with a new RSA key of 2048 bits.
func NewRSASigner(t testing.TB) *Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	return newSigner(t, key, err, crypto.SHA256, commonpb.PublicKeyDetails_PKIX_RSA_PKCS1V15_2048_SHA256)
}

// NewEd25519phSigner returns a signer with a new Ed25519 key that signs SHA-512 digests.
func NewEd25519phSigner(t testing.TB) *Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return newSigner(t, key, err, crypto.SHA512, commonpb.PublicKeyDetails_PKIX_ED25519_PH)
}

func newSigner(t testing.TB, key crypto.Signer, err error, hash crypto.Hash, details commonpb.PublicKeyDetails) *Signer {
	t.Helper()
	if err != nil {
		t.Fatalf("making key: %v", err)
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatalf("encoding key: %v", err)
	}
	return &Signer{t: t, key: key, hash: hash, spki: spki, details: details}
}

// Key is the signer's private key.
func (s *Signer) Key() crypto.Signer { return s.key }

// Record signs message.
func (s *Signer) Record(message string) hashedrekord.Record {
	s.t.Helper()
	h := s.hash.New()
	h.Write([]byte(message))
	digest := h.Sum(nil)
	signature, err := s.key.Sign(rand.Reader, digest, s.hash)
	if err != nil {
		s.t.Fatalf("signing: %v", err)
	}
	return hashedrekord.Record{Digest: digest, Signature: signature, SPKI: s.spki, KeyDetails: s.details}
}
