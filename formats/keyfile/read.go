// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	encoding "encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// Key is one public key and, when it came in certificates, those: leaf first, each naming the next as its issuer.
type Key struct {
	Public crypto.PublicKey
	SPKI   []byte // DER, re-encoded, so that one key has one identity
	Chain  []*x509.Certificate
	// ChainFault is why the certificates after the first do not vouch for it, with ReasonKeyNotValid; nil
	// when they do. It names the certificate and the fault, and matters only where the policy has roots.
	ChainFault *formats.Error
	PSS        *PSS // what an RSA-PSS key is restricted to, nil for others
}

const hintKey = "send the public key (openssl pkey -pubout) or the certificate, in PEM or DER"

// passes is how often the bytes of a key file are looked at: for secrets, for PEM, decoded, parsed.
const passes = 10 + textlayer.Passes

// maxChain is how many certificates one file may hold, maxKeys how many keys.
const (
	maxChain = 16
	maxKeys  = 64
)

// Read reads a file that holds one key, see ReadAll. A file with several has ReasonMalformedKey.
func Read(m *formats.Meter, data []byte) (Key, error) {
	keys, err := readFile(m, data)
	if err != nil {
		return Key{}, err
	}
	if len(keys) != 1 {
		return Key{}, formats.NewError(formats.ReasonMalformedKey, "the file holds several keys", "send each key as a file of its own")
	}
	return keys[0], nil
}

// ReadAll reads every file and drops repeated keys, keeping the one with certificates. A file is PEM with
// any text around the blocks: public keys (PKIX or PKCS#1), certificates (leaf first), PKCS#7 bundles of
// certificates; or one of these in DER; or public keys as a JWK, a set of JWKs or OpenSSH's lines. Errors are m's, or
// *formats.Error with ReasonSecretKey, ReasonMalformedKey, ReasonTrailingData, ReasonWeakAlgorithm,
// ReasonUnsupportedAlgorithm or ReasonKeyNotValid.
func ReadAll(m *formats.Meter, files [][]byte) ([]Key, error) {
	var keys []Key
	known := map[string]int{}
	for _, f := range files {
		found, err := readFile(m, f)
		if err != nil {
			return nil, err
		}
		for _, k := range found {
			i, repeated := known[string(k.SPKI)]
			switch {
			case !repeated:
				known[string(k.SPKI)] = len(keys)
				keys = append(keys, k)
			case len(k.Chain) > len(keys[i].Chain):
				keys[i] = k
			}
		}
	}
	return keys, nil
}

// readFile reads the keys in one file, at least one.
func readFile(m *formats.Meter, data []byte) ([]Key, error) {
	if err := m.ChargeBytes(passes * len(data)); err != nil {
		return nil, err
	}
	if err := m.ChargeParses(2); err != nil { // a point of a curve is checked, too
		return nil, err
	}
	return readOnce(m, data, func(m *formats.Meter) ([]Key, error) { return readNew(m, data) })
}

