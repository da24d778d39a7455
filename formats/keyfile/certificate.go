// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/x509"
	encoding "encoding/asn1"
	"math/big"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// ParseCertificate reads one DER certificate, also one with a key in a form that crypto/x509 does not read: the
// certificate is then parsed with that key rewritten, and all that is signed in it stays as it was. Errors have
// ReasonMalformedKey, ReasonTrailingData or, naming a kind of key that is not supported, ReasonUnsupportedAlgorithm.
func ParseCertificate(der []byte) (*x509.Certificate, error) {
	if err := checkWhole(der); err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err == nil && cert.PublicKey != nil {
		return cert, nil
	}
	o, ok := ReadOutline(der)
	if !ok {
		return nil, errMalformedCertificate(err)
	}
	key, kerr := normalizeSPKI(o.spki)
	switch {
	case kerr != nil:
		return nil, kerr
	case !bytes.Equal(key, o.spki):
		return o.parseWith(key)
	case err != nil:
		return nil, errMalformedCertificate(err)
	}
	return cert, nil // of an unknown kind of key, which FromCertificate refuses
}

func errMalformedCertificate(err error) error {
	message := "a certificate is malformed"
	if err != nil && strings.Contains(err.Error(), "negative serial number") {
		message = "a certificate has a negative serial number"
	}
	return formats.WrapError(err, formats.ReasonMalformedKey, message, hintKey)
}

// Outline is what can be read of a certificate that is not well-formed in all its parts. Slices point into its DER.
type Outline struct {
	Serial     *big.Int
	Issuer     []byte // a DER Name
	SubjectKey []byte // the subject key identifier, nil when there is none

	spki, before, after, rest cryptobyte.String // the key; what is signed before and after it; what follows what is signed
	whole, signed             cryptobyte.String
}

// ReadOutline reads what surrounds the key in a certificate (RFC 5280, 4.1).
func ReadOutline(der []byte) (o Outline, ok bool) {
	in := cryptobyte.String(der)
	var body, tbs cryptobyte.String
	o = Outline{Serial: new(big.Int), whole: in}
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty() && body.ReadASN1Element(&o.signed, asn1.SEQUENCE)
	signed := o.signed
	if !ok || !signed.ReadASN1(&tbs, asn1.SEQUENCE) {
		return Outline{}, false
	}
	o.rest, o.before = body, tbs
	ok = tbs.SkipOptionalASN1(asn1.Tag(0).ContextSpecific().Constructed()) && tbs.ReadASN1Integer(o.Serial) &&
		tbs.SkipASN1(asn1.SEQUENCE) && tbs.ReadASN1Element((*cryptobyte.String)(&o.Issuer), asn1.SEQUENCE) &&
		tbs.SkipASN1(asn1.SEQUENCE) && tbs.SkipASN1(asn1.SEQUENCE)
	o.before = o.before[:len(o.before)-len(tbs)]
	if !ok || !tbs.ReadASN1Element(&o.spki, asn1.SEQUENCE) {
		return Outline{}, false
	}
	o.after = tbs
	o.SubjectKey = findSubjectKey(tbs)
	return o, true
}

var oidSubjectKey = encoding.ObjectIdentifier{2, 5, 29, 14}

// findSubjectKey looks through the extensions, which come last.
func findSubjectKey(in cryptobyte.String) []byte {
	var wrapped, list cryptobyte.String
	if !in.SkipOptionalASN1(asn1.Tag(1).ContextSpecific()) || !in.SkipOptionalASN1(asn1.Tag(2).ContextSpecific()) ||
		!in.ReadASN1(&wrapped, asn1.Tag(3).ContextSpecific().Constructed()) || !wrapped.ReadASN1(&list, asn1.SEQUENCE) {
		return nil
	}
	var extension cryptobyte.String
	for list.ReadASN1(&extension, asn1.SEQUENCE) {
		var id encoding.ObjectIdentifier
		var value, octets cryptobyte.String
		if extension.ReadASN1ObjectIdentifier(&id) && id.Equal(oidSubjectKey) && extension.SkipOptionalASN1(asn1.BOOLEAN) &&
			extension.ReadASN1(&value, asn1.OCTET_STRING) && value.ReadASN1(&octets, asn1.OCTET_STRING) {
			return octets
		}
	}
	return nil
}

// parseWith parses the certificate with key in place of its own.
func (o Outline) parseWith(key []byte) (*x509.Certificate, error) {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(o.before)
			b.AddBytes(key)
			b.AddBytes(o.after)
		})
		b.AddBytes(o.rest)
	})
	der, err := b.Bytes()
	if err != nil {
		return nil, errMalformedCertificate(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errMalformedCertificate(err)
	}
	cert.Raw, cert.RawTBSCertificate, cert.RawSubjectPublicKeyInfo = o.whole, o.signed, o.spki
	return cert, nil
}
