// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	xssh "golang.org/x/crypto/ssh"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

const minRSABits = 2048

// algorithm is what a signature format name stands for.
type algorithm struct {
	keyType string
	kind    string // for display
	scheme  formats.Scheme
	hash    formats.DigestAlgorithm // "" for Ed25519, which hashes within
	sk      bool                    // made by a security key (OpenSSH's PROTOCOL.u2f)
}

func algorithmOf(signatureFormat string) (algorithm, error) {
	switch f := signatureFormat; f {
	case xssh.KeyAlgoECDSA256:
		return algorithm{keyType: f, kind: "ecdsa", scheme: formats.ECDSA, hash: formats.SHA256}, nil
	case xssh.KeyAlgoECDSA384:
		return algorithm{keyType: f, kind: "ecdsa", scheme: formats.ECDSA, hash: formats.SHA384}, nil
	case xssh.KeyAlgoECDSA521:
		return algorithm{keyType: f, kind: "ecdsa", scheme: formats.ECDSA, hash: formats.SHA512}, nil
	case xssh.KeyAlgoSKECDSA256:
		return algorithm{keyType: f, kind: "sk-ecdsa", scheme: formats.ECDSA, hash: formats.SHA256, sk: true}, nil
	case xssh.KeyAlgoRSASHA256:
		return algorithm{keyType: xssh.KeyAlgoRSA, kind: "rsa", scheme: formats.RSAPKCS1v15, hash: formats.SHA256}, nil
	case xssh.KeyAlgoRSASHA512:
		return algorithm{keyType: xssh.KeyAlgoRSA, kind: "rsa", scheme: formats.RSAPKCS1v15, hash: formats.SHA512}, nil
	case xssh.KeyAlgoED25519:
		return algorithm{keyType: f, kind: "ed25519", scheme: formats.Ed25519}, nil
	case xssh.KeyAlgoSKED25519:
		return algorithm{keyType: f, kind: "sk-ed25519", scheme: formats.Ed25519, sk: true}, nil
	case xssh.KeyAlgoRSA:
		return algorithm{}, errWeakAlgorithm("ssh-rsa signatures use SHA-1")
	case xssh.InsecureKeyAlgoDSA: //nolint:staticcheck // only to name what is refused
		return algorithm{}, errWeakAlgorithm("DSA is broken at the size that SSH has it")
	}
	return algorithm{}, formats.NewError(formats.ReasonUnsupportedAlgorithm,
		fmt.Sprintf("signatures of type %.60q are not supported", signatureFormat), "sign with an ECDSA, Ed25519 or RSA key")
}

func errWeakAlgorithm(message string) error {
	return formats.NewError(formats.ReasonWeakAlgorithm, message, "sign with an ECDSA key: ssh-keygen -t ecdsa")
}

// describeAlgorithm names the algorithm as a person would: "ECDSA P-256/SHA-256".
func (a algorithm) describeAlgorithm(pub crypto.PublicKey) string {
	switch a.hash {
	case formats.SHA256:
		return formats.KeyName(pub) + "/SHA-256"
	case formats.SHA384:
		return formats.KeyName(pub) + "/SHA-384"
	case formats.SHA512:
		return formats.KeyName(pub) + "/SHA-512"
	}
	return formats.KeyName(pub)
}

// parseKey reads a public key or certificate in wire format and refuses the weak and the
// unsupported.
func parseKey(wire []byte) (xssh.PublicKey, error) {
	if err := checkKeyType(wire); err != nil {
		return nil, err
	}
	if err := checkRSA(wire); err != nil {
		return nil, err
	}
	key, err := xssh.ParsePublicKey(wire)
	if err != nil || string(key.Marshal()) != string(wire) && key.Type() != xssh.KeyAlgoRSA { // an RSA key may have leading zeros in its integers
		return nil, errMalformedSignature("the signature's public key is malformed")
	}
	return key, nil
}

// maxExponentBits is what the library takes of an RSA exponent.
const maxExponentBits = 24

// checkRSA blames the key for an exponent that the library does not verify with; other kinds of keys pass.
func checkRSA(wire []byte) error {
	var key struct {
		Type string
		E, N *big.Int
		Rest []byte `ssh:"rest"`
	}
	if xssh.Unmarshal(wire, &key) != nil || key.Type != xssh.KeyAlgoRSA {
		return nil
	}
	return keyfile.CheckExponent(key.E, maxExponentBits)
}

// checkKeyType gives types that the library does not know, or knows and should not, their
// own reason.
func checkKeyType(wire []byte) error {
	var head struct {
		Type string
		Rest []byte `ssh:"rest"`
	}
	if err := xssh.Unmarshal(wire, &head); err != nil {
		return errMalformedSignature("the signature's public key is malformed")
	}
	switch head.Type {
	case xssh.KeyAlgoECDSA256, xssh.KeyAlgoECDSA384, xssh.KeyAlgoECDSA521, xssh.KeyAlgoSKECDSA256, xssh.KeyAlgoRSA,
		xssh.KeyAlgoED25519, xssh.KeyAlgoSKED25519, xssh.CertAlgoECDSA256v01, xssh.CertAlgoECDSA384v01,
		xssh.CertAlgoECDSA521v01, xssh.CertAlgoSKECDSA256v01, xssh.CertAlgoRSAv01, xssh.CertAlgoED25519v01, xssh.CertAlgoSKED25519v01:
		return nil
	case xssh.InsecureKeyAlgoDSA, xssh.InsecureCertAlgoDSAv01: //nolint:staticcheck // only to name what is refused
		return errWeakAlgorithm("DSA is broken at the size that SSH has it")
	}
	return formats.NewError(formats.ReasonUnsupportedAlgorithm,
		fmt.Sprintf("keys of type %.60q are not supported", head.Type), "sign with an ECDSA, Ed25519 or RSA key")
}

// cryptoKey returns the standard library's form of a key that is strong enough to sign.
func cryptoKey(key xssh.PublicKey) (crypto.PublicKey, error) {
	holder, ok := key.(xssh.CryptoPublicKey)
	if !ok {
		return nil, formats.NewError(formats.ReasonUnsupportedAlgorithm, "this kind of key is not supported", "")
	}
	switch pub := holder.CryptoPublicKey().(type) {
	case *rsa.PublicKey:
		if pub.N.BitLen() < minRSABits {
			return nil, errWeakAlgorithm(fmt.Sprintf("the RSA key has %d bits, fewer than %d", pub.N.BitLen(), minRSABits))
		}
		return pub, nil
	case *ecdsa.PublicKey:
		return pub, nil
	case ed25519.PublicKey:
		return pub, checkEd25519(pub)
	}
	return nil, errWeakAlgorithm("this kind of key is not accepted")
}

func checkEd25519(pub ed25519.PublicKey) error {
	switch err := ed25519stream.CheckKey(pub); {
	case err == nil:
		return nil
	case errors.Is(err, ed25519stream.ErrSmallOrder):
		return errWeakAlgorithm("the Ed25519 key has a small order: anybody can sign with it")
	}
	return formats.NewError(formats.ReasonMalformedKey, "the Ed25519 key is no point of the curve", "make a key with: ssh-keygen")
}
