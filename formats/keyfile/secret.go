// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/x509"
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func secretError() error {
	return formats.NewError(formats.ReasonSecretKey, "this is a private key; it was not stored",
		"treat it as leaked and replace it, then send the public key: openssl pkey -in KEY -pubout")
}

// isSecret recognises private keys, encrypted ones included, in PEM and DER, and PKCS#12.
func isSecret(data []byte) bool {
	if bytes.Contains(data, []byte("PRIVATE KEY")) {
		return true
	}
	if _, err := x509.ParsePKCS8PrivateKey(data); err == nil {
		return true
	}
	if _, err := x509.ParsePKCS1PrivateKey(data); err == nil {
		return true
	}
	if _, err := x509.ParseECPrivateKey(data); err == nil {
		return true
	}
	return isPrivateKeyInfo(data) || isPKCS12(data)
}

// isPrivateKeyInfo matches the outlines of PrivateKeyInfo and EncryptedPrivateKeyInfo
// (RFC 5958) whatever their algorithms.
func isPrivateKeyInfo(der []byte) bool {
	in := cryptobyte.String(der)
	var body, alg cryptobyte.String
	return in.ReadASN1(&body, asn1.SEQUENCE) && body.SkipOptionalASN1(asn1.INTEGER) &&
		body.ReadASN1(&alg, asn1.SEQUENCE) && alg.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) &&
		body.PeekASN1Tag(asn1.OCTET_STRING)
}

// isPKCS12 matches the outline of a PFX (RFC 7292): version 3, then a ContentInfo.
func isPKCS12(der []byte) bool {
	in := cryptobyte.String(der)
	var body, content cryptobyte.String
	var version int
	var id encoding.ObjectIdentifier
	return in.ReadASN1(&body, asn1.SEQUENCE) && body.ReadASN1Integer(&version) && version == 3 &&
		body.ReadASN1(&content, asn1.SEQUENCE) && content.ReadASN1ObjectIdentifier(&id)
}
