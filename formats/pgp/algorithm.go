// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"crypto"
	"crypto/dsa" //nolint:staticcheck // verified under the historical policy alone
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"

	pgpecdsa "github.com/ProtonMail/go-crypto/openpgp/ecdsa"
	pgped25519 "github.com/ProtonMail/go-crypto/openpgp/ed25519"
	"github.com/ProtonMail/go-crypto/openpgp/eddsa"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// Sizes of DSA keys in bits.
const (
	minDSABits = 1024
	maxDSABits = 3072
)

const (
	hintSHA256   = "sign with: gpg --digest-algo SHA256 --detach-sign FILE"
	hintStaleKey = "your copy of the key may be old: fetch the key again"
	hintExport   = "export it again with: gpg --armor --export KEYID"
)

// hashOf maps an OpenPGP hash id (RFC 9580, section 9.5), and says whether it is weak
// enough to need a historical policy.
func hashOf(id byte) (h crypto.Hash, weak bool, err error) {
	switch id {
	case 8:
		return crypto.SHA256, false, nil
	case 9:
		return crypto.SHA384, false, nil
	case 10:
		return crypto.SHA512, false, nil
	case 2:
		return crypto.SHA1, true, nil
	case 1, 3:
		return 0, false, errWeak("the signature uses MD5 or RIPEMD-160", hintSHA256)
	}
	return 0, false, formats.NewError(formats.ReasonUnsupportedAlgorithm,
		fmt.Sprintf("OpenPGP hash algorithm %d is not supported", id), hintSHA256)
}

func errWeak(message, hint string) *formats.Error {
	return formats.NewError(formats.ReasonWeakAlgorithm, message, hint)
}

// publicKey is a key in the standard library's types, with its name and SPKI.
type publicKey struct {
	key  crypto.PublicKey
	name string
	spki []byte
	weak bool // only a historical policy lets it pass
}

// readPublicKey converts k and checks its strength. Errors have ReasonWeakAlgorithm,
// ReasonUnsupportedAlgorithm or ReasonMalformedKey.
func readPublicKey(k *packet.PublicKey) (p publicKey, err error) {
	switch k.PubKeyAlgo {
	case packet.PubKeyAlgoRSA, packet.PubKeyAlgoRSASignOnly:
		p.key = k.PublicKey
	case packet.PubKeyAlgoDSA:
		return readDSA(k.PublicKey.(*dsa.PublicKey))
	case packet.PubKeyAlgoECDSA:
		p.key, err = readECDSA(k)
	case packet.PubKeyAlgoEdDSA:
		p.key, err = readEdDSA(k)
	case packet.PubKeyAlgoEd25519:
		p.key = ed25519.PublicKey(k.PublicKey.(*pgped25519.PublicKey).Point)
	default:
		err = errKeyAlgorithm()
	}
	if err == nil {
		err = keyfile.CheckStrength(p.key)
	}
	if err != nil {
		return publicKey{}, err
	}
	if p.spki, err = x509.MarshalPKIXPublicKey(p.key); err != nil {
		return publicKey{}, formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not valid", hintExport)
	}
	p.name = formats.KeyName(p.key)
	return p, nil
}

func errKeyAlgorithm() error {
	return formats.NewError(formats.ReasonUnsupportedAlgorithm, "the key's algorithm is not supported",
		"sign with an RSA, NIST P-256, P-384, P-521 or Ed25519 key")
}

func readECDSA(k *packet.PublicKey) (crypto.PublicKey, error) {
	var curve elliptic.Curve
	switch name, _ := k.Curve(); name {
	case packet.CurveNistP256:
		curve = elliptic.P256()
	case packet.CurveNistP384:
		curve = elliptic.P384()
	case packet.CurveNistP521:
		curve = elliptic.P521()
	default:
		return nil, errKeyAlgorithm()
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, k.PublicKey.(*pgpecdsa.PublicKey).MarshalPoint())
	if err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedKey, "the signer's key is not a point on its curve", hintExport)
	}
	return pub, nil
}

func readEdDSA(k *packet.PublicKey) (crypto.PublicKey, error) {
	pub := k.PublicKey.(*eddsa.PublicKey)
	if curve, _ := k.Curve(); curve != packet.Curve25519 || len(pub.X) != ed25519.PublicKeySize {
		return nil, errKeyAlgorithm()
	}
	return ed25519.PublicKey(pub.X), nil
}

// readDSA writes the SPKI itself (RFC 3279, section 2.3.2): the standard library reads DSA
// keys but does not write them.
func readDSA(k *dsa.PublicKey) (publicKey, error) {
	bits := k.P.BitLen()
	if bits < minDSABits {
		return publicKey{}, errWeak("the key is DSA with fewer than 1024 bits", "sign with an RSA or ECDSA key")
	}
	if bits > maxDSABits || k.Q.BitLen() > 256 || k.G.BitLen() > bits || k.Y.BitLen() > bits {
		return publicKey{}, errKeyAlgorithm()
	}
	params, err := asn1.Marshal(k.Parameters)
	if err != nil {
		return publicKey{}, fmt.Errorf("encoding DSA parameters: %w", err)
	}
	y, err := asn1.Marshal(k.Y)
	if err != nil {
		return publicKey{}, fmt.Errorf("encoding DSA key: %w", err)
	}
	spki, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{
			Algorithm:  asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1},
			Parameters: asn1.RawValue{FullBytes: params},
		},
		asn1.BitString{Bytes: y, BitLength: 8 * len(y)},
	})
	if err != nil {
		return publicKey{}, fmt.Errorf("encoding DSA key: %w", err)
	}
	return publicKey{key: k, name: fmt.Sprintf("DSA-%d", bits), spki: spki, weak: true}, nil
}

// signatureBytes puts the values of a signature into the encoding of its scheme: RSA
// left-padded to the modulus, ECDSA and DSA as ASN.1, Ed25519 as 64 octets.
func (p publicKey) signatureBytes(values [][]byte) ([]byte, bool) {
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		return leftPad(values[0], k.Size())
	case ed25519.PublicKey:
		if len(values) == 1 {
			return values[0], true
		}
		r, rok := leftPad(values[0], 32)
		s, sok := leftPad(values[1], 32)
		return append(r, s...), rok && sok
	default:
		return joinASN1(new(big.Int).SetBytes(values[0]), new(big.Int).SetBytes(values[1]))
	}
}

func leftPad(b []byte, size int) ([]byte, bool) {
	if len(b) > size {
		return nil, false
	}
	return append(make([]byte, size-len(b), size), b...), true
}

func joinASN1(r, s *big.Int) ([]byte, bool) {
	if r.BitLen() > 528 || s.BitLen() > 528 {
		return nil, false
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	return der, err == nil
}

// verifyDigest checks sig, as signatureBytes returns it, over digest.
func (p publicKey) verifyDigest(h crypto.Hash, digest, sig []byte) bool {
	switch k := p.key.(type) {
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, h, digest, sig) == nil
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	case ed25519.PublicKey:
		return ed25519.Verify(k, digest, sig)
	case *dsa.PublicKey:
		return verifyDSA(k, digest, sig)
	}
	return false
}

func verifyDSA(k *dsa.PublicKey, digest, sig []byte) bool {
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &rs); err != nil || len(rest) > 0 {
		return false
	}
	if n := (k.Q.BitLen() + 7) / 8; len(digest) > n {
		digest = digest[:n] // FIPS 186-3, section 4.6
	}
	return dsa.Verify(k, digest, rs.R, rs.S)
}
