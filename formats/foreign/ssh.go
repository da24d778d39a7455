// SPDX-License-Identifier: Apache-2.0

package foreign

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"regexp"
)

// isSSHSIG recognises a blob by PROTOCOL.sshsig, whose namespace is shorter than 16 MiB, and what a security
// key signs for one: SHA-256 of its application, flags, counter and SHA-256 of the blob (PROTOCOL.u2f).
func isSSHSIG(w *window) bool {
	application := sha256.Sum256([]byte("ssh:"))
	return bytes.HasPrefix(w.head, []byte("SSHSIG\x00")) ||
		w.size == securityKeySize && bytes.HasPrefix(w.head, application[:])
}

const securityKeySize = sha256.Size + 1 + 4 + sha256.Size

// excludesSecurityKey: an application is any text (ssh-keygen -O application), so of what a security key signs only the
// size and the flags are known: user present, user verified, and a backup's two (WebAuthn, 6.1). The data is the same for a
// blob, a log-in and a certificate.
func excludesSecurityKey(w *window) bool {
	const flags = 0x01 | 0x04 | 0x08 | 0x10
	return w.size != securityKeySize || w.head[sha256.Size]&^flags != 0
}

// takeString reads a string with its length (RFC 4251, section 5) and returns what follows it.
func takeString(b []byte) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := int64(binary.BigEndian.Uint32(b))
	if b = b[4:]; n > int64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// isUserAuth recognises what a client signs to log in (RFC 4252, section 7; RFC 4252, section 9, for hosts).
func isUserAuth(w *window) bool {
	const longestSession, request = 64, 50
	session, b, ok := takeString(w.head)
	if !ok || len(session) > longestSession || len(b) == 0 || b[0] != request {
		return false
	}
	b = b[1:]
	var method []byte
	for range 3 { // user, service, method
		if method, b, ok = takeString(b); !ok {
			return false
		}
	}
	return bytes.HasPrefix(method, []byte("publickey")) || string(method) == "hostbased"
}

var certificateType = regexp.MustCompile(`^[a-z0-9-]+-cert-v0[0-9]@openssh\.com$`)

// isSSHCertificate recognises a certificate by PROTOCOL.certkeys, signed or still to be signed.
func isSSHCertificate(w *window) bool {
	const longestType = 64
	kind, _, ok := takeString(w.head[:min(len(w.head), longestType+4)])
	return ok && certificateType.Match(kind)
}
