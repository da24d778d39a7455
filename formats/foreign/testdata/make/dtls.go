// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"slices"
	"strings"
)

// dtlsClient wants what openssl s_client -msg prints of a handshake in which it signs, and its key. What is signed are
// all messages from the second ClientHello, the one with the cookie, to the CertificateVerify.
func dtlsClient(files ...string) signed {
	const header, clientHello, certificateVerify = 12, 1, 15
	var transcript []byte
	for _, m := range dtlsMessages(string(read(files[0]))) {
		switch m[0] {
		case clientHello:
			transcript = nil
		case certificateVerify:
			const algorithm, length = 2, 2
			return signed{transcript, m[header+algorithm+length:], readKey(files[1])}
		}
		transcript = slices.Concat(transcript, m)
	}
	panic("there is no CertificateVerify")
}

// dtlsMessages returns the handshake's messages: after a line with the record's type, lines of hexadecimal bytes.
func dtlsMessages(printed string) (messages [][]byte) {
	inside := false
	for line := range strings.Lines(printed) {
		b, err := hex.DecodeString(strings.Join(strings.Fields(line), ""))
		switch {
		case strings.HasPrefix(line, ">>>") || strings.HasPrefix(line, "<<<"):
			if inside = strings.Contains(line, "content_type=22"); inside {
				messages = append(messages, nil)
			}
		case inside && strings.HasPrefix(line, "    ") && err == nil:
			messages[len(messages)-1] = append(messages[len(messages)-1], b...)
		default:
			inside = false
		}
	}
	return messages
}
