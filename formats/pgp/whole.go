// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// wholeChecks is how many signatures of a minimal key the library checks, each time that it reads it: of the user ID, the subkey, and back.
const wholeChecks = 2 * 4

// buildWhole returns the signature as Rekor v1 records it, or why it does not. The log keeps an armored signature as it is sent; of a key it
// makes what the library makes that it reads it with, which is this one's.
func (p *parsed) buildWhole(publish bool) (*formats.Whole, *formats.Error) {
	switch {
	case p.text != nil:
		return nil, refuseWhole("Rekor v1 takes detached PGP signatures alone", "sign with: gpg --detach-sign FILE")
	case p.sig.version != 4 || p.use.key.Version != 4:
		return nil, refuseWhole("Rekor v1 takes PGP signatures and keys of version 4 alone", "sign with a current gpg: gpg --detach-sign FILE")
	case !publish:
		return nil, refuseWhole("Rekor v1 would publish the key's user ID, a name and an e-mail address as a rule, for ever", "ask the gateway's operator, who may allow it (publish_user_ids of the policy)")
	}
	key, err := recordKey(p.use.minimal, p.use.key.KeyId)
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonNotProjectable, "Rekor v1 does not take this PGP key", "send the whole key, with its user IDs: gpg --armor --export KEYID")
	}
	signature, err := encodeArmor(openpgp.SignatureType, p.encodeWhole())
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonNotProjectable, "the signature cannot be armored", "")
	}
	return &formats.Whole{Format: name, Signature: signature, Key: key}, nil
}

func refuseWhole(message, hint string) *formats.Error {
	return formats.NewError(formats.ReasonNotProjectable, message, hint)
}

// encodeWhole is encodeCanonical, but for ECDSA's s, which stays as the signer made it.
func (p *parsed) encodeWhole() []byte {
	l := p.sig.layout
	l.tail = nil
	var unhashed []byte
	if !p.sig.issuer.hashed {
		unhashed = append([]byte{9, subpacketIssuer}, make([]byte, 8)...)
		binary.BigEndian.PutUint64(unhashed[2:], p.use.key.KeyId)
	}
	body := append(l.withUnhashed(unhashed), p.sig.tag[:]...)
	for _, v := range p.sig.values {
		if p.sig.algo == packet.PubKeyAlgoEd25519 {
			body = append(body, v...)
		} else {
			body = appendMPI(body, v)
		}
	}
	return appendPacket(nil, tagSignature, body)
}

// recordKey returns the armored form that the log makes of a minimal key, and that stays what it is when it is read again. It has one user ID: the library
// writes several in any order. The key with that id has to be one that the library lets sign.
func recordKey(minimal []byte, id uint64) ([]byte, error) {
	ring, err := openpgp.ReadKeyRing(bytes.NewReader(minimal))
	if err != nil {
		return nil, fmt.Errorf("reading the key as the log does: %w", err)
	}
	if len(ring) != 1 || len(ring[0].Identities) != 1 {
		return nil, fmt.Errorf("%d keys, or not one user ID", len(ring))
	}
	if len(ring.KeysByIdUsage(id, packet.KeyFlagSign)) == 0 {
		return nil, fmt.Errorf("the log's library does not let the key sign")
	}
	var again bytes.Buffer
	if err := ring[0].Serialize(&again); err != nil {
		return nil, fmt.Errorf("writing the key as the log does: %w", err)
	}
	second, err := openpgp.ReadKeyRing(bytes.NewReader(again.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("reading the key again: %w", err)
	}
	var third bytes.Buffer
	if err := second[0].Serialize(&third); err != nil || !bytes.Equal(third.Bytes(), again.Bytes()) {
		return nil, fmt.Errorf("the key becomes another one each time: %w", err)
	}
	return encodeArmor(openpgp.PublicKeyType, again.Bytes())
}

func encodeArmor(kind string, packets []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := armor.Encode(&out, kind, nil)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(packets); err != nil {
		return nil, err
	}
	err = w.Close()
	return out.Bytes(), err
}
