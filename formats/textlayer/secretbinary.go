// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
	encoding "encoding/asn1"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// findBinary recognises private keys by their outline, whatever their algorithm.
func findBinary(data []byte) (Secret, bool) {
	switch {
	case isTraditional(data), isPrivateKeyInfo(data), isEncryptedKeyInfo(data):
		return Secret{"a private key in DER", publicOpenSSL}, true
	case isPKCS12(data):
		return Secret{"a PKCS #12 file, which holds a private key as a rule", "openssl pkcs12 -in FILE -clcerts -nokeys -out cert.pem"}, true
	case bytes.HasPrefix(data, []byte("\xfe\xed\xfe\xed\x00\x00\x00")), bytes.HasPrefix(data, []byte("\xce\xce\xce\xce\x00\x00\x00")):
		return Secret{"a Java key store, which holds a private key as a rule", "keytool -exportcert -rfc -keystore FILE -alias NAME -file cert.pem"}, true
	case isSecretPacket(data):
		return Secret{"a PGP private key", publicPGP}, true
	}
	return Secret{}, false
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

// isPrivateKeyInfo matches the outline of PrivateKeyInfo and OneAsymmetricKey (RFC 5958).
func isPrivateKeyInfo(der []byte) bool {
	in := cryptobyte.String(der)
	var body, algorithm cryptobyte.String
	var version int
	return in.ReadASN1(&body, asn1.SEQUENCE) && body.ReadASN1Integer(&version) &&
		body.ReadASN1(&algorithm, asn1.SEQUENCE) && algorithm.PeekASN1Tag(asn1.OBJECT_IDENTIFIER) &&
		body.PeekASN1Tag(asn1.OCTET_STRING)
}

// Arcs of the algorithms that private keys are encrypted with: PKCS #5, PKCS #12. A DigestInfo has the same outline
// and other algorithms.
var encryptionArcs = []encoding.ObjectIdentifier{{1, 2, 840, 113549, 1, 5}, {1, 2, 840, 113549, 1, 12}}

// isEncryptedKeyInfo matches EncryptedPrivateKeyInfo (RFC 5958).
func isEncryptedKeyInfo(der []byte) bool {
	in := cryptobyte.String(der)
	var body, algorithm cryptobyte.String
	var id encoding.ObjectIdentifier
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&algorithm, asn1.SEQUENCE) ||
		!algorithm.ReadASN1ObjectIdentifier(&id) || !body.PeekASN1Tag(asn1.OCTET_STRING) {
		return false
	}
	return slices.ContainsFunc(encryptionArcs, func(arc encoding.ObjectIdentifier) bool {
		return len(id) > len(arc) && id[:len(arc)].Equal(arc)
	})
}

// isPKCS12 matches the outline of a PFX (RFC 7292): version 3, then a ContentInfo of a type of PKCS #7. Its
// lengths may be indefinite, so they are skipped whatever they are.
func isPKCS12(der []byte) bool {
	body, ok := skipHeader(der)
	if !ok {
		return false
	}
	body, ok = bytes.CutPrefix(body, []byte{0x02, 0x01, 0x03})
	if !ok {
		return false
	}
	content, ok := skipHeader(body)
	return ok && bytes.HasPrefix(content, []byte(contentTypes))
}

// skipHeader returns what follows the tag and the length of a SEQUENCE.
func skipHeader(ber []byte) ([]byte, bool) {
	if len(ber) < 2 || ber[0] != 0x30 {
		return nil, false
	}
	skip := 2
	if ber[1] > 0x80 {
		skip += int(ber[1] & 0x7f)
	}
	if skip > len(ber) {
		return nil, false
	}
	return ber[skip:], true
}

// isSecretPacket matches an OpenPGP secret key or subkey at the start of a binary file, and packets to its end. One in 10^8 raw
// RSA signatures looks like that.
func isSecretPacket(data []byte) bool {
	tag, body, rest, ok := cutPacket(data)
	return ok && (tag == tagSecretKey || tag == tagSecretSubkey) && len(body) >= 40 && isKey(body) && isPackets(rest)
}
