// SPDX-License-Identifier: Apache-2.0

package textlayer

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// DecodeBase64 decodes a text that is base64 as a whole: in the alphabet of RFC 4648 section 4 or of section 5
// ("base64url") but not in both, with or without padding, broken into lines or not. Bits left over must be zero.
func DecodeBase64(text []byte) ([]byte, bool) {
	if bytes.HasPrefix(text, []byte("-----")) { // an armor, in letters of the second alphabet
		return nil, false
	}
	n, url := 0, false
	for _, b := range text {
		switch classes[b] {
		case inBoth:
			n++
		case inURL:
			n, url = n+1, true
		case notBase64:
			return nil, false
		}
	}
	if n == 0 {
		return nil, false
	}
	packed := text
	if n < len(text) {
		packed = packBase64(text, n)
	}
	encoding := base64.StdEncoding
	if url {
		encoding = base64.URLEncoding
	}
	if packed[len(packed)-1] != '=' {
		encoding = encoding.WithPadding(base64.NoPadding)
	}
	out, err := encoding.Strict().AppendDecode(nil, packed)
	return out, err == nil && len(out) > 0
}

// packBase64 returns the n octets of text that are not between.
func packBase64(text []byte, n int) []byte {
	packed := make([]byte, 0, n)
	for _, b := range text {
		if classes[b] != between {
			packed = append(packed, b)
		}
	}
	return packed
}

// class says where an octet may stand: nowhere, in base64 of one or both alphabets, between.
type class byte

const (
	notBase64 class = iota
	inBoth          // or in the first alphabet, which the decoder sees to
	inURL
	between
)

var classes = func() (c [256]class) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") {
		c[b] = inBoth
	}
	c['-'], c['_'] = inURL, inURL
	for _, b := range []byte(blanks) {
		c[b] = between
	}
	return c
}()

// isBinaryFormat reports whether data is a whole file of a binary format that base64 may stand around. A raw
// signature is none, and neither is an ECDSA signature: those are read in base64 by their own format.
func isBinaryFormat(data []byte) bool {
	for _, start := range binaryStarts {
		if bytes.HasPrefix(data, []byte(start)) {
			return true
		}
	}
	return isDER(data) || isContentInfo(data) || isPGP(data)
}

// binaryStarts is how an SSHSIG blob and a gzip file begin.
var binaryStarts = []string{"SSHSIG\x00", "\x1f\x8b\x08"}

// contentTypes is the DER of the object identifiers of PKCS #7's content types but for their last arc.
const contentTypes = "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07"

// isContentInfo matches a CMS value, whose length may be indefinite.
func isContentInfo(ber []byte) bool {
	body, ok := skipHeader(ber)
	return ok && bytes.HasPrefix(body, []byte(contentTypes))
}

// maxECDSA is the longest ECDSA signature in DER, by a key on P-521.
const maxECDSA = 139

// isDER matches a key, a certificate or a CMS value: one SEQUENCE and nothing after it.
func isDER(data []byte) bool {
	in := cryptobyte.String(data)
	var body cryptobyte.String
	if !in.ReadASN1(&body, asn1.SEQUENCE) || !in.Empty() {
		return false
	}
	return len(data) > maxECDSA || body.PeekASN1Tag(asn1.SEQUENCE) || body.PeekASN1Tag(asn1.OBJECT_IDENTIFIER)
}

// Packet types of OpenPGP (RFC 9580, section 5).
const (
	tagSignature    = 2
	tagSecretKey    = 5
	tagPublicKey    = 6
	tagSecretSubkey = 7
)

// isPGP matches public keys, and signatures over documents, by the octets that take few values; there are packets to the end.
func isPGP(data []byte) bool {
	tag, body, rest, ok := cutPacket(data)
	if !ok || len(body) < 20 || !isPackets(rest) {
		return false
	}
	switch {
	case tag == tagPublicKey:
		return isKey(body)
	case tag == tagSignature && body[0] == 3:
		return body[1] == 5 && body[2] <= 1 && isAlgorithm(body[15]) && body[16] <= 14
	case tag == tagSignature:
		return isKeyVersion(body[0]) && body[1] <= 1 && isAlgorithm(body[2]) && body[3] <= 14
	}
	return false
}

// isPackets reports whether data is packets from its start to its end.
func isPackets(data []byte) bool {
	for len(data) > 0 {
		_, _, rest, ok := cutPacket(data)
		if !ok {
			return false
		}
		data = rest
	}
	return true
}

// isKey matches the body of a public or secret key's packet.
func isKey(body []byte) bool {
	at := 5 // the algorithm follows the time
	if body[0] == 3 {
		at = 7
	}
	return isKeyVersion(body[0]) && isAlgorithm(body[at])
}

// isAlgorithm matches the public-key algorithms of RFC 9580, section 9.1.
func isAlgorithm(b byte) bool {
	return b >= 1 && b <= 3 || b >= 16 && b <= 19 || b == 22 || b >= 25 && b <= 28
}

func isKeyVersion(b byte) bool { return b >= 3 && b <= 6 }

// cutPacket takes the first OpenPGP packet off data; one whose length is left open is none.
func cutPacket(data []byte) (tag byte, body, rest []byte, ok bool) {
	if len(data) < 2 || data[0]&0x80 == 0 {
		return 0, nil, nil, false
	}
	in := cryptobyte.String(data[1:])
	var length uint32
	if data[0]&0x40 == 0 {
		tag = data[0] >> 2 & 0x0f
		octets := []int{1, 2, 4, 0}[data[0]&3]
		var raw []byte
		if octets == 0 || !in.ReadBytes(&raw, octets) {
			return 0, nil, nil, false
		}
		length = binary.BigEndian.Uint32(append(make([]byte, 4-octets), raw...))
	} else if tag = data[0] & 0x3f; !readNewLength(&in, &length) {
		return 0, nil, nil, false
	}
	if uint64(length) > uint64(len(in)) {
		return 0, nil, nil, false
	}
	return tag, in[:length], in[length:], true
}

// readNewLength reads a length in OpenPGP's newer form (RFC 9580, section 4.2.1).
func readNewLength(in *cryptobyte.String, length *uint32) bool {
	var first, second uint8
	switch {
	case !in.ReadUint8(&first):
		return false
	case first < 192:
		*length = uint32(first)
		return true
	case first < 224:
		ok := in.ReadUint8(&second)
		*length = uint32(first-192)<<8 + uint32(second) + 192
		return ok
	case first == 255:
		return in.ReadUint32(length)
	}
	return false
}
