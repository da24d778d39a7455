// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto/x509"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signedDataID is the DER of id-signedData (RFC 5652, 5.1).
var signedDataID = []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02")

// isBundle reports whether der starts as a CMS SignedData, in which certificates travel (.p7b, .p7c).
func isBundle(der []byte) bool {
	in := cryptobyte.String(der)
	var body cryptobyte.String
	return in.ReadASN1(&body, asn1.SEQUENCE) && in.Empty() && bytes.HasPrefix(body, signedDataID)
}

// readBundle reads the certificates of a bundle that signs nothing. They stand in any order in it: a signer's is one that
// none of the others names as its issuer.
func readBundle(m *formats.Meter, der []byte) ([]Key, error) {
	ders, err := splitBundle(der)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for _, d := range ders {
		if err := m.ChargeParses(2); err != nil {
			return nil, err
		}
		c, err := ParseCertificate(d)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	var keys []Key
	for _, leaf := range all {
		if issuesAnother(all, leaf) {
			continue
		}
		var chain [][]byte
		for _, c := range collectChain(all, leaf) {
			chain = append(chain, c.Raw)
		}
		found, err := readChain(m, chain)
		if err != nil {
			return nil, err
		}
		keys = append(keys, found...)
	}
	if len(keys) == 0 {
		return nil, formats.NewError(formats.ReasonMalformedKey, "the PKCS #7 file holds no signer's certificate",
			"print its certificates with: openssl pkcs7 -print_certs -in FILE, and send the signer's")
	}
	return keys, nil
}

func issuesAnother(all []*x509.Certificate, c *x509.Certificate) bool {
	for _, other := range all {
		if other != c && bytes.Equal(other.RawIssuer, c.RawSubject) {
			return true
		}
	}
	return false
}

// collectChain follows the names from leaf on; each certificate is taken once.
func collectChain(all []*x509.Certificate, leaf *x509.Certificate) []*x509.Certificate {
	chain := []*x509.Certificate{leaf}
	used := map[*x509.Certificate]bool{leaf: true}
	for grown := true; grown; {
		grown = false
		for _, c := range all {
			if !used[c] && bytes.Equal(chain[len(chain)-1].RawIssuer, c.RawSubject) {
				chain, grown = append(chain, c), true
				used[c] = true
				break
			}
		}
	}
	return chain
}

// splitBundle returns the DER of each certificate in a SignedData without signers (RFC 5652, 5.1).
func splitBundle(der []byte) ([][]byte, error) {
	in := cryptobyte.String(der)
	var info, content, data, certificates, signers cryptobyte.String
	var version int
	var found bool
	ok := in.ReadASN1(&info, asn1.SEQUENCE) && info.SkipASN1(asn1.OBJECT_IDENTIFIER) &&
		info.ReadASN1(&content, explicitTag(0)) && info.Empty() &&
		content.ReadASN1(&data, asn1.SEQUENCE) && content.Empty() && data.ReadASN1Integer(&version) &&
		data.SkipASN1(asn1.SET) && data.SkipASN1(asn1.SEQUENCE) &&
		data.ReadOptionalASN1(&certificates, &found, explicitTag(0)) && data.SkipOptionalASN1(explicitTag(1)) &&
		data.ReadASN1(&signers, asn1.SET) && data.Empty()
	if !ok {
		return nil, formats.NewError(formats.ReasonMalformedKey, "a PKCS #7 file is malformed", "convert it: openssl pkcs7 -print_certs -in FILE -out cert.pem")
	}
	if !signers.Empty() {
		return nil, formats.NewError(formats.ReasonMalformedKey, "a PKCS #7 signature was sent as a key", "send it as the signature: format=pkcs7")
	}
	var out [][]byte
	for !certificates.Empty() {
		var c cryptobyte.String
		if !certificates.ReadASN1Element(&c, asn1.SEQUENCE) {
			return nil, formats.NewError(formats.ReasonMalformedKey, "a PKCS #7 file holds something else than certificates", hintKey)
		}
		if out = append(out, c); len(out) > maxChain {
			return nil, errChainLength()
		}
	}
	return out, nil
}

func explicitTag(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
