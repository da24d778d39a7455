// SPDX-License-Identifier: Apache-2.0

package textlayer

import "bytes"

// IsSecret reports whether data is a private key from its first line on. FindSecret also looks at what stands further
// down; a script or a manual may name the first line of a private key and is none.
func IsSecret(data []byte) (Secret, bool) {
	if text, ok := decodeUTF16(data); ok {
		data = text
	}
	if inner, ok := DecodeBase64(data); ok {
		if s, ok := isPlain(inner); ok {
			return s, true
		}
	}
	return isPlain(data)
}

func isPlain(data []byte) (Secret, bool) {
	data = bytes.TrimLeft(bytes.TrimPrefix(data, byteOrderMark), blanks)
	for _, find := range []func([]byte) (Secret, bool){findStart, findFirstJSON, findBinary} {
		if s, ok := find(data); ok {
			return s, true
		}
	}
	line := firstLine(data)
	if s, ok := findLine(line); ok {
		return s, true
	}
	if isPreface(line) {
		return findPEM(data)
	}
	if bytes.HasPrefix(line, []byte("----")) {
		return findPEM(line)
	}
	return Secret{}, false
}

// isPreface reports whether a file of private keys may begin with line: a curve's or DSA's parameters, OpenSSL's lines of
// a PKCS #12 file, and its words for a key.
func isPreface(line []byte) bool {
	for _, start := range []string{"-----BEGIN EC PARAMETERS-----", "-----BEGIN DSA PARAMETERS-----", "Bag Attributes"} {
		if bytes.HasPrefix(line, []byte(start)) {
			return true
		}
	}
	before, _, found := bytes.Cut(line, []byte("Private-Key:"))
	return found && len(before) <= len("ED25519 ")
}

// firstLine returns the first line that is not blank and no comment.
func firstLine(data []byte) []byte {
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte{'\n'})
		line = bytes.Trim(line, blanks)
		if len(line) > 0 && line[0] != '#' && !bytes.HasPrefix(line, []byte(signifyComment)) && !bytes.HasPrefix(line, []byte("Created:")) {
			return line
		}
		data = rest
	}
	return nil
}
