// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bytes"
	"io"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// isSignedMessage reports whether content begins a PGP message that is signed and has what is signed inside of it, as gpg --sign makes them:
// neither signed apart nor in the clear. What is encrypted may be signed as well, and nobody can tell.
func isSignedMessage(content []byte) bool {
	text := bytes.TrimLeft(content, " \t\r\n")
	if !bytes.HasPrefix(text, []byte(beginMessage)) {
		return beginsSigned(content)
	}
	block, err := armor.Decode(bytes.NewReader(text))
	if err != nil {
		return false
	}
	packets, _ := io.ReadAll(io.LimitReader(block.Body, maxMessageHead)) // the head of a file ends anywhere
	return beginsSigned(packets)
}

// maxMessageHead is how many octets of a message are looked at.
const maxMessageHead = 1 << 10

// beginsSigned looks at the first packet, which may be compressed. What bzip2 has compressed cannot be looked into without most of it.
func beginsSigned(packets []byte) bool {
	packets = packets[:min(len(packets), maxMessageHead)]
	first, err := packet.Read(bytes.NewReader(packets))
	if err != nil { // it is no message
		return false
	}
	if compressed, ok := first.(*packet.Compressed); ok {
		if first, err = packet.Read(io.LimitReader(compressed.Body, maxMessageHead)); err != nil {
			return bytes.HasPrefix(packets[1:], []byte("\x03BZh"))
		}
	}
	_, signed := first.(*packet.OnePassSignature)
	return signed
}

// errSignedMessage refuses a message that has what is signed inside of it.
func errSignedMessage(name string) *formats.Error {
	return formats.NewError(formats.ReasonUnsupportedSignature, show(name)+" is a signed message that holds the file (gpg --sign), which is no signature beside a file",
		"take the file out of it with gpg --decrypt, and have its signer sign that: gpg --armor --detach-sign FILE; "+hintExclude)
}
