// SPDX-License-Identifier: Apache-2.0

// Package attest signs statements that this gateway verified a signature, with ECDSA P-256
// keys kept in PEM files.
package attest

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Config says which keys a gateway has.
type Config struct {
	// Active is the file of the private key that signs: PEM, ECDSA P-256, plain (PKCS #8 or SEC 1)
	// or encrypted (PKCS #8, or the form cosign writes).
	Active string
	// Create makes the key, readable by its owner alone, when there is no such file.
	Create bool
	// Password decrypts Active, and encrypts it when it is made; nil for a plain key.
	Password Password
	// Others are files of keys that sign no more, or not yet: public or plain private keys in
	// PEM. They are known only so that no submission may have them as signers.
	Others []string
	// Verifier is this program, for the statements.
	Verifier statement.Verifier
}

// Signer signs with one key and knows the gateway's others. It is immutable and safe for
// concurrent use.
type Signer struct {
	key      *ecdsa.PrivateKey
	spki     []byte
	others   [][]byte
	verifier statement.Verifier
}

var (
	_ gateway.Attester = (*Signer)(nil)
	_ gateway.Prober   = (*Signer)(nil)
)

// New loads the keys. Errors never hold key material or passwords.
func New(c Config) (*Signer, error) {
	key, err := loadOrCreate(c)
	if err != nil {
		return nil, fmt.Errorf("loading attestation key: %w", err)
	}
	spki, err := marshalPublic(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("loading attestation key: %w", err)
	}
	s := &Signer{key: key, spki: spki, verifier: c.Verifier}
	for _, path := range c.Others {
		other, err := loadPublic(path)
		if err != nil {
			return nil, fmt.Errorf("loading attestation key: %w", err)
		}
		s.others = append(s.others, other)
	}
	return s, nil
}

// SPKI returns the active key's SubjectPublicKeyInfo, DER.
func (s *Signer) SPKI() []byte { return slices.Clone(s.spki) }

// OtherSPKIs returns the SubjectPublicKeyInfos of the other keys, DER.
func (s *Signer) OtherSPKIs() [][]byte { return slices.Clone(s.others) }

// IDs returns the SHA-256 of the SPKI of each of the gateway's keys, the active one first: none
// of them may be a submission's signer.
func (s *Signer) IDs() [][sha256.Size]byte {
	ids := [][sha256.Size]byte{sha256.Sum256(s.spki)}
	for _, o := range s.others {
		ids = append(ids, sha256.Sum256(o))
	}
	return ids
}

// Attest implements gateway.Attester.
func (s *Signer) Attest(_ context.Context, r *receiptpb.Receipt) (gateway.SignedStatement, error) {
	payload, err := statement.Build(r, s.verifier)
	if err != nil {
		return gateway.SignedStatement{}, err
	}
	return s.signPayload(payload)
}

// Probe implements gateway.Prober.
func (s *Signer) Probe(context.Context) (gateway.SignedStatement, error) {
	payload, err := statement.BuildProbe(rand.Text())
	if err != nil {
		return gateway.SignedStatement{}, err
	}
	return s.signPayload(payload)
}

func (s *Signer) signPayload(payload []byte) (gateway.SignedStatement, error) {
	digest := statement.Digest(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, s.key, digest[:])
	if err != nil {
		return gateway.SignedStatement{}, fmt.Errorf("signing statement: %w", err)
	}
	return gateway.SignedStatement{Payload: payload, Signature: signature, SPKI: s.SPKI()}, nil
}
