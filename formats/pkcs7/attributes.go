// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"crypto"
	"crypto/sha1" //nolint:gosec // what RFC 2634 binds a certificate with, beside the signature itself
	encoding "encoding/asn1"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var (
	oidContentType   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 3}
	oidMessageDigest = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
	oidSigningTime   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 5}
	oidSigningCert   = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 12}
	oidSigningCertV2 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 2, 47}
	oidAlgorithms    = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 52}
)

// attributes is what is understood of the signed attributes (RFC 5652, 11; RFC 5035).
type attributes struct {
	messageDigest []byte
	signingTime   *time.Time
	// certHashes are the hashes that the signer's certificate must have (CAdES).
	certHashes []certHash
	// algorithms are those of the digest and of the signature, nil when not protected (RFC 6211).
	algorithms []algorithm
}

type certHash struct {
	hash  crypto.Hash
	value []byte
}

func badAttributes(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message, "sign again with: openssl cms -sign -binary")
}

// parseAttributes reads the DER SET of signed attributes. Each attribute may come once, and
// contentType (which must be data) and messageDigest must. Their order is taken as sent.
func parseAttributes(der []byte) (*attributes, error) {
	in := cryptobyte.String(der)
	var set cryptobyte.String
	if !in.ReadASN1(&set, asn1.SET) || !in.Empty() {
		return nil, badAttributes("the signed attributes are malformed")
	}
	var a attributes
	seen := map[string]bool{}
	for !set.Empty() {
		var attribute, values cryptobyte.String
		var id encoding.ObjectIdentifier
		if !set.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&id) ||
			!attribute.ReadASN1(&values, asn1.SET) || !attribute.Empty() {
			return nil, badAttributes("a signed attribute is malformed")
		}
		if seen[id.String()] {
			return nil, badAttributes("a signed attribute comes twice")
		}
		seen[id.String()] = true
		if err := a.readAttribute(id, values); err != nil {
			return nil, err
		}
	}
	if !seen[oidContentType.String()] || !seen[oidMessageDigest.String()] {
		return nil, badAttributes("the signed attributes lack the content type or the message digest")
	}
	return &a, nil
}

// readAttribute reads one attribute; the unknown ones say nothing about the signature's validity.
func (a *attributes) readAttribute(id encoding.ObjectIdentifier, values cryptobyte.String) error {
	ok := true
	switch {
	case id.Equal(oidContentType):
		var kind encoding.ObjectIdentifier
		if !values.ReadASN1ObjectIdentifier(&kind) || !values.Empty() || !kind.Equal(oidData) {
			return badAttributes("the content type attribute is not that of the content")
		}
	case id.Equal(oidMessageDigest):
		var octets cryptobyte.String
		ok = values.ReadASN1(&octets, asn1.OCTET_STRING) && values.Empty()
		a.messageDigest = append([]byte{}, octets...)
	case id.Equal(oidSigningTime):
		a.signingTime = new(time.Time)
		ok = readTime(&values, a.signingTime) && values.Empty()
	case id.Equal(oidSigningCert), id.Equal(oidSigningCertV2):
		var h certHash
		h, ok = readCertHash(values, id.Equal(oidSigningCertV2))
		a.certHashes = append(a.certHashes, h)
	case id.Equal(oidAlgorithms):
		ok = a.readAlgorithms(values)
	}
	if !ok {
		return badAttributes("a signed attribute is malformed")
	}
	return nil
}

func (a *attributes) readAlgorithms(values cryptobyte.String) bool {
	var pair, body cryptobyte.String
	if !values.ReadASN1(&pair, asn1.SEQUENCE) || !values.Empty() {
		return false
	}
	digest, ok := readAlgorithm(&pair)
	if !ok || !pair.ReadASN1(&body, constructedTag(1)) || !pair.Empty() {
		return false
	}
	var signature algorithm
	ok = body.ReadASN1ObjectIdentifier(&signature.id)
	signature.parameters = body
	a.algorithms = []algorithm{digest, signature}
	return ok
}

func readTime(in *cryptobyte.String, t *time.Time) bool {
	if in.PeekASN1Tag(asn1.UTCTime) {
		return in.ReadASN1UTCTime(t)
	}
	return in.ReadASN1GeneralizedTime(t)
}

// readCertHash reads the first ESSCertID or ESSCertIDv2, which is the signer's (RFC 5035, 3 and 5).
func readCertHash(values cryptobyte.String, v2 bool) (h certHash, ok bool) {
	var signing, list, first, octets cryptobyte.String
	if !values.ReadASN1(&signing, asn1.SEQUENCE) || !values.Empty() ||
		!signing.ReadASN1(&list, asn1.SEQUENCE) || !list.ReadASN1(&first, asn1.SEQUENCE) {
		return certHash{}, false
	}
	h.hash = crypto.SHA1
	if v2 {
		h.hash = crypto.SHA256
		if first.PeekASN1Tag(asn1.SEQUENCE) {
			a, ok := readAlgorithm(&first)
			if !ok {
				return certHash{}, false
			}
			h.hash, _ = a.lookupHash()
		}
	}
	ok = first.ReadASN1(&octets, asn1.OCTET_STRING) && h.hash != 0
	h.value = append([]byte{}, octets...)
	return h, ok
}

// fitsCertificate reports whether the certificate is the one meant. SHA-1 is enough here: it only narrows down
// what the signature itself has to prove.
func (h certHash) fitsCertificate(certificate []byte) bool {
	if h.hash == crypto.SHA1 {
		sum := sha1.Sum(certificate) //nolint:gosec // see above
		return bytes.Equal(sum[:], h.value)
	}
	sum := h.hash.New()
	sum.Write(certificate)
	return bytes.Equal(sum.Sum(nil), h.value)
}
