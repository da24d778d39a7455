// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// isOpenPGP recognises a file and the trailer of an OpenPGP signature (RFC 9580, 5.2.4): version, type,
// algorithms and the hashed subpackets with their length, then version, FF and the length of all that. The two
// lengths must agree. Of a version 6 trailer with more than 64 KiB of hashed subpackets nothing is known.
func isOpenPGP(w *window) bool { return isTrailer4(w) || isTrailer5(w) || isTrailer6(w) }

func isTrailer4(w *window) bool {
	end, ok := w.last(6)
	if !ok || end[0] != 4 || end[1] != 0xff {
		return false
	}
	n := int64(binary.BigEndian.Uint32(end[2:]))
	hashed, ok := beforeEnd(w, n, 6)
	return ok && n >= 6 && hashed[0] == 4 && int64(binary.BigEndian.Uint16(hashed[4:])) == n-6
}

func isTrailer6(w *window) bool {
	end, ok := w.last(6)
	if !ok || end[0] != 6 || end[1] != 0xff {
		return false
	}
	n := int64(binary.BigEndian.Uint32(end[2:]))
	hashed, ok := beforeEnd(w, n, 6)
	return ok && n >= 8 && hashed[0] == 6 && int64(binary.BigEndian.Uint32(hashed[4:])) == n-8
}

// isTrailer5 recognises what GnuPG and others make of version 5, which never became a standard: the end has a length
// of eight bytes, and a document's trailer has the format, name and date of a literal packet before it.
// Whether the length counts these depends on who made it.
func isTrailer5(w *window) bool {
	const endSize, fixed = 10, 6
	end, ok := w.last(endSize)
	if !ok || end[0] != 5 || end[1] != 0xff {
		return false
	}
	length := binary.BigEndian.Uint64(end[2:])
	if length < fixed || length > tailSize {
		return false
	}
	n := int64(length)
	for extra := int64(0); extra <= fixed+255; extra++ {
		if extra > 0 && extra < fixed {
			continue
		}
		for _, counted := range []int64{n, n - extra} { // without the literal's fields
			hashed, ok := beforeEnd(w, counted+extra, endSize)
			if !ok || counted < fixed || hashed[0] != 5 || int64(binary.BigEndian.Uint16(hashed[4:])) != counted-fixed {
				continue
			}
			if extra == 0 || int64(hashed[counted+1]) == extra-fixed { // the length of the name
				return true
			}
		}
	}
	return false
}

// beforeEnd returns the n bytes before the last end ones, of which there are at least eight.
func beforeEnd(w *window, n int64, end int) ([]byte, bool) {
	if n < 6 || n > tailSize {
		return nil, false
	}
	b, ok := w.last(int(n) + end)
	return b, ok && len(b) >= 8
}

// A version 3 signature's trailer is its type and its time, five bytes without a length: one in 500 binary
// files ends like that by chance. So it is recognised only after a file that says itself where it ends, and
// excluded where an artifact ends otherwise.
const trailer3 = 5

// earliest is January 1991, before the first release of PGP, as the first byte of a time.
const earliest = 0x27

func endsAsV3(w *window) bool {
	end, ok := w.last(trailer3)
	return ok && (end[0] == 0 || end[0] == 1) && end[1] >= earliest
}

func isOpenPGPv3(w *window) bool {
	if !endsAsV3(w) {
		return false
	}
	inner := *w
	inner.size -= trailer3
	inner.tail = w.tail[:len(w.tail)-trailer3]
	inner.head = w.head[:min(int64(len(w.head)), inner.size)]
	return inner.isText() || inner.isTar() || inner.isZip() || inner.isXZ() || inner.isRPMHeader()
}

// excludesOpenPGPv3 looks at the other types, too (RFC 4880, 5.2.1): a file ends like one of them more often.
func excludesOpenPGPv3(w *window) bool {
	end, ok := w.last(trailer3)
	return !ok || end[1] < earliest || !w.maySign(end[0])
}

// maySign reports whether the artifact starts like what a signature of the type is over (RFC 4880, 5.2.4).
func (w *window) maySign(signatureType byte) bool {
	const key, signature = 0x99, 0x88 // the octets that are hashed before one
	switch t := signatureType; {
	case t == 0x50: // of another signature
		return w.head[0] == signature
	case t >= 0x10 && t <= 0x13, t >= 0x18 && t <= 0x20, t == 0x28, t == 0x30: // of keys
		return w.head[0] == key
	default: // of a file, of nothing, of a time
		return t <= 0x03 || t == 0x40
	}
}

// isText: lines of text as far as can be seen, such as repository metadata or a list of checksums.
func (w *window) isText() bool {
	const shortest = 16
	return w.size >= shortest && bytes.HasSuffix(w.tail, []byte("\n")) && (utf8.Valid(w.head) || !w.complete()) &&
		bytes.IndexFunc(w.head, isControl) < 0 && bytes.IndexFunc(w.tail, isControl) < 0
}

func isControl(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' }

// isTar: an archive of whole blocks that ends with two of zeros (POSIX.1, pax, "ustar Interchange Format").
func (w *window) isTar() bool {
	const block, magicAt = 512, 257
	end, ok := w.last(2 * block)
	return ok && w.size%block == 0 && len(w.head) > magicAt+5 && string(w.head[magicAt:magicAt+5]) == "ustar" &&
		bytes.Count(end, []byte{0}) == len(end)
}

// isZip: the end of central directory record without a comment (APPNOTE.TXT, 4.3.16).
func (w *window) isZip() bool {
	const size = 22
	end, ok := w.last(size)
	return ok && bytes.HasPrefix(end, []byte("PK\x05\x06")) && bytes.HasSuffix(end, []byte{0, 0})
}

// isXZ: the magic bytes of its header and its footer (xz-file-format, 2.1.1 and 2.1.2).
func (w *window) isXZ() bool {
	return bytes.HasPrefix(w.head, []byte("\xfd7zXZ\x00")) && bytes.HasSuffix(w.tail, []byte("YZ"))
}

// isRPMHeader: the header alone, which is what a package's own signature is over; its intro has the number of
// index entries and the size of the data.
func (w *window) isRPMHeader() bool {
	const intro, entry = 16, 16
	if len(w.head) < intro || !bytes.HasPrefix(w.head, []byte("\x8e\xad\xe8\x01")) {
		return false
	}
	entries, data := binary.BigEndian.Uint32(w.head[8:]), binary.BigEndian.Uint32(w.head[12:])
	return w.size == intro+entry*int64(entries)+int64(data)
}
