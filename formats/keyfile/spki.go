// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/elliptic"
	encoding "encoding/asn1"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var (
	oidRSA     = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}
	oidRSAPSS  = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 10}
	oidEC      = encoding.ObjectIdentifier{1, 2, 840, 10045, 2, 1}
	oidEd25519 = encoding.ObjectIdentifier{1, 3, 101, 112}
	oidPrime   = encoding.ObjectIdentifier{1, 2, 840, 10045, 1, 1}
	oidP224    = encoding.ObjectIdentifier{1, 3, 132, 0, 33}
	oidP256    = encoding.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	oidP384    = encoding.ObjectIdentifier{1, 3, 132, 0, 34}
	oidP521    = encoding.ObjectIdentifier{1, 3, 132, 0, 35}
)

type namedCurve struct {
	id    encoding.ObjectIdentifier
	curve elliptic.Curve
}

// curves are those that crypto/x509 knows.
var curves = []namedCurve{{oidP224, elliptic.P224()}, {oidP256, elliptic.P256()}, {oidP384, elliptic.P384()}, {oidP521, elliptic.P521()}}

// unsupported names kinds of keys, for messages alone.
var unsupported = map[string]string{
	"1.3.101.110": "X25519", "1.3.101.111": "X448", "1.3.101.113": "Ed448", "1.2.840.113549.1.3.1": "Diffie-Hellman", "1.2.840.10046.2.1": "Diffie-Hellman",
	"1.2.643.2.2.19": "GOST R 34.10-2001", "1.2.643.7.1.1.1.1": "GOST R 34.10-2012", "1.2.643.7.1.1.1.2": "GOST R 34.10-2012",
	"2.16.840.1.101.3.4.3.17": "ML-DSA-44", "2.16.840.1.101.3.4.3.18": "ML-DSA-65", "2.16.840.1.101.3.4.3.19": "ML-DSA-87",
	"1.2.840.10045.3.1.1": "P-192", "1.3.132.0.10": "secp256k1", "1.2.156.10197.1.301": "SM2",
	"1.3.36.3.3.2.8.1.1.1": "brainpoolP160r1", "1.3.36.3.3.2.8.1.1.3": "brainpoolP192r1", "1.3.36.3.3.2.8.1.1.5": "brainpoolP224r1",
	"1.3.36.3.3.2.8.1.1.7": "brainpoolP256r1", "1.3.36.3.3.2.8.1.1.8": "brainpoolP256t1", "1.3.36.3.3.2.8.1.1.9": "brainpoolP320r1",
	"1.3.36.3.3.2.8.1.1.11": "brainpoolP384r1", "1.3.36.3.3.2.8.1.1.12": "brainpoolP384t1", "1.3.36.3.3.2.8.1.1.13": "brainpoolP512r1",
	"1.3.36.3.3.2.8.1.1.14": "brainpoolP512t1",
}

func nameOID(id encoding.ObjectIdentifier) string {
	if name, ok := unsupported[id.String()]; ok {
		return name
	}
	return id.String()
}

func errUnsupportedKey(message string) error {
	return formats.NewError(formats.ReasonUnsupportedAlgorithm, message, hintAlgorithm)
}

// normalizeSPKI rewrites a SubjectPublicKeyInfo in the one form that crypto/x509 reads: RSA-PSS keys as RSA, without parameters as
// with NULL; points of curves uncompressed, parameters of a known curve by its name. What it does not understand comes back as it
// is. Errors have ReasonUnsupportedAlgorithm and name what is not supported: an algorithm, a curve, an exponent.
func normalizeSPKI(der []byte) ([]byte, error) {
	in := cryptobyte.String(der)
	var body, alg, bits cryptobyte.String
	var id encoding.ObjectIdentifier
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() || !body.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&id) ||
		!readBits(&body, &bits) || !body.Empty() {
		return der, nil
	}
	switch {
	case id.Equal(oidRSA), id.Equal(oidRSAPSS):
		if err := checkExponent(bits); err != nil {
			return nil, err
		}
		if id.Equal(oidRSA) && !alg.Empty() {
			return der, nil
		}
		return encodeSPKI(oidRSA, encoding.NullBytes, bits), nil
	case id.Equal(oidEC):
		return normalizeEC(der, alg, bits)
	case unsupported[id.String()] != "":
		return nil, errUnsupportedKey("keys of the kind " + nameOID(id) + " are not supported")
	}
	return der, nil
}

// readBits reads a BIT STRING of whole octets.
func readBits(in, out *cryptobyte.String) bool {
	var bits []byte
	ok := in.ReadASN1BitStringAsBytes(&bits)
	*out = bits
	return ok
}

func encodeSPKI(id encoding.ObjectIdentifier, parameters, key []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1ObjectIdentifier(id)
			b.AddBytes(parameters)
		})
		b.AddASN1BitString(key)
	})
	return b.BytesOrPanic() // cannot fail: fixed identifiers, and a key that was read
}

