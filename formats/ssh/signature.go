// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math/big"
	"strings"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
)

const magic = "SSHSIG"

// wireBlob is the SSHSIG blob (PROTOCOL.sshsig, "Blob format").
type wireBlob struct {
	Magic         [6]byte
	Version       uint32
	PublicKey     []byte
	Namespace     string
	Reserved      string
	HashAlgorithm string
	Signature     []byte
	Rest          []byte `ssh:"rest"`
}

// wireSigned is what is signed (PROTOCOL.sshsig, "Signed Data").
type wireSigned struct {
	Magic         [6]byte
	Namespace     string
	Reserved      string
	HashAlgorithm string
	Hash          []byte
}

// wireSK follows the signature of a security key (PROTOCOL.u2f, "SSH U2F Signatures").
type wireSK struct {
	Flags   byte
	Counter uint32
}

// Flags of a security key: somebody touched it; it checked a PIN or fingerprint.
const (
	flagPresent  = 0x01
	flagVerified = 0x04
)

// signature is a well-formed blob, every part of it checked that can be without a message.
type signature struct {
	key       xssh.PublicKey    // the signing key itself
	cert      *xssh.Certificate // when the key came in one
	namespace string
	hash      formats.DigestAlgorithm // of the message
	algorithm algorithm
	raw       *xssh.Signature
	ecdsa     *wireECDSA // for ECDSA
	sk        *wireSK    // for security keys
}

type wireECDSA struct{ R, S *big.Int }

func parseBlob(blob []byte) (*signature, error) {
	w, err := unmarshalBlob(blob)
	if err != nil {
		return nil, err
	}
	s := &signature{namespace: w.Namespace}
	if s.hash, err = messageHash(w.HashAlgorithm); err != nil {
		return nil, err
	}
	key, err := parseKey(w.PublicKey)
	if err != nil {
		return nil, err
	}
	s.key = key
	if cert, ok := key.(*xssh.Certificate); ok {
		s.cert, s.key = cert, cert.Key
	}
	if err := s.parseSignature(w.Signature); err != nil {
		return nil, err
	}
	return s, nil
}

func unmarshalBlob(blob []byte) (*wireBlob, error) {
	var w wireBlob
	if len(blob) > maxBlob {
		return nil, tooLarge()
	}
	if err := xssh.Unmarshal(blob, &w); err != nil || string(w.Magic[:]) != magic {
		return nil, errMalformedSignature("this is not an SSHSIG blob, or it is cut short")
	}
	if w.Version != 1 {
		return nil, formats.NewError(formats.ReasonUnsupportedVersion, fmt.Sprintf("SSHSIG version %d is not known", w.Version),
			"sign with: ssh-keygen -Y sign")
	}
	if strings.HasPrefix(string(w.Rest), magic) {
		return nil, formats.NewError(formats.ReasonMultipleSignatures, "there is more than one signature", "send one signature per submission")
	}
	if len(w.Rest) > 0 {
		return nil, formats.NewError(formats.ReasonTrailingData, "there is data after the SSHSIG blob", "send the signature alone")
	}
	if w.Reserved != "" {
		// OpenSSH leaves it out of what is signed, so that anybody could change it.
		return nil, formats.NewError(formats.ReasonUnsupportedFeature, "the blob's reserved field is not empty", "sign with: ssh-keygen -Y sign")
	}
	return &w, nil
}

func messageHash(name string) (formats.DigestAlgorithm, error) {
	switch name {
	case "sha256":
		return formats.SHA256, nil
	case "sha512":
		return formats.SHA512, nil
	}
	return "", formats.NewError(formats.ReasonUnsupportedAlgorithm, fmt.Sprintf("the message hash %.40q is not one that SSHSIG allows", name),
		"sign with: ssh-keygen -Y sign -O hashalg=sha512")
}

