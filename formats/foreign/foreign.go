// SPDX-License-Identifier: Apache-2.0

// Package foreign recognises bytes that another signature protocol signs. A signature made
// for that protocol must not become "this key signed this artifact".
package foreign

import (
	"bytes"
	encoding "encoding/asn1"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// prefixSize is how many bytes of an artifact are looked at. The attributes of a CMS
// signature take some hundred; messageDigest comes early, as DER sorts a set by length.
const prefixSize = 64 << 10

var (
	sshsig        = []byte("SSHSIG")
	messageDigest = encoding.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 4}
)

// Sniffer looks at the first 64 KiB of what is written to it. It keeps them only while they
// may be a foreign protocol's.
type Sniffer struct {
	prefix []byte
	done   bool
}

// Write never fails.
func (s *Sniffer) Write(p []byte) (int, error) {
	if s.done || len(p) == 0 {
		return len(p), nil
	}
	s.prefix = append(s.prefix, p[:min(len(p), prefixSize-len(s.prefix))]...)
	if n := min(len(s.prefix), len(sshsig)); !bytes.Equal(s.prefix[:n], sshsig[:n]) && s.prefix[0] != 0x31 {
		s.prefix = nil
		s.done = true
	}
	s.done = s.done || len(s.prefix) == prefixSize
	return len(p), nil
}

// Err returns a refusal with ReasonProtocolConfusion when what was written starts as an
// SSHSIG blob (PROTOCOL.sshsig) or as CMS signed attributes (RFC 5652, 5.4).
func (s *Sniffer) Err() error {
	if bytes.HasPrefix(s.prefix, sshsig) {
		return errConfusion("the artifact is what an SSH signature signs, not a file",
			"send the SSH signature itself: format=ssh")
	}
	if IsAttributes(s.prefix) {
		return errConfusion("the artifact is the signed attributes of a CMS signature, not a file",
			"send the CMS signature itself: format=pkcs7")
	}
	return nil
}

func errConfusion(message, hint string) error {
	return formats.NewError(formats.ReasonProtocolConfusion, message, hint)
}

// IsAttributes reports whether b, which may be cut short, starts as a SET OF Attribute
// that has a messageDigest.
func IsAttributes(b []byte) bool {
	in := cryptobyte.String(b)
	body := setBody(in)
	for {
		var attribute cryptobyte.String
		var id encoding.ObjectIdentifier
		if !body.ReadASN1(&attribute, asn1.SEQUENCE) || !attribute.ReadASN1ObjectIdentifier(&id) {
			return false
		}
		if id.Equal(messageDigest) {
			return true
		}
	}
}

// setBody returns what follows the tag and length of a SET, however much of it there is.
// Lengths are read as laxly as BER allows: a signature was made over the bytes as they are.
func setBody(b cryptobyte.String) cryptobyte.String {
	var tag, length uint8
	if !b.ReadUint8(&tag) || tag != 0x31 || !b.ReadUint8(&length) {
		return nil
	}
	if length > 0x80 && !b.Skip(int(length&0x7f)) {
		return nil
	}
	return b
}
