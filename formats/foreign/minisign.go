// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"filippo.io/edwards25519"
)

const (
	ed25519Size = 64
	// longestComment is the size of minisign's line buffer; a longer trusted comment is not read.
	longestComment = 8192
	// shortestComment is what makes a random file of the same size unlikely.
	shortestComment = 4
)

// isMinisign recognises what minisign's global signature is over: an Ed25519 signature and the trusted comment after it,
// a line of text without its end (minisign's "Signature format"). A signature is a point and a scalar below the
// group's order: one in 32 random values is.
func isMinisign(w *window) bool {
	comment, ok := w.afterSignature()
	return ok && len(comment) >= shortestComment && utf8.Valid(comment) && bytes.IndexFunc(comment, isUnprintable) < 0
}

// excludesMinisign: with a comment of few bytes or none a signature looks like any file, and minisign signs comments in
// other encodings than UTF-8.
func excludesMinisign(w *window) bool {
	comment, ok := w.afterSignature()
	return !ok || bytes.ContainsAny(comment, "\x00\n\r")
}

// afterSignature returns what follows an Ed25519 signature at the beginning of a short artifact.
func (w *window) afterSignature() (rest []byte, ok bool) {
	if w.size < ed25519Size || w.size > ed25519Size+longestComment {
		return nil, false
	}
	signature := w.head[:ed25519Size]
	return w.head[ed25519Size:], !isLines(signature) && looksRandom(signature) && isEd25519(signature)
}

// isLines reports whether b is text, of which the last byte can make it look like a small scalar.
func isLines(b []byte) bool { return utf8.Valid(b) && bytes.IndexFunc(b, isControl) < 0 }

// looksRandom tells a signature from structured data: 64 random bytes have 57 values, and one in 2^35 has fewer than 40.
func looksRandom(signature []byte) bool {
	const leastValues = 40
	values := map[byte]bool{}
	for _, b := range signature {
		values[b] = true
	}
	return len(values) >= leastValues
}

func isEd25519(signature []byte) bool {
	const point = 32
	_, badPoint := new(edwards25519.Point).SetBytes(signature[:point])
	_, badScalar := edwards25519.NewScalar().SetCanonicalBytes(signature[point:])
	return badPoint == nil && badScalar == nil
}

func isUnprintable(r rune) bool { return r != '\t' && unicode.IsControl(r) }
