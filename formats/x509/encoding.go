// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/big"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// encoded is a signature as it came and what it may stand for, decoded once for all keys.
type encoded struct {
	forms []form // the binary one first
}

// form is one way to read a signature file.
type form struct {
	kind string // "binary", "base64", "hex"
	raw  []byte
}

func readEncoded(signature []byte) encoded {
	e := encoded{forms: []form{{"binary", signature}}}
	if len(signature) > maxRaw {
		return e
	}
	if raw, ok := textlayer.DecodeBase64(signature); ok {
		e.forms = append(e.forms, form{"base64", raw})
	}
	if raw, ok := decodeHex(signature); ok {
		e.forms = append(e.forms, form{"hex", raw})
	}
	return e
}

// decodeHex decodes a text that is hex as a whole, with blanks anywhere.
func decodeHex(text []byte) ([]byte, bool) {
	if bytes.ContainsFunc(text[:min(len(text), 8)], func(r rune) bool { return r < utf8.RuneSelf && !isHexOrSpace(r) }) { // as a rule
		return nil, false
	}
	raw, err := hex.DecodeString(string(bytes.Join(bytes.Fields(text), nil)))
	return raw, err == nil && len(raw) > 0
}

func isHexOrSpace(r rune) bool {
	return unicode.IsSpace(r) || '0' <= r && r <= '9' || 'a' <= r && r <= 'f' || 'A' <= r && r <= 'F'
}

// findLength returns the form that has n bytes.
func (e encoded) findLength(n int) (form, bool) {
	for _, f := range e.forms {
		if len(f.raw) == n {
			return f, true
		}
	}
	return form{}, false
}

// fixedLength returns the signature when it has n bytes in one of its forms.
func (e encoded) fixedLength(n int, kind string) (form, error) {
	if f, ok := e.findLength(n); ok {
		f.raw = bytes.Clone(f.raw)
		return f, nil
	}
	return form{}, formats.NewError(formats.ReasonMalformedSignature,
		fmt.Sprintf("a signature by this %s key has exactly %d bytes", kind, n),
		"send the signature as the tool wrote it (binary, base64 or hex), with the key that made it")
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
