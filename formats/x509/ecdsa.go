// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"math/big"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// readECDSA logs a DER signature exactly as it was submitted, since stock clients rebuild
// the log's leaf from it, and r‖s (IEEE P1363) as DER.
func readECDSA(signature encoded, k keyfile.Key, pub *ecdsa.PublicKey) (*reading, error) {
	raw, kind, p, err := decodeECDSA(signature, pub)
	if err != nil {
		return nil, err
	}
	n := pub.Params().N
	if p.r.Sign() <= 0 || p.s.Sign() <= 0 || p.r.Cmp(n) >= 0 || p.s.Cmp(n) >= 0 {
		return nil, formats.NewError(formats.ReasonMalformedSignature, "the signature's numbers are out of the curve's range",
			"send the signature with the key that made it")
	}
	low := p
	if other := new(big.Int).Sub(n, p.s); other.Cmp(p.s) < 0 {
		low.s = other
	}
	return &reading{
		key: k, kind: kind, signature: raw, canonical: low.encodeDER(),
		scheme: formats.ECDSA, hashes: curveHashes(pub.Curve),
	}, nil
}

// curveHashes lists the hashes that are tried, the curve's own first. None is longer than the curve:
// ECDSA drops the end of a longer one, so that the signature would not bind the whole digest.
func curveHashes(c elliptic.Curve) []formats.DigestAlgorithm {
	switch c {
	case elliptic.P384():
		return []formats.DigestAlgorithm{formats.SHA384, formats.SHA256}
	case elliptic.P521():
		return []formats.DigestAlgorithm{formats.SHA512, formats.SHA256}
	default:
		return []formats.DigestAlgorithm{formats.SHA256}
	}
}

// decodeECDSA tries binary before base64 and hex, and DER before r‖s.
func decodeECDSA(signature encoded, pub *ecdsa.PublicKey) (der []byte, kind string, p point, err error) {
	for _, f := range signature.forms {
		if der, kind, p, ok := binaryECDSA(f.raw, pub); ok {
			if f.kind != "binary" {
				kind += ", " + f.kind
			}
			return der, kind, p, nil
		}
	}
	if _, rest, ok := parseDER(signature.forms[0].raw); ok && len(rest) > 0 {
		return nil, "", point{}, formats.NewError(formats.ReasonTrailingData, "there are bytes after the end of the signature",
			"send the signature file alone, as the tool wrote it")
	}
	return nil, "", point{}, formats.NewError(formats.ReasonMalformedSignature,
		"this is neither a DER nor an r‖s signature of the key's curve",
		"send the signature as the tool wrote it (binary, base64 or hex), with the key that made it")
}

func binaryECDSA(raw []byte, pub *ecdsa.PublicKey) (der []byte, kind string, p point, ok bool) {
	if p, rest, ok := parseDER(raw); ok && len(rest) == 0 {
		return append([]byte(nil), raw...), "DER", p, true
	}
	size := (pub.Params().BitSize + 7) / 8
	if len(raw) != 2*size {
		return nil, "", point{}, false
	}
	p = point{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])}
	return p.encodeDER(), "r‖s", p, true
}
