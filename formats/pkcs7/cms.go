// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	encoding "encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var (
	oidData       = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// maxCertificates bounds what one signature may carry.
const maxCertificates = 64

// signedData is what is kept of a SignedData (RFC 5652, 5.1). Slices point into its DER.
type signedData struct {
	content      []byte // nil when detached
	certificates []cryptobyte.String
	signer       signerInfo
	unsigned     unsigned
}

// unsigned is what nobody vouches for, as it stands in the signature.
type unsigned struct{ certificates, revocations, attributes cryptobyte.String }

func (u unsigned) size() int { return len(u.certificates) + len(u.revocations) + len(u.attributes) }

// signerInfo is a SignerInfo (RFC 5652, 5.3) without its unsigned attributes.
type signerInfo struct {
	issuer     []byte // a DER Name; nil when keyID identifies the signer
	serial     *big.Int
	keyID      []byte
	digest     algorithm
	attributes []byte // the DER SET that is signed, nil when there are none
	algorithm  algorithm
	signature  []byte
}

// algorithm is an AlgorithmIdentifier; parameters is empty when absent.
type algorithm struct {
	id         encoding.ObjectIdentifier
	parameters cryptobyte.String
}

func primitiveTag(n uint8) asn1.Tag   { return asn1.Tag(n).ContextSpecific() }
func constructedTag(n uint8) asn1.Tag { return primitiveTag(n).Constructed() }

// parseSignedData reads a ContentInfo. Errors have ReasonMalformedSignature,
// ReasonUnsupportedSignature, ReasonUnsupportedVersion, ReasonNoSignature,
// ReasonMultipleSignatures or ReasonTooLarge.
func parseSignedData(der []byte) (*signedData, error) {
	in := cryptobyte.String(der)
	var info, explicit, body cryptobyte.String
	var id encoding.ObjectIdentifier
	if !in.ReadASN1(&info, asn1.SEQUENCE) || !in.Empty() || !info.ReadASN1ObjectIdentifier(&id) {
		return nil, errMalformedSignature("the signature is no CMS ContentInfo")
	}
	if !id.Equal(oidSignedData) {
		return nil, formats.NewError(formats.ReasonUnsupportedSignature, "this CMS value is not signed data",
			"make a signature with: openssl cms -sign -binary")
	}
	if !info.ReadASN1(&explicit, constructedTag(0)) || !info.Empty() ||
		!explicit.ReadASN1(&body, asn1.SEQUENCE) || !explicit.Empty() {
		return nil, errMalformedSignature("the signature is no CMS ContentInfo")
	}
	return readSignedData(body)
}

func readSignedData(body cryptobyte.String) (*signedData, error) {
	var version int
	var digests, encap, certificates, signers cryptobyte.String
	var s signedData
	if !body.ReadASN1Integer(&version) {
		return nil, errMalformedSignature("the CMS version is malformed")
	}
	if version != 1 && version != 3 && version != 4 && version != 5 {
		return nil, formats.NewError(formats.ReasonUnsupportedVersion, "this version of CMS signed data is unknown", hintSend)
	}
	if !body.ReadASN1(&digests, asn1.SET) || !body.ReadASN1(&encap, asn1.SEQUENCE) ||
		!body.ReadOptionalASN1(&certificates, nil, constructedTag(0)) ||
		!body.ReadOptionalASN1(&s.unsigned.revocations, nil, constructedTag(1)) ||
		!body.ReadASN1(&signers, asn1.SET) || !body.Empty() {
		return nil, errMalformedSignature("the CMS signed data is malformed")
	}
	var err error
	if s.content, err = readContent(encap); err != nil {
		return nil, err
	}
	if s.certificates, err = readCertificates(certificates); err != nil {
		return nil, err
	}
	s.unsigned.certificates = certificates
	if s.signer, s.unsigned.attributes, err = readOnlySigner(signers); err != nil {
		return nil, err
	}
	if !listsAlgorithm(digests, s.signer.digest.id) {
		return nil, errMalformedSignature("the signer's digest algorithm is not among the announced ones")
	}
	return &s, nil
}

// readContent returns the content of an EncapsulatedContentInfo, nil when there is none.
func readContent(encap cryptobyte.String) ([]byte, error) {
	var id encoding.ObjectIdentifier
	var explicit, octets cryptobyte.String
	var attached bool
	if !encap.ReadASN1ObjectIdentifier(&id) || !encap.ReadOptionalASN1(&explicit, &attached, constructedTag(0)) || !encap.Empty() {
		return nil, errMalformedSignature("the CMS content is malformed")
	}
	if !id.Equal(oidData) {
		return nil, formats.NewError(formats.ReasonUnsupportedSignature,
			"the CMS signature is over another kind of content than plain data", "sign the file itself: openssl cms -sign -binary")
	}
	if !attached {
		return nil, nil
	}
	if !explicit.ReadASN1(&octets, asn1.OCTET_STRING) || !explicit.Empty() {
		return nil, errMalformedSignature("the CMS content is malformed")
	}
	return append([]byte{}, octets...), nil
}

