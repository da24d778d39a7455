// SPDX-License-Identifier: Apache-2.0

package attest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// FacadeSigner signs what a log says that clients of Rekor v1 read: ECDSA P-256 over SHA-256, the same always in the same way. As a note.Signer it
// signs checkpoints as Rekor v1 does, whose signature line has the name of the host, and not the checkpoint's origin, and as key hash the first four
// bytes of SHA-256 of the SubjectPublicKeyInfo (github.com/sigstore/rekor, pkg/util). It is immutable and safe for concurrent use.
type FacadeSigner struct {
	key  *ecdsa.PrivateKey
	host string
	spki []byte
}

var _ note.Signer = (*FacadeSigner)(nil)

// LoadFacadeSigner reads the private key of the log at host: PEM, ECDSA P-256, PKCS #8 or SEC 1. With create it is made, readable by its owner
// alone, when there is no such file. Errors never hold key material.
func LoadFacadeSigner(path, host string, create bool) (*FacadeSigner, error) {
	key, err := loadOrCreate(Config{Active: path, Create: create})
	if err != nil {
		return nil, fmt.Errorf("loading the key of the log for clients of Rekor v1: %w", err)
	}
	spki, err := marshalPublic(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("loading the key of the log for clients of Rekor v1: %w", err)
	}
	return &FacadeSigner{key, host, spki}, nil
}

// Tree returns the ID of the tree that is signed with this key: a positive number that follows from the key, so that no tree has two.
func (s *FacadeSigner) Tree() int64 {
	sum := sha256.Sum256(append([]byte("rekor-gateway tree of a log for clients of Rekor v1\n"), s.spki...))
	return max(1, int64(binary.BigEndian.Uint64(sum[:])&math.MaxInt64))
}

// Name implements note.Signer: the host.
func (s *FacadeSigner) Name() string { return s.host }

// KeyHash implements note.Signer.
func (s *FacadeSigner) KeyHash() uint32 {
	sum := sha256.Sum256(s.spki)
	return binary.BigEndian.Uint32(sum[:])
}

// Sign implements note.Signer: ASN.1 DER.
func (s *FacadeSigner) Sign(msg []byte) ([]byte, error) {
	digest := sha256.Sum256(msg)
	signature, err := s.key.Sign(nil, digest[:], crypto.SHA256) // without randomness it is RFC 6979's
	if err != nil {
		return nil, fmt.Errorf("signing for clients of Rekor v1: %w", err)
	}
	return signature, nil
}

// SPKI returns the key's SubjectPublicKeyInfo, DER.
func (s *FacadeSigner) SPKI() []byte { return slices.Clone(s.spki) }

// PublicKey returns the key as PEM (PUBLIC KEY).
func (s *FacadeSigner) PublicKey() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: s.spki})
}