// readNew reads a file that is not remembered.
func readNew(m *formats.Meter, data []byte) ([]Key, error) {
	if err := refuseSecret(data); err != nil {
		return nil, err
	}
	switch {
	case bytes.Contains(data, []byte(pemBegin)):
		return readPEM(m, data)
	case bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{")):
		return readJSON(m, data)
	case isOpenSSH(data):
		return readOpenSSH(m, data)
	}
	return readDER(m, data)
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

// FromCertificate returns the key that chain[0] certifies. Errors are as for ReadAll.
func FromCertificate(chain ...*x509.Certificate) (Key, error) {
	k, err := fromPublic(chain[0].PublicKey)
	if err == nil {
		k.PSS, err = readPSS(chain[0].RawSubjectPublicKeyInfo)
	}
	if err != nil {
		return Key{}, err
	}
	k.Chain = chain
	return k, nil
}

func fromPublic(pub crypto.PublicKey) (Key, error) {
	return newKey(pub, func() ([]byte, error) { return x509.MarshalPKIXPublicKey(pub) })
}

// newKey returns the key that encode encodes. A key that is refused may be of a kind that has no encoding.
func newKey(pub crypto.PublicKey, encode func() ([]byte, error)) (Key, error) {
	if err := CheckStrength(pub); err != nil {
		return Key{}, err
	}
	spki, err := encode()
	if err != nil {
		return Key{}, errMalformedKey(err)
	}
	return Key{Public: pub, SPKI: spki}, nil
}

func errMalformedKey(err error) error {
	return formats.WrapError(err, formats.ReasonMalformedKey, "a key is neither a public key nor a certificate", hintKey)
}

func readDER(m *formats.Meter, der []byte) ([]Key, error) {
	if err := refuseOther(der); err != nil {
		return nil, err
	}
	if err := checkWhole(der); err != nil {
		return nil, err
	}
	der = bytes.Clone(der) // certificates keep what they were parsed from
	switch {
	case isBundle(der):
		return readBundle(m, der)
	case isPKCS1(der):
		return one(readPKCS1(der))
	}
	if _, ok := ReadOutline(der); ok {
		return readChain(m, [][]byte{der})
	}
	return one(readPKIX(der))
}

// refuseSecret is for files that did not come through formats.Registry, and for what PEM blocks hold, whatever their
// label says.
func refuseSecret(der []byte) error {
	if s, ok := textlayer.FindSecret(der); ok {
		return formats.ErrSecret("as a key", s)
	}
	return nil
}

func one(k Key, err error) ([]Key, error) {
	if err != nil {
		return nil, err
	}
	return []Key{k}, nil
}

func readPKIX(der []byte) (Key, error) {
	normal, err := normalizeSPKI(der)
	if err != nil {
		return Key{}, err
	}
	pub, err := formats.ParseSPKI(normal)
	if err == nil {
		k, err := newKey(pub, func() ([]byte, error) { return formats.EncodeSPKI(normal) })
		if err == nil {
			k.PSS, err = readPSS(der)
		}
		return k, err
	}
	id, ok := readKind(der)
	switch {
	case !ok:
		return Key{}, errMalformedKey(err)
	case slices.ContainsFunc(kinds, id.Equal):
		return Key{}, formats.WrapError(err, formats.ReasonMalformedKey, "the public key is damaged", hintKey)
	}
	return Key{}, formats.WrapError(err, formats.ReasonUnsupportedAlgorithm, "this kind of public key is not supported", hintAlgorithm)
}

// isPKCS1 reports whether der has the outline of an RSAPublicKey (RFC 8017, A.1.1).
func isPKCS1(der []byte) bool {
	_, _, ok := parsePKCS1(der)
	return ok
}

func parsePKCS1(der []byte) (n, e *big.Int, ok bool) {
	in := cryptobyte.String(der)
	var body cryptobyte.String
	n, e = new(big.Int), new(big.Int)
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty() && body.ReadASN1Integer(n) && body.ReadASN1Integer(e) && body.Empty()
	return n, e, ok
}

func readPKCS1(der []byte) (Key, error) {
	n, e, ok := parsePKCS1(der)
	if !ok {
		return Key{}, errMalformedKey(errors.New("not an RSA public key"))
	}
	return fromRSA(n, e)
}

// fromRSA takes numbers of any size and sign.
func fromRSA(n, e *big.Int) (Key, error) {
	if n.Sign() <= 0 || e.Sign() <= 0 {
		return Key{}, errMalformedKey(errors.New("not an RSA public key"))
	}
	if err := CheckExponent(e, maxExponentBits); err != nil {
		return Key{}, err
	}
	return fromPublic(&rsa.PublicKey{N: n, E: int(e.Int64())})
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

// kinds are the keys that crypto/x509 reads: one that it does not is damaged.
var kinds = []encoding.ObjectIdentifier{oidRSA, oidRSAPSS, oidEC, oidEd25519}

// readKind returns the algorithm of a SubjectPublicKeyInfo (RFC 5280, 4.1); not ok is what has not its outline.
func readKind(der []byte) (id encoding.ObjectIdentifier, ok bool) {
	in := cryptobyte.String(der)
	var body, alg cryptobyte.String
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty() &&
		body.ReadASN1(&alg, asn1.SEQUENCE) && alg.ReadASN1ObjectIdentifier(&id) &&
		body.SkipASN1(asn1.BIT_STRING) && body.Empty()
	return id, ok
}
