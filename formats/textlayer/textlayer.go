// SPDX-License-Identifier: Apache-2.0

// Package textlayer takes off what editors, shells, mail and build tools put around a signature or a
// key: a byte order mark, blank lines and blanks at either end, and one layer of base64. It says when a text is in UTF-16,
// and it recognises private keys, whatever they are wrapped in.
//
// It stands in front of every format. What is inside is still read by the format's own strict rules: nothing
// is taken off twice, and nothing but blanks is taken off an end.
package textlayer

import (
	"bytes"
	"errors"
	"unicode/utf8"
)

// Passes is how often the octets of an input are looked at by FindSecret and Unwrap together; base64 takes the most.
const Passes = 8

// ErrUTF16 is returned for a text in UTF-16, which PowerShell's > writes.
var ErrUTF16 = errors.New("the text is in UTF-16")

const blanks = " \t\r\n"

var byteOrderMark = []byte{0xef, 0xbb, 0xbf}

// Unwrap returns what data holds: without a byte order mark, without blanks and blank lines at either end, and
// without one layer of base64 around another text or around a binary format that names itself. Data that is
// no text is returned as it is. The result shares memory with data or is new; data is not changed.
//
// Two kinds of text keep their end: a JSON document, whose digest may be meant, and what follows a
// signify signature, which is signed. What is inside of base64 may begin and end with the same blanks.
func Unwrap(data []byte) ([]byte, error) {
	if _, ok := decodeUTF16(data); ok {
		return nil, ErrUTF16
	}
	text := trimText(data)
	inner, ok := DecodeBase64(text)
	if !ok {
		return text, nil
	}
	if _, ok := decodeUTF16(inner); ok {
		return nil, ErrUTF16
	}
	if isText(inner) || isBinaryFormat(inner) {
		return trimText(inner), nil
	}
	return text, nil
}

// trimText takes a byte order mark and blanks off a text.
func trimText(data []byte) []byte {
	text := bytes.TrimPrefix(data, byteOrderMark)
	if !isText(text) {
		return data
	}
	start := bytes.TrimLeft(text, blanks)
	switch {
	case bytes.HasPrefix(start, []byte("{")):
		return text
	case bytes.HasPrefix(start, []byte(signifyComment)):
		return start
	}
	return bytes.TrimRight(start, blanks)
}

const signifyComment = "untrusted comment:"

// textMarks begin texts that may hold anything further on.
var textMarks = []string{"-----BEGIN ", "---- BEGIN ", signifyComment}

// isText reports whether data is a text: it begins like one that is known, or has no control characters and is UTF-8 or
// nearly all ASCII. The shortest signature in binary, of 48 octets, passes for a text once in 10^20.
func isText(data []byte) bool {
	start := bytes.TrimLeft(bytes.TrimPrefix(data, byteOrderMark), blanks)
	for _, mark := range textMarks {
		if bytes.HasPrefix(start, []byte(mark)) {
			return true
		}
	}
	ascii := 0
	for _, b := range data {
		switch {
		case b < ' ' && b != '\t' && b != '\n' && b != '\r' && b != '\f' && b != '\v', b == 0x7f:
			return false
		case b < 0x80:
			ascii++
		}
	}
	return len(data) > 0 && (utf8.Valid(data) || ascii >= len(data)-len(data)/8)
}

// decodeUTF16 returns the text in UTF-8 when data is UTF-16, with a byte order mark or without. Formats are
// ASCII for the most part, which tells such a text from binary data.
func decodeUTF16(data []byte) (text []byte, ok bool) {
	if len(data) < 4 || len(data)%2 != 0 {
		return nil, false
	}
	little := data[1] == 0 && data[3] == 0 || data[0] == 0xff && data[1] == 0xfe
	big := data[0] == 0 && data[2] == 0 || data[0] == 0xfe && data[1] == 0xff
	if little == big {
		return nil, false
	}
	ascii := 0
	for i := 0; i < len(data); i += 2 {
		unit := rune(data[i]) | rune(data[i+1])<<8
		if big {
			unit = rune(data[i])<<8 | rune(data[i+1])
		}
		switch {
		case unit < ' ' && unit != '\t' && unit != '\n' && unit != '\r':
			return nil, false
		case unit < 0x80:
			ascii++
		}
		text = utf8.AppendRune(text, unit) // half of a pair becomes U+FFFD: only ASCII matters here
	}
	return bytes.TrimPrefix(text, byteOrderMark), ascii >= len(data)/4
}
