// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Packet types (RFC 9580, section 5).
const (
	tagSignature    = 2
	tagOnePass      = 4
	tagSecretKey    = 5
	tagPublicKey    = 6
	tagSecretSubkey = 7
	tagCompressed   = 8
	tagLiteral      = 11
	tagUserID       = 13
	tagPublicSubkey = 14
	tagAttribute    = 17
)

const maxSignaturePacket = 64 << 10

// rawPacket is a framed packet; body points into the input.
type rawPacket struct {
	tag  byte
	body []byte
}

// packetTag reads the type out of a packet's first octet (RFC 9580, section 4.2).
func packetTag(first byte) (tag byte, ok bool) {
	switch {
	case first&0x80 == 0:
		return 0, false
	case first&0x40 == 0:
		return first >> 2 & 0x0f, true
	default:
		return first & 0x3f, true
	}
}

// nextPacket frames the first packet of data. Lengths that leave the end open are for
// message data only and refused.
func nextPacket(data []byte) (p rawPacket, rest []byte, err error) {
	if len(data) < 2 {
		return p, nil, errCut()
	}
	tag, ok := packetTag(data[0])
	if !ok {
		return p, nil, errMalformedSignature("this is no PGP data", "send the file as the tool wrote it")
	}
	n, size := bodyLength(data)
	if n < 0 {
		return p, nil, errMalformedSignature("a PGP packet has no definite length", "send a detached signature")
	}
	if size == 0 || n > int64(len(data)-size) {
		return p, nil, errCut()
	}
	end := size + int(n)
	return rawPacket{tag: tag, body: data[size:end:end]}, data[end:], nil
}

func errCut() error {
	return errMalformedSignature("a PGP packet is cut short", "check that the whole file was sent")
}

// bodyLength returns the body's length and the header's size; a negative length is one of
// the open-ended kinds, a size of 0 a header that is cut short.
func bodyLength(data []byte) (n int64, size int) {
	if data[0]&0x40 == 0 {
		return oldLength(data)
	}
	switch l := data[1]; {
	case l < 192:
		return int64(l), 2
	case l < 224 && len(data) >= 3:
		return int64(l-192)<<8 + int64(data[2]) + 192, 3
	case l < 224:
		return 0, 0
	case l < 255:
		return -1, 0
	case len(data) < 6:
		return 0, 0
	default:
		return int64(binary.BigEndian.Uint32(data[2:6])), 6
	}
}

func oldLength(data []byte) (n int64, size int) {
	kind := data[0] & 3
	if kind == 3 {
		return -1, 0
	}
	octets := 1 << kind
	if len(data) < 1+octets {
		return 0, 0
	}
	for _, b := range data[1 : 1+octets] {
		n = n<<8 | int64(b)
	}
	return n, 1 + octets
}

// appendPacket appends body as a packet of type tag, always with a five-octet length.
func appendPacket(out []byte, tag byte, body []byte) []byte {
	out = append(out, 0xc0|tag, 0xff)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	return append(out, body...)
}

// readPacket has the library parse one packet, and refuses octets it left unread.
func readPacket(tag byte, body []byte) (packet.Packet, error) {
	header := appendPacket(nil, tag, nil)
	binary.BigEndian.PutUint32(header[2:], uint32(len(body)))
	content := bytes.NewReader(body)
	p, err := packet.Read(io.MultiReader(bytes.NewReader(header), content))
	if err != nil {
		return nil, err
	}
	if content.Len() != 0 {
		return nil, errMalformedSignature("a PGP packet holds more than it should", "check that the file is intact")
	}
	return p, nil
}
