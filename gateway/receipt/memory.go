// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// maxRemembered bounds a Memory. A run over many receipts meets three signatures for each checkpoint of an own log.
const maxRemembered = 1024

// Memory remembers which signatures over checkpoints have verified, so that thousands of receipts with the same checkpoint have it
// verified once. It says that a key has signed these bytes, and nothing of whom anybody trusts: it may be shared by verifications with
// different trust. The nil Memory remembers nothing. Methods are safe for concurrent use.
type Memory struct {
	verified *lru.Cache[signedHash, struct{}]
}

// signedHash is SHA-256 of what was verified: the key, what is signed, and the signature, each after its length.
type signedHash [sha256.Size]byte

// NewMemory returns a memory that is empty.
func NewMemory() *Memory {
	verified, _ := lru.New[signedHash, struct{}](maxRemembered) // fails for sizes below one
	return &Memory{verified}
}

var errNotSigned = errors.New("the signature does not verify")

func hashSigned(parts ...[]byte) signedHash {
	h := sha256.New()
	for _, p := range parts {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(p))))
		_, _ = h.Write(p)
	}
	return signedHash(h.Sum(nil))
}

// verifyOnce calls verify unless it has returned nil for the same parts before. The first says by what rules is verified.
func (m *Memory) verifyOnce(verify func() error, parts ...[]byte) error {
	if m == nil {
		return verify()
	}
	h := hashSigned(parts...)
	if m.verified.Contains(h) {
		return nil
	}
	err := verify()
	if err == nil {
		m.verified.Add(h, struct{}{})
	}
	return err
}

// verifyRecord is r.Verify.
func (m *Memory) verifyRecord(r hashedrekord.Record) error {
	details := binary.BigEndian.AppendUint32(nil, uint32(r.KeyDetails)) // #nosec G115 -- it is told apart, not counted with
	return m.verifyOnce(r.Verify, []byte("record"), details, r.SPKI, r.Certificate, r.Digest, r.Signature)
}

// verifierOf returns v, whose key is key in its one form, with what this memory knows.
func (m *Memory) verifierOf(v note.Verifier, key []byte) note.Verifier {
	if m == nil {
		return v
	}
	return rememberingVerifier{v, m, key}
}

type rememberingVerifier struct {
	note.Verifier
	memory *Memory
	key    []byte
}

// Verify implements note.Verifier.
func (v rememberingVerifier) Verify(message, signature []byte) bool {
	verify := func() error {
		if !v.Verifier.Verify(message, signature) {
			return errNotSigned
		}
		return nil
	}
	return v.memory.verifyOnce(verify, []byte("note"), v.key, message, signature) == nil
}
