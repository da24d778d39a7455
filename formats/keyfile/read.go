// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Key is one public key and, when it came in certificates, those: leaf first, each issued
// by the next.
type Key struct {
	Public crypto.PublicKey
	SPKI   []byte // DER, re-encoded, so that one key has one identity
	PSS    *PSS   // what an RSA-PSS key is restricted to, nil for others
	Chain  []*x509.Certificate
}

const hintKey = "send the public key (openssl pkey -pubout) or the certificate, in PEM or DER"

// passes is how often the bytes of a key file are looked at: for secrets, for PEM, decoded, parsed.
const passes = 10

// maxChain is how many certificates one file may hold.
const maxChain = 16

// Read reads one key file: a public key (PKIX or PKCS#1) or certificates (leaf first), in
// PEM or DER (one certificate then). Errors are m's, or *formats.Error with ReasonSecretKey,
// ReasonMalformedKey, ReasonTrailingData, ReasonWeakAlgorithm, ReasonUnsupportedAlgorithm
// or ReasonKeyNotValid.
func Read(m *formats.Meter, data []byte) (Key, error) {
	if err := m.ChargeBytes(passes * len(data)); err != nil {
		return Key{}, err
	}
	if err := m.ChargeParses(2); err != nil { // a point of a curve is checked, too
		return Key{}, err
	}
	if isSecret(data) {
		return Key{}, secretError()
	}
	if bytes.Contains(data, []byte(pemBegin)) {
		return readPEM(m, data)
	}
	return readDER(data)
}

// ReadAll reads every file and drops repeated keys, keeping the one with certificates.
// Errors are as for Read.
func ReadAll(m *formats.Meter, files [][]byte) ([]Key, error) {
	var keys []Key
	for _, f := range files {
		k, err := Read(m, f)
		if err != nil {
			return nil, err
		}
		keys = addKey(keys, k)
	}
	return keys, nil
}

func addKey(keys []Key, k Key) []Key {
	for i := range keys {
		if bytes.Equal(keys[i].SPKI, k.SPKI) {
			if len(k.Chain) > len(keys[i].Chain) {
				keys[i] = k
			}
			return keys
		}
	}
	return append(keys, k)
}

// PEM returns what Read reads back as the same key.
func (k Key) PEM() []byte {
	if len(k.Chain) == 0 {
		spki := k.SPKI
		if k.PSS != nil {
			spki = k.PSS.spki
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
	}
	var out []byte
	for _, c := range k.Chain {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return out
}

// FromCertificate returns the key that chain[0] certifies. Errors are as for Read.
func FromCertificate(chain ...*x509.Certificate) (Key, error) {
	k, err := fromSPKI(chain[0].PublicKey, chain[0].RawSubjectPublicKeyInfo)
	if err != nil {
		return Key{}, err
	}
	k.Chain = chain
	return k, nil
}

func fromPublic(pub crypto.PublicKey) (Key, error) {
	if err := CheckStrength(pub); err != nil {
		return Key{}, err
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return Key{}, errMalformedKey(err)
	}
	return Key{Public: pub, SPKI: spki}, nil
}

// fromSPKI is fromPublic for a key that was written as spki.
func fromSPKI(pub crypto.PublicKey, spki []byte) (Key, error) {
	k, err := fromPublic(pub)
	if err != nil {
		return Key{}, err
	}
	if k.PSS, err = readPSS(spki); err != nil {
		return Key{}, err
	}
	return k, nil
}

func errMalformedKey(err error) error {
	return formats.WrapError(err, formats.ReasonMalformedKey, "a key is neither a public key nor a certificate", hintKey)
}

func readDER(der []byte) (Key, error) {
	if err := checkWhole(der); err != nil {
		return Key{}, err
	}
	der = bytes.Clone(der) // certificates keep what they were parsed from
	if _, ok := ReadOutline(der); ok {
		cert, err := ParseCertificate(der)
		if err != nil {
			return Key{}, err
		}
		return FromCertificate(cert)
	}
	if pub, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return fromPublic(pub)
	}
	return readPKIX(der)
}

func readPKIX(der []byte) (Key, error) {
	normal, err := normalizeSPKI(der)
	if err != nil {
		return Key{}, err
	}
	pub, err := x509.ParsePKIXPublicKey(normal)
	if err == nil {
		return fromSPKI(pub, der)
	}
	if isSPKI(der) {
		return Key{}, formats.WrapError(err, formats.ReasonUnsupportedAlgorithm,
			"this kind of public key is not supported", hintAlgorithm)
	}
	return Key{}, errMalformedKey(err)
}

// checkWhole tells bytes after a DER value from no DER value at all.
func checkWhole(der []byte) error {
	in := cryptobyte.String(der)
	var body cryptobyte.String
	if !in.ReadASN1(&body, asn1.SEQUENCE) {
		return errMalformedKey(errors.New("not a DER sequence"))
	}
	if !in.Empty() {
		return formats.NewError(formats.ReasonTrailingData, "there are bytes after the end of a key", hintKey)
	}
	return nil
}

// isSPKI reports whether der has the outline of a SubjectPublicKeyInfo (RFC 5280, 4.1).
func isSPKI(der []byte) bool {
	in := cryptobyte.String(der)
	var body, alg cryptobyte.String
	return in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty() &&
		body.ReadASN1(&alg, asn1.SEQUENCE) && alg.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) &&
		body.SkipASN1(asn1.BIT_STRING) && body.Empty()
}
