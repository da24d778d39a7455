// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"crypto"
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// hashNames are the digest algorithms by their object identifiers.
var hashNames = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	"1.3.14.3.2.26":          crypto.SHA1,
	"1.2.840.113549.2.5":     crypto.MD5,
}

// signatureNames are the signature algorithms; hash 0 stands for the digest algorithm's.
var signatureNames = map[string]struct {
	scheme formats.Scheme
	hash   crypto.Hash
}{
	"1.2.840.113549.1.1.1":  {formats.RSAPKCS1v15, 0},
	"1.2.840.113549.1.1.4":  {formats.RSAPKCS1v15, crypto.MD5},
	"1.2.840.113549.1.1.5":  {formats.RSAPKCS1v15, crypto.SHA1},
	"1.2.840.113549.1.1.11": {formats.RSAPKCS1v15, crypto.SHA256},
	"1.2.840.113549.1.1.12": {formats.RSAPKCS1v15, crypto.SHA384},
	"1.2.840.113549.1.1.13": {formats.RSAPKCS1v15, crypto.SHA512},
	oidPSS:                  {formats.RSAPSS, 0},
	"1.2.840.10045.4.1":     {formats.ECDSA, crypto.SHA1},
	"1.2.840.10045.4.3.2":   {formats.ECDSA, crypto.SHA256},
	"1.2.840.10045.4.3.3":   {formats.ECDSA, crypto.SHA384},
	"1.2.840.10045.4.3.4":   {formats.ECDSA, crypto.SHA512},
}

const (
	oidPSS  = "1.2.840.113549.1.1.10"
	oidMGF1 = "1.2.840.113549.1.1.8"

	hintAlgorithm = "sign with: openssl cms -sign -binary -md sha256, and an RSA or ECDSA key"
)

// scheme is how a signer signed.
type scheme struct {
	name formats.Scheme
	hash crypto.Hash // of the content and of the attributes
	salt int         // for RSA-PSS, in bytes
}

func errUnsupportedAlgorithm() error {
	return formats.NewError(formats.ReasonUnsupportedAlgorithm, "the signature's algorithm is not supported", hintAlgorithm)
}

// lookupHash returns the digest algorithm that a names, whose parameters must be absent or NULL.
func (a algorithm) lookupHash() (crypto.Hash, bool) {
	h, ok := hashNames[a.id.String()]
	return h, ok && a.isPlain()
}

func (a algorithm) isPlain() bool {
	return len(a.parameters) == 0 || bytes.Equal(a.parameters, encoding.NullBytes)
}

// readScheme reads the signer's two algorithms, which must name the same hash. Errors have
// ReasonUnsupportedAlgorithm, ReasonWeakAlgorithm (DSA) or ReasonMalformedSignature.
func (s signerInfo) readScheme() (scheme, error) {
	h, ok := s.digest.lookupHash()
	if !ok {
		return scheme{}, errUnsupportedAlgorithm()
	}
	id := s.algorithm.id.String()
	if id == "1.2.840.10040.4.1" || id == "1.2.840.10040.4.3" || id == "2.16.840.1.101.3.4.3.2" {
		return scheme{}, formats.NewError(formats.ReasonWeakAlgorithm, "DSA signatures are not accepted", hintAlgorithm)
	}
	n, ok := signatureNames[id]
	if !ok {
		return scheme{}, errUnsupportedAlgorithm()
	}
	out := scheme{name: n.scheme, hash: h}
	if id == oidPSS {
		if out.salt, ok = s.algorithm.readPSS(h); !ok {
			return scheme{}, errUnsupportedAlgorithm()
		}
		return out, nil
	}
	if !s.algorithm.isPlain() || n.hash != 0 && n.hash != h {
		return scheme{}, errMalformedSignature("the signature's algorithms contradict each other")
	}
	return out, nil
}

// readPSS reads RSASSA-PSS-params (RFC 4055, 3.1) strictly: the digest's hash twice, stated, since the
// defaults are SHA-1; salt; the only trailer. It returns the salt's length.
func (a algorithm) readPSS(want crypto.Hash) (salt int, ok bool) {
	in := a.parameters
	var params, field cryptobyte.String
	if !in.ReadASN1(&params, asn1.SEQUENCE) || !in.Empty() || !params.ReadASN1(&field, constructedTag(0)) {
		return 0, false
	}
	if h, ok := readAlgorithm(&field); !ok || !field.Empty() || !h.isHash(want) {
		return 0, false
	}
	if !params.ReadASN1(&field, constructedTag(1)) || !isMGF1(field, want) {
		return 0, false
	}
	trailer := 1
	salt = 20
	ok = params.ReadOptionalASN1Integer(&salt, constructedTag(2), 20) &&
		params.ReadOptionalASN1Integer(&trailer, constructedTag(3), 1) && params.Empty()
	return salt, ok && trailer == 1 && salt > 0 && salt <= 2048
}

func (a algorithm) isHash(want crypto.Hash) bool {
	h, ok := a.lookupHash()
	return ok && h == want
}

func isMGF1(field cryptobyte.String, want crypto.Hash) bool {
	mgf, ok := readAlgorithm(&field)
	if !ok || !field.Empty() || mgf.id.String() != oidMGF1 {
		return false
	}
	h, ok := readAlgorithm(&mgf.parameters)
	return ok && mgf.parameters.Empty() && h.isHash(want)
}

// equal compares two algorithms; absent parameters are as good as NULL.
func (a algorithm) equal(b algorithm) bool {
	return a.id.Equal(b.id) && (bytes.Equal(a.parameters, b.parameters) || a.isPlain() && b.isPlain())
}
