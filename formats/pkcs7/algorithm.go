// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"crypto"
	encoding "encoding/asn1"
	"slices"
	"strings"

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

// signatureName is what an object identifier says of a signature; hash 0 stands for the digest algorithm's.
type signatureName struct {
	scheme formats.Scheme
	hash   crypto.Hash
}

// signatureNames are the signature algorithms. Some name the key alone: rsaEncryption (RFC 3370, 3.2), id-ecPublicKey (which JDK
// and Windows write for ECDSA).
var signatureNames = map[string]signatureName{
	"1.2.840.113549.1.1.1":  {formats.RSAPKCS1v15, 0},
	"1.2.840.113549.1.1.4":  {formats.RSAPKCS1v15, crypto.MD5},
	"1.2.840.113549.1.1.5":  {formats.RSAPKCS1v15, crypto.SHA1},
	"1.2.840.113549.1.1.11": {formats.RSAPKCS1v15, crypto.SHA256},
	"1.2.840.113549.1.1.12": {formats.RSAPKCS1v15, crypto.SHA384},
	"1.2.840.113549.1.1.13": {formats.RSAPKCS1v15, crypto.SHA512},
	oidPSS:                  {formats.RSAPSS, 0},
	oidEC:                   {formats.ECDSA, 0},
	oidECSpecified:          {formats.ECDSA, 0},
	"1.2.840.10045.4.1":     {formats.ECDSA, crypto.SHA1},
	"1.2.840.10045.4.3.2":   {formats.ECDSA, crypto.SHA256},
	"1.2.840.10045.4.3.3":   {formats.ECDSA, crypto.SHA384},
	"1.2.840.10045.4.3.4":   {formats.ECDSA, crypto.SHA512},
	"1.3.101.112":           {pureEd25519, 0},
}

const (
	oidPSS         = "1.2.840.113549.1.1.10"
	oidMGF1        = "1.2.840.113549.1.1.8"
	oidEC          = "1.2.840.10045.2.1"
	oidECSpecified = "1.2.840.10045.4.3" // ecdsa-with-Specified of ANSI X9.62: the hash is the parameter

	// pureEd25519 is over the bytes themselves (RFC 8419).
	pureEd25519 = formats.Ed25519

	hintAlgorithm = "sign with: openssl cms -sign -binary -md sha256, and an RSA or ECDSA key"
)

// scheme is how a signer signed.
type scheme struct {
	name formats.Scheme
	hash crypto.Hash // of the content and of the attributes
	salt int         // for RSA-PSS, in bytes
}

func errUnsupportedAlgorithm(message string) error {
	return formats.NewError(formats.ReasonUnsupportedAlgorithm, message, hintAlgorithm)
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
	id := s.algorithm.id.String()
	n, ok := signatureNames[id]
	if !ok {
		return scheme{}, s.refuseSignatureAlgorithm(id)
	}
	h, err := s.readDigest()
	if err != nil {
		return scheme{}, err
	}
	out := scheme{name: n.scheme, hash: h}
	switch {
	case id == oidPSS:
		out.salt, err = s.algorithm.readPSS(h)
		return out, err
	case id == oidECSpecified:
		in := s.algorithm.parameters
		specified, ok := readAlgorithm(&in)
		if !ok || !in.Empty() || !specified.isHash(h) {
			return scheme{}, errMalformedSignature("the signer's signatureAlgorithm does not specify the hash of digestAlgorithm, " + h.String())
		}
	case n.hash != 0 && n.hash != h:
		return scheme{}, errMalformedSignature("the signer's signatureAlgorithm, " + nameAlgorithm(s.algorithm.id) +
			", contradicts digestAlgorithm, " + h.String())
	case !s.algorithm.isPlain() && (id != oidEC || !isCurve(s.algorithm.parameters)):
		return scheme{}, errMalformedSignature("the signer's signatureAlgorithm, " + nameAlgorithm(s.algorithm.id) + ", has parameters that it cannot have")
	}
	return out, nil
}

// readDigest returns the hash that digestAlgorithm names.
func (s signerInfo) readDigest() (crypto.Hash, error) {
	id, name := s.digest.id.String(), nameAlgorithm(s.digest.id)
	h, known := hashNames[id]
	_, isSignature := signatureNames[id]
	switch {
	case isSignature:
		return 0, errMalformedSignature("the signer's digestAlgorithm is " + name + ", which is no digest algorithm")
	case !known:
		return 0, errUnsupportedAlgorithm("the signer's digestAlgorithm, " + name + ", is not supported")
	case !s.digest.isPlain():
		return 0, errMalformedSignature("the signer's digestAlgorithm, " + name + ", has parameters")
	}
	return h, nil
}

func (s signerInfo) refuseSignatureAlgorithm(id string) error {
	name := nameAlgorithm(s.algorithm.id)
	if _, isHash := hashNames[id]; isHash {
		return errMalformedSignature("the signer's signatureAlgorithm is " + name + ", which is no signature algorithm")
	}
	if isDSA(id) {
		return formats.NewError(formats.ReasonWeakAlgorithm, "DSA signatures are not accepted", hintAlgorithm)
	}
	return errUnsupportedAlgorithm("the signer's signatureAlgorithm, " + name + ", is not supported")
}

var dsaWithSHA2 = []string{"2.16.840.1.101.3.4.3.1", "2.16.840.1.101.3.4.3.2", "2.16.840.1.101.3.4.3.3", "2.16.840.1.101.3.4.3.4"}

func isDSA(id string) bool {
	return strings.HasPrefix(id, "1.2.840.10040.4.") || slices.Contains(dsaWithSHA2, id)
}

// isCurve reports whether parameters are the named curve of a key, which some tools copy beside id-ecPublicKey.
func isCurve(parameters cryptobyte.String) bool {
	var id encoding.ObjectIdentifier
	return parameters.ReadASN1ObjectIdentifier(&id) && parameters.Empty()
}

// readPSS reads RSASSA-PSS-params (RFC 4055, 3.1) strictly: the digest's hash twice, stated, since the
// defaults are SHA-1; salt; the only trailer. It returns the salt's length.
func (a algorithm) readPSS(want crypto.Hash) (salt int, err error) {
	in := a.parameters
	var params, field cryptobyte.String
	if !in.ReadASN1(&params, asn1.SEQUENCE) || !in.Empty() {
		return 0, errMalformedSignature("the parameters of RSASSA-PSS are malformed")
	}
	unsupported := errUnsupportedAlgorithm("RSASSA-PSS is supported with digestAlgorithm as its hash and as that of its mask alone, " + want.String() + " here")
	if !params.ReadASN1(&field, constructedTag(0)) {
		return 0, unsupported
	}
	if h, ok := readAlgorithm(&field); !ok || !field.Empty() || !h.isHash(want) {
		return 0, unsupported
	}
	if !params.ReadASN1(&field, constructedTag(1)) || !isMGF1(field, want) {
		return 0, unsupported
	}
	trailer := 1
	salt = 20
	if !params.ReadOptionalASN1Integer(&salt, constructedTag(2), 20) ||
		!params.ReadOptionalASN1Integer(&trailer, constructedTag(3), 1) || !params.Empty() || trailer != 1 {
		return 0, errMalformedSignature("the parameters of RSASSA-PSS are malformed")
	}
	if salt <= 0 || salt > 2048 { // crypto/rsa takes 0 for any length
		return 0, errUnsupportedAlgorithm("RSASSA-PSS is supported with a salt of 1 to 2048 bytes")
	}
	return salt, nil
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