func (s *signature) parseSignature(wire []byte) (err error) {
	var sig xssh.Signature
	if err := xssh.Unmarshal(wire, &sig); err != nil {
		return errMalformedSignature("the signature inside the blob is malformed")
	}
	if s.algorithm, err = algorithmOf(sig.Format); err != nil {
		return err
	}
	if s.algorithm.keyType != s.key.Type() {
		return errMalformedSignature("the signature's type is not that of its key")
	}
	s.raw = &sig
	if err := s.parseSK(); err != nil {
		return err
	}
	return s.parseValue()
}

// parseSK reads what a security key adds and demands a touch; other signatures end here.
func (s *signature) parseSK() error {
	if !s.algorithm.sk {
		if len(s.raw.Rest) > 0 {
			return formats.NewError(formats.ReasonTrailingData, "there is data after the signature inside the blob", "send the signature as it was made")
		}
		return nil
	}
	s.sk = new(wireSK)
	if err := xssh.Unmarshal(s.raw.Rest, s.sk); err != nil {
		return errMalformedSignature("the security key's flags and counter are malformed")
	}
	if s.sk.Flags&flagPresent == 0 {
		return formats.NewError(formats.ReasonKeyNotValid, "the security key signed without being touched",
			"make the key without the option no-touch-required, and touch it when it blinks")
	}
	return nil
}

// parseValue checks the signature value's own encoding, so that each has one only.
func (s *signature) parseValue() error {
	pub, err := cryptoKey(s.key)
	if err != nil {
		return err
	}
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return s.padRSA(k.Size())
	case *ecdsa.PublicKey:
		return s.parseECDSA(k.Params().N)
	case ed25519.PublicKey:
		if _, err := ed25519stream.New(k, s.raw.Blob); err != nil {
			return errMalformedSignature("the Ed25519 signature is malformed")
		}
	}
	return nil
}

// padRSA puts back the leading zeros that some agents leave out (PuTTY's until 0.81).
func (s *signature) padRSA(size int) error {
	if len(s.raw.Blob) > size {
		return errMalformedSignature("the RSA signature is longer than its key")
	}
	padded := make([]byte, size)
	copy(padded[size-len(s.raw.Blob):], s.raw.Blob)
	s.raw.Blob = padded
	return nil
}

func (s *signature) parseECDSA(order *big.Int) error {
	var v wireECDSA
	if err := xssh.Unmarshal(s.raw.Blob, &v); err != nil {
		return errMalformedSignature("the ECDSA signature is malformed")
	}
	for _, n := range []*big.Int{v.R, v.S} {
		if n.Sign() <= 0 || n.Cmp(order) >= 0 {
			return errMalformedSignature("the ECDSA signature's numbers are out of range")
		}
	}
	s.ecdsa, s.raw.Blob = &v, xssh.Marshal(&v) // without the leading zeros that some tools write
	return nil
}

// encodeSigned returns what the key signed, or for a security key gave to its authenticator.
func (s *signature) encodeSigned(digest []byte) []byte {
	return xssh.Marshal(wireSigned{
		Magic: [6]byte([]byte(magic)), Namespace: s.namespace, HashAlgorithm: string(s.hash), Hash: digest,
	})
}

// encodeCanonical returns the bare blob with the lower one of ECDSA's two s and, instead of a
// certificate, the key within: neither is part of what is signed, and certificates
// name people.
func (s *signature) encodeCanonical() []byte {
	sig := *s.raw
	if s.ecdsa != nil {
		pub, _ := s.key.(xssh.CryptoPublicKey).CryptoPublicKey().(*ecdsa.PublicKey)
		low := &wireECDSA{R: s.ecdsa.R, S: s.ecdsa.S}
		if other := new(big.Int).Sub(pub.Params().N, low.S); other.Cmp(low.S) < 0 {
			low.S = other
		}
		sig.Blob = xssh.Marshal(low)
	}
	return xssh.Marshal(wireBlob{
		Magic: [6]byte([]byte(magic)), Version: 1, PublicKey: s.key.Marshal(), Namespace: s.namespace,
		HashAlgorithm: string(s.hash), Signature: xssh.Marshal(sig),
	})
}