// maxExponentBits is what crypto/rsa takes.
const maxExponentBits = 31

func checkExponent(key cryptobyte.String) error {
	var body cryptobyte.String
	n, e := new(big.Int), new(big.Int)
	if !key.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1Integer(n) || !body.ReadASN1Integer(e) {
		return nil // crypto/x509 says what is wrong
	}
	if e.BitLen() > maxExponentBits {
		return errUnsupportedKey("the RSA key's public exponent has more than 31 bits, which is not supported")
	}
	return nil
}

func normalizeEC(der []byte, parameters, point cryptobyte.String) ([]byte, error) {
	id, err := readCurve(parameters)
	if err != nil || id == nil {
		return der, err
	}
	at := slices.IndexFunc(curves, func(c namedCurve) bool { return c.id.Equal(id) })
	if at < 0 {
		return nil, errUnsupportedKey("keys on the curve " + nameOID(id) + " are not supported")
	}
	whole := uncompress(curves[at].curve, point)
	if whole == nil {
		return der, nil
	}
	name, err := encoding.Marshal(id)
	if err != nil {
		return der, nil
	}
	return encodeSPKI(oidEC, name, whole), nil
}

// uncompress returns the point in its uncompressed form (SEC 1, 2.3.3), or nil when it is none of the curve.
func uncompress(c elliptic.Curve, point []byte) []byte {
	if len(point) == 0 {
		return nil
	}
	size := (c.Params().BitSize + 7) / 8
	switch form := point[0]; {
	case form == 4:
		return point
	case (form == 6 || form == 7) && len(point) == 1+2*size && point[2*size]&1 == form&1: // hybrid: both, and the parity
		return append([]byte{4}, point[1:]...)
	case form == 2 || form == 3:
		x, y := elliptic.UnmarshalCompressed(c, point)
		if x == nil {
			return nil
		}
		out := make([]byte, 1+2*size)
		out[0] = 4
		x.FillBytes(out[1 : 1+size])
		y.FillBytes(out[1+size:])
		return out
	}
	return nil
}

// readCurve returns the name of the curve that ECParameters (RFC 3279, 2.3.5) are, nil when they are malformed.
func readCurve(parameters cryptobyte.String) (encoding.ObjectIdentifier, error) {
	var id encoding.ObjectIdentifier
	if parameters.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) {
		if !parameters.ReadASN1ObjectIdentifier(&id) || !parameters.Empty() {
			return nil, nil
		}
		return id, nil
	}
	p, ok := readParameters(parameters)
	if !ok {
		return nil, nil
	}
	for _, c := range curves {
		if p.describes(c.curve) {
			return c.id, nil
		}
	}
	return nil, errUnsupportedKey("the key's curve has parameters of its own, which are not supported")
}

// explicit are the parameters of a curve, written out.
type explicit struct {
	prime, order, a, b *big.Int
	base               []byte
}

// readParameters reads SpecifiedECDomain; not ok is what has no prime field, too.
func readParameters(in cryptobyte.String) (p explicit, ok bool) {
	var body, field, curve, a, b, base cryptobyte.String
	var id encoding.ObjectIdentifier
	version := 0
	p.prime, p.order = new(big.Int), new(big.Int)
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty() && body.ReadASN1Integer(&version) &&
		body.ReadASN1(&field, asn1.SEQUENCE) && field.ReadASN1ObjectIdentifier(&id)
	if !ok {
		return explicit{}, false
	}
	if !id.Equal(oidPrime) {
		return p, true // describes nothing
	}
	ok = field.ReadASN1Integer(p.prime) && body.ReadASN1(&curve, asn1.SEQUENCE) && curve.ReadASN1(&a, asn1.OCTET_STRING) &&
		curve.ReadASN1(&b, asn1.OCTET_STRING) && body.ReadASN1(&base, asn1.OCTET_STRING) && body.ReadASN1Integer(p.order)
	p.a, p.b, p.base = new(big.Int).SetBytes(a), new(big.Int).SetBytes(b), base
	return p, ok
}

// describes reports whether all numbers are those of c: a curve that differs in its base point alone lets anybody make signatures.
func (p explicit) describes(curve elliptic.Curve) bool {
	c := curve.Params()
	if p.a == nil || p.prime.Cmp(c.P) != 0 || p.order.Cmp(c.N) != 0 || p.b.Cmp(c.B) != 0 {
		return false
	}
	minus3 := new(big.Int).Sub(c.P, big.NewInt(3))
	size := (c.BitSize + 7) / 8
	base := append(c.Gx.FillBytes(make([]byte, size)), c.Gy.FillBytes(make([]byte, size))...)
	given := uncompress(curve, p.base)
	return p.a.Cmp(minus3) == 0 && len(given) > 0 && bytes.Equal(given[1:], base)
}