// readCertificates returns the X.509 certificates and skips attribute certificates.
func readCertificates(in cryptobyte.String) ([]cryptobyte.String, error) {
	var out []cryptobyte.String
	for n := 0; !in.Empty(); n++ {
		if n == maxCertificates {
			return nil, formats.NewError(formats.ReasonTooLarge, "the signature carries more than 64 certificates",
				"include the signer's certificate and its issuers only")
		}
		var element cryptobyte.String
		var tag asn1.Tag
		if !in.ReadAnyASN1Element(&element, &tag) {
			return nil, errMalformedSignature("the certificates in the signature are malformed")
		}
		if tag == asn1.SEQUENCE {
			out = append(out, element)
		}
	}
	return out, nil
}

func listsAlgorithm(algorithms cryptobyte.String, id encoding.ObjectIdentifier) bool {
	for !algorithms.Empty() {
		a, ok := readAlgorithm(&algorithms)
		if !ok {
			return false
		}
		if a.id.Equal(id) {
			return true
		}
	}
	return false
}

func readAlgorithm(in *cryptobyte.String) (a algorithm, ok bool) {
	var body cryptobyte.String
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && body.ReadASN1ObjectIdentifier(&a.id)
	a.parameters = body
	return a, ok
}

// readOnlySigner returns the one SignerInfo and its unsigned attributes.
func readOnlySigner(signers cryptobyte.String) (signerInfo, cryptobyte.String, error) {
	var body cryptobyte.String
	if signers.Empty() {
		return signerInfo{}, nil, formats.NewError(formats.ReasonNoSignature, "the CMS value has no signer",
			"it may be a bundle of certificates; sign with: openssl cms -sign -binary")
	}
	if !signers.ReadASN1(&body, asn1.SEQUENCE) {
		return signerInfo{}, nil, errMalformedSignature("the signer's part of the signature is malformed")
	}
	if !signers.Empty() {
		return signerInfo{}, nil, formats.NewError(formats.ReasonMultipleSignatures, "the CMS value has more than one signer",
			"sign once per signer, and send each signature by itself")
	}
	return readSigner(body)
}

func readSigner(body cryptobyte.String) (s signerInfo, unsigned cryptobyte.String, err error) {
	bad := errMalformedSignature("the signer's part of the signature is malformed")
	var version int
	if !body.ReadASN1Integer(&version) {
		return signerInfo{}, nil, bad
	}
	if version != 1 && version != 3 {
		return signerInfo{}, nil, formats.NewError(formats.ReasonUnsupportedVersion, "this version of a CMS signer is unknown", hintSend)
	}
	ok := s.readID(&body)
	if !ok || (version == 3) != (s.keyID != nil) {
		return signerInfo{}, nil, bad
	}
	if s.digest, ok = readAlgorithm(&body); !ok {
		return signerInfo{}, nil, bad
	}
	var attributes, signature cryptobyte.String
	if body.PeekASN1Tag(constructedTag(0)) {
		if !body.ReadASN1Element(&attributes, constructedTag(0)) {
			return signerInfo{}, nil, bad
		}
		// What is signed is the DER of a SET OF, not of the [0] that stands for it (RFC 5652, 5.4).
		s.attributes = append([]byte{byte(asn1.SET)}, attributes[1:]...)
	}
	if s.algorithm, ok = readAlgorithm(&body); !ok || !body.ReadASN1(&signature, asn1.OCTET_STRING) ||
		!body.ReadOptionalASN1(&unsigned, nil, constructedTag(1)) || !body.Empty() {
		return signerInfo{}, nil, bad
	}
	s.signature = append([]byte{}, signature...)
	return s, unsigned, nil
}

// readID reads a SignerIdentifier.
func (s *signerInfo) readID(body *cryptobyte.String) bool {
	if body.PeekASN1Tag(primitiveTag(0)) {
		var id cryptobyte.String
		ok := body.ReadASN1(&id, primitiveTag(0)) && len(id) > 0
		s.keyID = append([]byte{}, id...)
		return ok
	}
	var pair, issuer cryptobyte.String
	s.serial = new(big.Int)
	ok := body.ReadASN1(&pair, asn1.SEQUENCE) && pair.ReadASN1Element(&issuer, asn1.SEQUENCE) &&
		pair.ReadASN1Integer(s.serial) && pair.Empty()
	s.issuer = append([]byte{}, issuer...)
	return ok
}
