// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// decodeBase64 reads standard base64 with padding; lines may be wrapped, bits left over must be zero.
func decodeBase64(text []byte) ([]byte, error) {
	return base64.StdEncoding.Strict().DecodeString(string(bytes.TrimSpace(text)))
}

// encoded is a signature as it came and, if that is base64, what it stands for; it is decoded once for all keys.
type encoded struct {
	binary  []byte
	decoded []byte // nil when the signature is not base64
}

func readEncoded(signature []byte) encoded {
	decoded, err := decodeBase64(signature)
	if err != nil {
		decoded = nil
	}
	return encoded{binary: signature, decoded: decoded}
}

// fixedLength returns the signature when it has n bytes, in binary or in base64.
func (s encoded) fixedLength(n int, kind string) (raw []byte, text bool, err error) {
	if len(s.binary) == n {
		return bytes.Clone(s.binary), false, nil
	}
	if s.decoded != nil && len(s.decoded) == n {
		return s.decoded, true, nil
	}
	return nil, false, formats.NewError(formats.ReasonMalformedSignature,
		fmt.Sprintf("a signature by this %s key has exactly %d bytes", kind, n),
		"send the signature as the tool wrote it (binary or base64), with the key that made it")
}

// point is an ECDSA signature.
type point struct{ r, s *big.Int }

// parseDER reads a strict DER Ecdsa-Sig-Value (RFC 3279, 2.2.3) and returns what comes after.
func parseDER(der []byte) (p point, rest []byte, ok bool) {
	in := cryptobyte.String(der)
	var body cryptobyte.String
	p = point{new(big.Int), new(big.Int)}
	ok = in.ReadASN1(&body, asn1.SEQUENCE) && body.ReadASN1Integer(p.r) && body.ReadASN1Integer(p.s) &&
		body.Empty() && p.r.Sign() > 0 && p.s.Sign() > 0
	return p, in, ok
}

// encodeDER encodes p as an Ecdsa-Sig-Value.
func (p point) encodeDER() []byte {
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(p.r)
		b.AddASN1BigInt(p.s)
	})
	return b.BytesOrPanic() // cannot fail: two integers of a bounded size
}

// Two integers of 22 bytes would be a forgery already; P-521 needs 139 bytes at most.
const (
	minECDSA = 50
	maxECDSA = 139
)

func isECDSA(der []byte) bool {
	if len(der) < minECDSA || len(der) > maxECDSA {
		return false
	}
	_, rest, ok := parseDER(der)
	return ok && len(rest) == 0
}
