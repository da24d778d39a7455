// SPDX-License-Identifier: Apache-2.0

package attest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/note"
)

// CheckpointSigner signs the checkpoints of an own log with Ed25519 (C2SP signed-note), the same one always the same way. It implements
// note.Signer.
type CheckpointSigner struct {
	key      ed25519.PrivateKey
	verifier note.Verifier
	vkey     string
}

var _ note.Signer = (*CheckpointSigner)(nil)

// LoadCheckpointSigner reads the private key of the log with that origin: PEM, Ed25519, PKCS #8. With create it is made, readable by its
// owner alone, when there is no such file. Errors never hold key material.
func LoadCheckpointSigner(path, origin string, create bool) (*CheckpointSigner, error) {
	b, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		b, err = createCheckpointKey(path)
	}
	if err == nil {
		err = checkPEM(b)
	}
	if err != nil {
		return nil, fmt.Errorf("loading the key of the own log: %w", err)
	}
	block, _ := pem.Decode(b)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("loading the key of the own log: %w", err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, errors.New("loading the key of the own log: the key is not Ed25519")
	}
	s := &CheckpointSigner{key: key}
	if s.vkey, err = note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey)); err != nil {
		return nil, fmt.Errorf("loading the key of the own log: %w", err)
	}
	if s.verifier, err = note.NewVerifier(s.vkey); err != nil {
		return nil, fmt.Errorf("loading the key of the own log: %w", err)
	}
	return s, nil
}

func createCheckpointKey(path string) ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return storeKey(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Name implements note.Signer.
func (s *CheckpointSigner) Name() string { return s.verifier.Name() }

// KeyHash implements note.Signer.
func (s *CheckpointSigner) KeyHash() uint32 { return s.verifier.KeyHash() }

// Sign implements note.Signer.
func (s *CheckpointSigner) Sign(msg []byte) ([]byte, error) {
	return s.key.Sign(nil, msg, crypto.Hash(0))
}

// VerifierKey returns the public key as C2SP signed-note writes it: ORIGIN+HASH+KEY.
func (s *CheckpointSigner) VerifierKey() string { return s.vkey }

// SPKI returns the public key's SubjectPublicKeyInfo, DER.
func (s *CheckpointSigner) SPKI() ([]byte, error) { return marshalPublic(s.key.Public()) }

// AnchorSigner signs anchors with ECDSA P-256. It is immutable and safe for concurrent use.
type AnchorSigner struct {
	key  *ecdsa.PrivateKey
	spki []byte
	made bool
}

// LoadAnchorSigner reads the private key: PEM, ECDSA P-256, PKCS #8 or SEC 1. With create it is made, readable by its owner alone,
// when there is no such file. Errors never hold key material.
func LoadAnchorSigner(path string, create bool) (*AnchorSigner, error) {
	_, err := os.Stat(path)
	made := create && errors.Is(err, fs.ErrNotExist)
	key, err := loadOrCreate(Config{Active: path, Create: create})
	if err != nil {
		return nil, fmt.Errorf("loading the anchor key: %w", err)
	}
	spki, err := marshalPublic(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("loading the anchor key: %w", err)
	}
	return &AnchorSigner{key, spki, made}, nil
}

// IsNew reports whether the key was made when it was loaded: nothing was signed with it before that.
func (s *AnchorSigner) IsNew() bool { return s.made }

// SPKI returns the key's SubjectPublicKeyInfo, DER.
func (s *AnchorSigner) SPKI() []byte { return slices.Clone(s.spki) }

// SignDigest signs a SHA-256 digest: ASN.1 DER.
func (s *AnchorSigner) SignDigest(_ context.Context, digest [32]byte) ([]byte, error) {
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return nil, fmt.Errorf("signing anchor: %w", err)
	}
	return signature, nil
}
