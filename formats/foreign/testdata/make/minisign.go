// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
)

// minisign wants a signature file and a public key: two bytes of algorithm and eight of key id come before both.
func minisign(files ...string) signed {
	const header = 10
	lines, key := strings.Split(string(read(files[0])), "\n"), strings.Split(string(read(files[1])), "\n")
	decode := func(line string) []byte { return must(base64.StdEncoding.DecodeString(line)) }
	comment := strings.TrimPrefix(lines[2], "trusted comment: ")
	return signed{append(decode(lines[1])[header:], comment...), decode(lines[3]), ed25519.PublicKey(decode(key[1])[header:])}
}
