// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"encoding/binary"

	"golang.org/x/crypto/cryptobyte"
)

// Subpacket types that count outside the hashed area (RFC 9580, section 5.2.3.7).
const (
	subpacketIssuer            = 16
	subpacketEmbedded          = 32
	subpacketIssuerFingerprint = 33
)

// subpacketRevoker names a key that may revoke this one. It counts in the hashed area alone.
const subpacketRevoker = 12

// layout is a version 4 or 6 signature packet taken apart; the slices point into the input.
type layout struct {
	version  byte
	head     []byte // version, type, key algorithm, hash algorithm
	hashed   []byte
	unhashed []byte
	tail     []byte // hash tag, salt (version 6), signature values
}

// splitSignature takes the body of a signature packet apart (RFC 9580, section 5.2.3).
func splitSignature(body []byte) (l layout, ok bool) {
	s := cryptobyte.String(body)
	if !s.ReadBytes(&l.head, 4) {
		return l, false
	}
	l.version = l.head[0]
	if l.version != 4 && l.version != 6 {
		return l, false
	}
	if !readArea(&s, l.version, &l.hashed) || !readArea(&s, l.version, &l.unhashed) {
		return l, false
	}
	l.tail = s
	return l, true
}

func readArea(s *cryptobyte.String, version byte, out *[]byte) bool {
	if version == 4 {
		return s.ReadUint16LengthPrefixed((*cryptobyte.String)(out))
	}
	var n uint32
	return s.ReadUint32(&n) && n <= uint32(len(*s)) && s.ReadBytes(out, int(n))
}

// withUnhashed returns the packet body with another unhashed area.
func (l layout) withUnhashed(unhashed []byte) []byte {
	out := make([]byte, 0, len(l.head)+8+len(l.hashed)+len(unhashed)+len(l.tail))
	out = appendArea(append(out, l.head...), l.version, l.hashed)
	out = appendArea(out, l.version, unhashed)
	return append(out, l.tail...)
}

func appendArea(out []byte, version byte, area []byte) []byte {
	if version == 4 {
		out = binary.BigEndian.AppendUint16(out, uint16(len(area)))
	} else {
		out = binary.BigEndian.AppendUint32(out, uint32(len(area)))
	}
	return append(out, area...)
}

// encodeTrailer returns what is hashed after the document (RFC 9580, section 5.2.4).
func (l layout) encodeTrailer() []byte {
	out := appendArea(append([]byte(nil), l.head...), l.version, l.hashed)
	n := uint32(len(out))
	return binary.BigEndian.AppendUint32(append(out, l.version, 0xff), n)
}

// nextSubpacket returns the first subpacket of area: its type without the critical bit, its
// content, and both with the length as they stand.
func nextSubpacket(area []byte) (kind byte, content, whole, rest []byte, ok bool) {
	if len(area) == 0 {
		return 0, nil, nil, nil, false
	}
	n, size := int(area[0]), 1
	switch {
	case n < 192:
	case n < 255 && len(area) >= 2:
		n, size = (n-192)<<8+int(area[1])+192, 2
	case n == 255 && len(area) >= 5:
		long := binary.BigEndian.Uint32(area[1:5])
		if long > uint32(len(area)) {
			return 0, nil, nil, nil, false
		}
		n, size = int(long), 5
	default:
		return 0, nil, nil, nil, false
	}
	if n < 1 || size+n > len(area) {
		return 0, nil, nil, nil, false
	}
	return area[size] & 0x7f, area[size+1 : size+n], area[:size+n], area[size+n:], true
}

// hasSubpacket reports whether area holds a subpacket of that type.
func hasSubpacket(area []byte, want byte) bool {
	for {
		kind, _, _, rest, ok := nextSubpacket(area)
		if !ok || kind == want {
			return ok
		}
		area = rest
	}
}

// keepSubpackets returns the first subpacket of each of the wanted types, up to the first that is
// malformed: nothing else in an unhashed area is of use, and anybody can write there.
func keepSubpackets(area []byte, wanted ...byte) []byte {
	var out []byte
	for _, want := range wanted {
		for rest := area; ; {
			kind, _, whole, next, ok := nextSubpacket(rest)
			if !ok {
				break
			}
			if kind == want {
				out = append(out, whole...)
				break
			}
			rest = next
		}
	}
	return out
}
