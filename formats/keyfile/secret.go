// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

func secretError() error {
	return formats.NewError(formats.ReasonSecretKey, "this is a private key; it was not stored",
		"treat it as leaked and replace it, then send the public key: openssl pkey -in KEY -pubout")
}

// isSecret recognises private keys by their outline, whatever their algorithm: in PEM and
// PuTTY's files by their words, in DER as PKCS #1, SEC 1, PKCS #8 (encrypted or not) and PKCS #12.
func isSecret(data []byte) bool {
	for _, word := range []string{"PRIVATE KEY", "PuTTY-User-Key-File"} {
		if bytes.Contains(data, []byte(word)) {
			return true
		}
	}
	return isTraditional(data) || isPrivateKeyInfo(data) || isPKCS12(data)
}

// isTraditional matches ECPrivateKey (RFC 5915), RSAPrivateKey (RFC 8017) and OpenSSL's DSA keys: a
// version, then an octet string or five integers and more. An RSA public key has two in all.
func isTraditional(der []byte) bool {
	in := cryptobyte.String(der)
	var body cryptobyte.String
	var version int
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1Integer(&version) || version < 0 || version > 1 {
		return false
	}
	if body.PeekASN1Tag(asn1.OCTET_STRING) {
		return true
	}
	for range 5 {
		if !body.SkipASN1(asn1.INTEGER) {
			return false
		}
	}
	return true
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
