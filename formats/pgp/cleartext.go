// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
)

var cleartextBegin = []byte("-----BEGIN PGP SIGNED MESSAGE-----")

// cleartext is the text of a cleartext-signed file as it was signed: CRLF between lines, no
// blanks at their ends, nothing after the last (RFC 9580, section 7).
type cleartext struct{ signed []byte }

// splitCleartext parts a cleartext-signed file into its text and the signature's packets.
func splitCleartext(data []byte) (packets []byte, text *cleartext, err error) {
	at := findLine(data, armorBegin(armorSignature))
	if at < 0 {
		return nil, nil, errMalformedSignature("the cleartext file has no signature", "send the whole file, to its END line")
	}
	packets, err = dearmorSignature(data[at:])
	if err != nil {
		return nil, nil, err
	}
	block, rest := clearsign.Decode(data)
	if block == nil || len(trimLeft(rest)) > 0 {
		return nil, nil, errMalformedSignature("the cleartext file is damaged", "send the file as gpg --clear-sign wrote it")
	}
	return packets, &cleartext{signed: block.Bytes}, nil
}

// findLine returns where the first line equal to want starts, or -1.
func findLine(data, want []byte) int {
	for at := 0; at < len(data); {
		line, rest, found := bytes.Cut(data[at:], []byte{'\n'})
		if bytes.Equal(bytes.TrimSuffix(line, []byte{'\r'}), want) {
			return at
		}
		if !found {
			break
		}
		at = len(data) - len(rest)
	}
	return -1
}

// matchesFile reports whether the file given beside the signature has the text that was signed:
// the same but for line ends, blanks at line ends and one line end after the last line.
func (c *cleartext) matchesFile(file []byte) bool {
	return bytes.Equal(canonicalText(file), c.signed)
}

func canonicalText(file []byte) []byte {
	out := make([]byte, 0, len(file)+len(file)/32)
	first := true
	for line := range bytes.SplitSeq(bytes.TrimSuffix(file, []byte{'\n'}), []byte{'\n'}) {
		if !first {
			out = append(out, '\r', '\n')
		}
		first = false
		out = append(out, bytes.TrimRight(bytes.TrimSuffix(line, []byte{'\r'}), " \t")...)
	}
	return out
}
