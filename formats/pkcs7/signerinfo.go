// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// signerInfo is a SignerInfo (RFC 5652, 5.3). Slices point into its DER but where they are changed.
type signerInfo struct {
	issuer     []byte // a DER Name; nil when keyID identifies the signer
	serial     *big.Int
	keyID      []byte
	digest     algorithm
	attributes []byte // the DER SET that is signed, nil when there are none
	algorithm  algorithm
	signature  []byte
	unsigned   cryptobyte.String // attributes that nobody vouches for
}

// name is what nameBySerial or nameByKeyID call the signer's certificate.
func (s *signerInfo) name() string {
	if s.keyID != nil {
		return nameByKeyID(s.keyID)
	}
	return nameBySerial(s.issuer, s.serial)
}

// nameBySerial takes a DER Name, which tells its length, and so is no other pair's.
func nameBySerial(issuer []byte, serial *big.Int) string {
	return "serial:" + string(issuer) + serial.Text(62)
}

func nameByKeyID(id []byte) string { return "key:" + string(id) }

// readSigners reads the SET of SignerInfos.
func readSigners(m *formats.Meter, set cryptobyte.String) ([]signerInfo, error) {
	if set.Empty() {
		return nil, formats.NewError(formats.ReasonNoSignature, "the CMS value has no signer",
			"it may be a bundle of certificates; sign with: openssl cms -sign -binary")
	}
	var out []signerInfo
	for !set.Empty() {
		if len(out) == formats.MaxSignatures {
			return nil, formats.NewError(formats.ReasonTooLarge, "the CMS value has more than 64 signers",
				"send the signatures in several files")
		}
		var body cryptobyte.String
		if !set.ReadASN1(&body, asn1.SEQUENCE) {
			return nil, errMalformedSignature("a SignerInfo is malformed")
		}
		if err := m.ChargeElements(10); err != nil {
			return nil, err
		}
		info, err := readSigner(body)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

// errField names the field of a SignerInfo that is wrong, as RFC 5652 does.
func errField(name string) error {
	return errMalformedSignature("the signer's " + name + " is malformed")
}

func readSigner(body cryptobyte.String) (s signerInfo, err error) {
	var version int
	if !body.ReadASN1Integer(&version) {
		return signerInfo{}, errField("version")
	}
	if version != 1 && version != 3 {
		return signerInfo{}, formats.NewError(formats.ReasonUnsupportedVersion, "this version of a CMS signer is unknown", hintSend)
	}
	if !s.readID(&body) {
		return signerInfo{}, errField("sid")
	}
	if want := s.requiredVersion(); version != want {
		return signerInfo{}, errMalformedSignature(map[int]string{
			1: "the signer's version is 3, and has to be 1 where sid is issuer and serial number",
			3: "the signer's version is 1, and has to be 3 where sid is a subject key identifier",
		}[want])
	}
	var ok bool
	if s.digest, ok = readAlgorithm(&body); !ok {
		return signerInfo{}, errField("digestAlgorithm")
	}
	if body.PeekASN1Tag(constructedTag(0)) {
		var attributes cryptobyte.String
		if !body.ReadASN1Element(&attributes, constructedTag(0)) {
			return signerInfo{}, errField("signedAttrs")
		}
		// What is signed is the DER of a SET OF, not of the [0] that stands for it (RFC 5652, 5.4).
		s.attributes = append([]byte{byte(asn1.SET)}, attributes[1:]...)
	}
	return s, s.readSignature(&body)
}

// readSignature reads what follows the signed attributes.
func (s *signerInfo) readSignature(body *cryptobyte.String) error {
	var ok bool
	if s.algorithm, ok = readAlgorithm(body); !ok {
		return errField("signatureAlgorithm")
	}
	if !body.ReadASN1((*cryptobyte.String)(&s.signature), asn1.OCTET_STRING) {
		return errField("signature")
	}
	if !body.ReadOptionalASN1(&s.unsigned, nil, constructedTag(1)) || !body.Empty() {
		return errField("unsignedAttrs")
	}
	return nil
}

// requiredVersion follows from how the signer is identified (RFC 5652, 5.3).
func (s *signerInfo) requiredVersion() int {
	if s.keyID != nil {
		return 3
	}
	return 1
}

// readID reads a SignerIdentifier.
func (s *signerInfo) readID(body *cryptobyte.String) bool {
	if body.PeekASN1Tag(primitiveTag(0)) {
		return body.ReadASN1((*cryptobyte.String)(&s.keyID), primitiveTag(0)) && len(s.keyID) > 0
	}
	var pair cryptobyte.String
	s.serial = new(big.Int)
	return body.ReadASN1(&pair, asn1.SEQUENCE) && pair.ReadASN1Element((*cryptobyte.String)(&s.issuer), asn1.SEQUENCE) &&
		pair.ReadASN1Integer(s.serial) && pair.Empty()
}
