// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// isTLS recognises what a TLS handshake signs: since version 1.3 a text and a transcript's hash, in version 1.2
// a server's key exchange or a client's whole transcript.
func isTLS(w *window) bool {
	return isCertificateVerify(w) || isServerKeyExchange(w) || isTranscript(w)
}

// contexts are those of RFC 8446 (4.4.3), RFC 9345 (section 4) and RFC 9261 (5.2.2).
var contexts = []string{
	"TLS 1.3, server CertificateVerify\x00", "TLS 1.3, client CertificateVerify\x00",
	"TLS, server delegated credentials\x00", "TLS, client delegated credentials\x00",
	"Exported Authenticator\x00",
}

func isCertificateVerify(w *window) bool {
	text, ok := strings.CutPrefix(string(w.head[:min(len(w.head), 128)]), strings.Repeat(" ", 64))
	return ok && slices.ContainsFunc(contexts, func(c string) bool { return strings.HasPrefix(text, c) })
}

// pointSizes are those of the named curves' points (RFC 8422, 5.4).
var pointSizes = map[uint16]int{0x17: 65, 0x18: 97, 0x19: 133, 0x1d: 32, 0x1e: 56}

const randoms = 64 // bytes of the client's and the server's random values

// isServerKeyExchange: the two random values, then a curve by its name and a point on it, or a group of numbers.
func isServerKeyExchange(w *window) bool { return isCurveExchange(w) || isGroupExchange(w) }

// isGroupExchange: prime, generator and public value, each after its length in two bytes (RFC 5246, 7.4.3). The
// lengths fit the size exactly.
func isGroupExchange(w *window) bool {
	if !w.complete() || len(w.head) < randoms {
		return false
	}
	var numbers [3]int // lengths in bytes
	rest := w.head[randoms:]
	for i := range numbers {
		if len(rest) < 2 {
			return false
		}
		numbers[i] = int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; numbers[i] == 0 || numbers[i] > len(rest) {
			return false
		}
		rest = rest[numbers[i]:]
	}
	const shortestPrime = 64
	return len(rest) == 0 && numbers[0] >= shortestPrime && numbers[1] <= numbers[0] && numbers[2] <= numbers[0]
}

func isCurveExchange(w *window) bool {
	const header, namedCurve = 4, 3
	if len(w.head) < randoms+header || w.head[randoms] != namedCurve {
		return false
	}
	n := pointSizes[binary.BigEndian.Uint16(w.head[randoms+1:])]
	return n > 0 && int(w.head[randoms+3]) == n && w.size == int64(randoms+header+n)
}

// isTranscript: a ClientHello and the beginning of a ServerHello, of TLS (RFC 5246, 7.4) or of DTLS, whose version
// numbers are complements (RFC 6347, 4.2.6).
func isTranscript(w *window) bool {
	const clientHello, serverHello = 1, 2
	for header, major := range map[int]byte{4: 3, 12: 0xfe} {
		rest, ok := takeHello(w.head, clientHello, header, major)
		if !ok {
			continue
		}
		if _, ok := readHello(rest, serverHello, header, major); ok {
			return true
		}
	}
	return false
}

// takeHello reads a whole message and returns what follows it.
func takeHello(b []byte, kind byte, header int, major byte) (rest []byte, ok bool) {
	length, ok := readHello(b, kind, header, major)
	if !ok || length < 2 || len(b) < header+length {
		return nil, false
	}
	return b[header+length:], true
}

// readHello reads the header of a message, whose length has no more than two bytes, and the first byte of its body, the
// version. DTLS has a number after the length, and the offset and length of a fragment: the whole.
func readHello(b []byte, kind byte, header int, major byte) (length int, ok bool) {
	if len(b) < header+2 || b[0] != kind || b[1] != 0 || b[header] != major {
		return 0, false
	}
	if header > 4 && (!bytes.Equal(b[6:9], []byte{0, 0, 0}) || !bytes.Equal(b[9:12], b[1:4])) {
		return 0, false
	}
	return int(binary.BigEndian.Uint16(b[2:])), true
}

// isCOSE recognises a Sig_structure or Countersign_structure (RFC 9052, 4.4; RFC 9338, 3.3): a CBOR array that starts
// with its context and a byte string.
func isCOSE(w *window) bool {
	if len(w.head) < 2 || w.head[0] < 0x84 || w.head[0] > 0x86 {
		return false
	}
	for _, context := range []string{"Signature", "Signature1", "CounterSignature", "CounterSignature0", "CounterSignatureV2", "CounterSignature0V2"} {
		text := append([]byte{0x60 + byte(len(context))}, context...)
		if rest, ok := bytes.CutPrefix(w.head[1:], text); ok && len(rest) > 0 && rest[0]>>5 == 2 {
			return true
		}
	}
	return false
}
