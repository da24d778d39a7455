// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"math/bits"
	"time"

	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"golang.org/x/crypto/cryptobyte"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Signature types that sign a document (RFC 9580, section 5.2.1).
const (
	kindBinary = 0x00
	kindText   = 0x01
)

// signature is a document's signature of any version, as far as it can be known without its key.
type signature struct {
	version int
	kind    byte
	algo    packet.PublicKeyAlgorithm
	hash    crypto.Hash
	hashID  byte
	created time.Time
	expires time.Time // zero: never
	issuer  issuer

	salt     []byte // hashed before the document (version 6)
	trailer  []byte // hashed after it
	tag      [2]byte
	values   [][]byte // MPIs without leading zeros; one native value for Ed25519
	layout   layout   // versions 4 and 6
	findings []formats.Finding
}

// issuer names the key that made a signature, by fingerprint when the signature has it.
type issuer struct {
	fingerprint []byte
	keyID       uint64
	hashed      bool // the name is protected by the signature
}

// readSignature reads a signature packet's body and refuses what signs no document.
func readSignature(body []byte) (*signature, error) {
	if len(body) == 0 {
		return nil, errMalformedSignature("the signature packet is empty", "check that the whole file was sent")
	}
	switch body[0] {
	case 3:
		return readV3(body)
	case 4, 6:
		return readModern(body)
	}
	return nil, formats.NewError(formats.ReasonUnsupportedVersion,
		fmt.Sprintf("PGP signatures of version %d are not supported", body[0]), "sign with a current version of gpg")
}

func readModern(body []byte) (*signature, error) {
	errBad := errMalformedSignature("the signature packet is malformed", "check that the whole file was sent")
	l, ok := splitSignature(body)
	if !ok {
		return nil, errBad
	}
	s := &signature{version: int(l.version), layout: l, trailer: l.encodeTrailer()}
	if err := s.setAlgorithms(l.head[1], l.head[2], l.head[3]); err != nil {
		return nil, err
	}
	if s.values, ok = s.readTail(cryptobyte.String(l.tail)); !ok {
		return nil, errBad
	}
	lib, err := readLibrary(l.withUnhashed(nil))
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(lib.HashSuffix, s.trailer) {
		return nil, errBad
	}
	if err := s.setSubpackets(lib); err != nil {
		return nil, err
	}
	return s, nil
}

// setAlgorithms takes the signature type and the algorithms, all of which it must know.
func (s *signature) setAlgorithms(kind, algo, hash byte) (err error) {
	if kind != kindBinary && kind != kindText {
		return formats.NewError(formats.ReasonUnsupportedSignature,
			fmt.Sprintf("a signature of type 0x%02x does not sign a document", kind), "sign with: gpg --detach-sign FILE")
	}
	s.kind, s.algo, s.hashID = kind, packet.PublicKeyAlgorithm(algo), hash
	var weak bool
	if s.hash, weak, err = hashOf(hash); err != nil {
		return err
	}
	if weak {
		s.findings = append(s.findings, formats.Finding{Reason: formats.ReasonWeakAlgorithm, Message: "the signature uses SHA-1", Exception: formats.ExceptionSHA1})
	}
	switch s.algo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly, packet.PubKeyAlgoDSA, packet.PubKeyAlgoECDSA:
		return nil
	case packet.PubKeyAlgoEdDSA, packet.PubKeyAlgoEd25519:
		return nil
	}
	return errKeyAlgorithm()
}

// readTail reads the hash tag, the salt of version 6 and the signature's values.
func (s *signature) readTail(in cryptobyte.String) (values [][]byte, ok bool) {
	if !in.CopyBytes(s.tag[:]) {
		return nil, false
	}
	if s.version == 6 {
		if !in.ReadUint8LengthPrefixed((*cryptobyte.String)(&s.salt)) {
			return nil, false
		}
	}
	return readValues(in, s.algo, s.version)
}

// readValues reads the signature's numbers to the end of in.
func readValues(in cryptobyte.String, algo packet.PublicKeyAlgorithm, version int) (values [][]byte, ok bool) {
	count := 2
	switch algo {
	case packet.PubKeyAlgoEd25519:
		return [][]byte{in}, len(in) == 64
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		count = 1
	}
	for range count {
		var length uint16 // in bits
		var value []byte
		if !in.ReadUint16(&length) || !in.ReadBytes(&value, (int(length)+7)/8) {
			return nil, false
		}
		if version == 6 && (len(value) == 0 || int(length) != 8*(len(value)-1)+bits.Len8(value[0])) {
			return nil, false // RFC 9580 section 3.2; in older versions padding is harmless, and in use
		}
		values = append(values, bytes.TrimLeft(value, "\x00"))
	}
	return values, in.Empty()
}

// readLibrary has the library read the subpackets. What it does not support by now is a
// subpacket marked critical.
func readLibrary(body []byte) (*packet.Signature, error) {
	p, err := readPacket(tagSignature, body)
	var unsupported pgperrors.UnsupportedError
	if errors.As(err, &unsupported) {
		return nil, formats.WrapError(err, formats.ReasonUnsupportedFeature,
			"the signature has a critical part that is not supported", "sign without extra options")
	}
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedSignature,
			"the signature packet is malformed", "check that the whole file was sent")
	}
	sig, ok := p.(*packet.Signature)
	if !ok {
		return nil, errMalformedSignature("this is not a signature packet", "send the signature file's content")
	}
	return sig, nil
}

// setSubpackets takes the times and the issuer. The unhashed area counts for nothing but the issuer, and
// for that only when the hashed area is silent (gpg before 2.1.16).
func (s *signature) setSubpackets(lib *packet.Signature) error {
	for _, n := range lib.Notations {
		if n.IsCritical {
			return formats.NewError(formats.ReasonUnsupportedFeature,
				"the signature has a critical notation", "sign without it")
		}
	}
	s.created = lib.CreationTime
	if lib.SigLifetimeSecs != nil && *lib.SigLifetimeSecs != 0 {
		s.expires = s.created.Add(time.Duration(*lib.SigLifetimeSecs) * time.Second)
	}
	s.issuer.hashed = lib.IssuerKeyId != nil
	if !s.issuer.hashed {
		hint := keepSubpackets(s.layout.unhashed, subpacketIssuerFingerprint, subpacketIssuer)
		var err error
		if lib, err = readLibrary(s.layout.withUnhashed(hint)); err != nil {
			return err
		}
		if lib.IssuerKeyId == nil {
			return errMalformedSignature("the signature does not name the key that made it", "sign with: gpg --detach-sign FILE")
		}
	}
	s.issuer.keyID, s.issuer.fingerprint = *lib.IssuerKeyId, lib.IssuerFingerprint
	return nil
}

// checkPolicy refuses what the signature alone gives reason to refuse.
func (s *signature) checkPolicy(p formats.Policy) error {
	if len(s.findings) > 0 && !p.Allows(formats.ExceptionSHA1) {
		return errWeak(s.findings[0].Message, hintSHA256+formats.HintHistorical)
	}
	if err := p.CheckSigningTime(s.created); err != nil {
		return err
	}
	if !s.expires.IsZero() && !p.Now.Before(s.expires) {
		return formats.NewError(formats.ReasonSignatureExpired, "the signature has expired", "sign again, without an expiry")
	}
	return nil
}
