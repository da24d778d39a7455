// SPDX-License-Identifier: Apache-2.0

package keyfile

import (
	"bytes"
	"crypto"
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// PSS is what an RSA key of the kind id-RSASSA-PSS (RFC 4055, 3.1) is restricted to: signatures by RSA-PSS, with
// the hash and no less salt than its parameters say.
type PSS struct {
	Hash crypto.Hash // 0 when the key has no parameters
	Salt int         // in bytes, at least
	spki []byte      // as it was written
}

// CheckRSA refuses a signature that the key is not for: by PKCS #1 v1.5 (pss is false), or by RSA-PSS with another
// hash or too short a salt. Errors have ReasonKeyNotValid.
func (k Key) CheckRSA(pss bool, h crypto.Hash, salt int) error {
	switch p := k.PSS; {
	case p == nil:
		return nil
	case !pss:
		return formats.NewError(formats.ReasonKeyNotValid, "the key is for RSA-PSS signatures alone", "sign with RSA-PSS, or with another key")
	case p.Hash != 0 && (h != p.Hash || salt < p.Salt):
		return formats.NewError(formats.ReasonKeyNotValid, "the key is for RSA-PSS signatures with "+p.Hash.String()+" and a longer salt alone",
			"sign with the hash and the salt that the key names")
	}
	return nil
}

var oidMGF1 = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 8}

// pssHashes are the hashes that a key may be restricted to.
var pssHashes = map[string]crypto.Hash{
	"2.16.840.1.101.3.4.2.1": crypto.SHA256, "2.16.840.1.101.3.4.2.2": crypto.SHA384, "2.16.840.1.101.3.4.2.3": crypto.SHA512,
}

// readPSS returns nil for keys of other kinds. Errors have ReasonUnsupportedAlgorithm.
func readPSS(spki []byte) (*PSS, error) {
	in := cryptobyte.String(spki)
	var body, alg, params cryptobyte.String
	var id encoding.ObjectIdentifier
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !body.ReadASN1(&alg, asn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidRSAPSS) {
		return nil, nil
	}
	p := &PSS{spki: bytes.Clone(spki)}
	if alg.Empty() {
		return p, nil
	}
	if !alg.ReadASN1(&params, asn1.SEQUENCE) || !alg.Empty() || !p.readParameters(params) {
		return nil, errUnsupportedKey("the RSA-PSS key has parameters that are not supported")
	}
	return p, nil
}

// readParameters wants one hash of SHA-2 stated twice, as every tool writes it; the defaults are SHA-1.
func (p *PSS) readParameters(in cryptobyte.String) bool {
	var hash, mask, mgf cryptobyte.String
	var id encoding.ObjectIdentifier
	context := func(n uint8) asn1.Tag { return asn1.Tag(n).ContextSpecific().Constructed() }
	if !in.ReadASN1(&hash, context(0)) || !in.ReadASN1(&mask, context(1)) || !mask.ReadASN1(&mgf, asn1.SEQUENCE) || !mask.Empty() ||
		!mgf.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidMGF1) {
		return false
	}
	one, two := readPSSHash(hash), readPSSHash(mgf)
	trailer := 1
	p.Hash, p.Salt = one, 20
	return one != 0 && one == two && in.ReadOptionalASN1Integer(&p.Salt, context(2), 20) &&
		in.ReadOptionalASN1Integer(&trailer, context(3), 1) && in.Empty() && trailer == 1 && p.Salt >= 0
}

func readPSSHash(in cryptobyte.String) crypto.Hash {
	var alg cryptobyte.String
	var id encoding.ObjectIdentifier
	if !in.ReadASN1(&alg, asn1.SEQUENCE) || !in.Empty() || !alg.ReadASN1ObjectIdentifier(&id) ||
		!alg.Empty() && !bytes.Equal(alg, encoding.NullBytes) {
		return 0
	}
	return pssHashes[id.String()]
}
