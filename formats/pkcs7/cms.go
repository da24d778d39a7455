// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var (
	oidData       = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 1}
	oidSignedData = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
)

// maxCertificates bounds what one signature file may carry.
const maxCertificates = 64

// signedData is what is kept of a SignedData (RFC 5652, 5.1). Slices point into its DER.
type signedData struct {
	content      []byte // nil when detached
	certificates []cryptobyte.String
	signers      []signerInfo // at least one
	unsigned     unsigned
}

// unsigned is what nobody vouches for, as it stands in the signature, but for attributes of signers.
type unsigned struct {
	certificates, revocations cryptobyte.String
}

// algorithm is an AlgorithmIdentifier; parameters is empty when absent.
type algorithm struct {
	id         encoding.ObjectIdentifier
	parameters cryptobyte.String
}

func primitiveTag(n uint8) asn1.Tag   { return asn1.Tag(n).ContextSpecific() }
func constructedTag(n uint8) asn1.Tag { return primitiveTag(n).Constructed() }

// parseSignedData reads a ContentInfo. Errors have ReasonMalformedSignature,
// ReasonUnsupportedSignature, ReasonUnsupportedVersion, ReasonNoSignature or ReasonTooLarge, or are m's.
func parseSignedData(m *formats.Meter, der []byte) (*signedData, error) {
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
	return readSignedData(m, body)
}

func readSignedData(m *formats.Meter, body cryptobyte.String) (*signedData, error) {
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
	if s.signers, err = readSigners(m, signers); err != nil {
		return nil, err
	}
	announced, err := readAnnounced(m, digests)
	if err != nil {
		return nil, err
	}
	for _, info := range s.signers {
		if !announced[info.digest.id.String()] {
			return nil, errMalformedSignature("digestAlgorithms does not list " + nameAlgorithm(info.digest.id) + ", the digestAlgorithm of a signer")
		}
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

// readAnnounced returns the digest algorithms that a reader in one pass has to compute.
func readAnnounced(m *formats.Meter, in cryptobyte.String) (map[string]bool, error) {
	out := map[string]bool{}
	for !in.Empty() {
		if err := m.ChargeElements(1); err != nil {
			return nil, err
		}
		a, ok := readAlgorithm(&in)
		if !ok {
			return nil, errMalformedSignature("digestAlgorithms is malformed")
		}
		out[a.id.String()] = true
	}
	return out, nil
}

func readAlgorithm(in *cryptobyte.String) (a algorithm, ok bool) {
	var body cryptobyte.String
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && body.ReadASN1ObjectIdentifier(&a.id)
	a.parameters = body
	return a, ok
}
