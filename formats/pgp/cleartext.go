// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

var cleartextBegin = []byte("-----BEGIN PGP SIGNED MESSAGE-----")

// cleartext is the text of a cleartext-signed file as it was signed: CRLF between lines, no blanks at
// their ends, without the line end before the armor (RFC 9580, section 7). gpg leaves the line end of the file's
// last line out, others sign it and write another one before the armor. The text as signed is the artifact
// unless a file is given beside it, which then is.
type cleartext struct{ signed []byte }

// splitCleartext parts a cleartext-signed file into its text and the signature's packets.
func splitCleartext(data []byte) (packets []byte, text *cleartext, err error) {
	if isNotDashEscaped(data) {
		return nil, nil, formats.NewError(formats.ReasonUnsupportedFeature,
			"the cleartext file is not dash-escaped (NotDashEscaped), a form that gpg alone reads and the standard does not have",
			"sign with gpg --clear-sign without --not-dash-escaped")
	}
	at := findLine(data, armorBegin(armorSignature))
	if at < 0 {
		return nil, nil, errMalformedSignature("the cleartext file has no signature", "send the whole file, to its END line")
	}
	packets, err = dearmorCleartext(data[at:])
	if err != nil {
		return nil, nil, err
	}
	block, rest := clearsign.Decode(data)
	if block == nil || len(trimLeft(rest)) > 0 {
		return nil, nil, errMalformedSignature("the cleartext file is damaged", "send the file as gpg --clear-sign wrote it")
	}
	return packets, &cleartext{signed: block.Bytes}, nil
}

// dearmorCleartext returns the packets of all who signed a text: they are in the one armor that follows it.
func dearmorCleartext(data []byte) ([]byte, error) {
	packets, rest, err := dearmorSignature(data)
	if err != nil {
		return nil, err
	}
	rest = trimLeft(rest)
	if bytes.HasPrefix(rest, armorBegin(armorSignature)) {
		return nil, formats.NewError(formats.ReasonMultipleSignatures, "there is another armor after that of the signed text",
			"sign the text once with all keys: gpg --local-user A --local-user B --clear-sign FILE")
	}
	return packets, refuseAfterArmor(rest)
}

// isNotDashEscaped looks for the header that gpg writes for --not-dash-escaped.
func isNotDashEscaped(data []byte) bool {
	_, data = cutLine(data)
	for len(data) > 0 {
		var line []byte
		if line, data = cutLine(data); len(line) == 0 {
			break
		}
		if bytes.HasPrefix(line, []byte("NotDashEscaped:")) {
			return true
		}
	}
	return false
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
// the same but for line ends and blanks at line ends. It may have one line end more, after the last line: that one
// belongs to the armor where a tool signs the text without it, as gpg does.
func (c *cleartext) matchesFile(file []byte) bool {
	text := canonicalText(file)
	return bytes.Equal(text, c.signed) || bytes.Equal(bytes.TrimSuffix(text, []byte("\r\n")), c.signed)
}

func canonicalText(file []byte) []byte {
	out := make([]byte, 0, len(file)+len(file)/32)
	first := true
	for line := range bytes.SplitSeq(file, []byte{'\n'}) {
		if !first {
			out = append(out, '\r', '\n')
		}
		first = false
		out = append(out, bytes.TrimRight(bytes.TrimSuffix(line, []byte{'\r'}), " \t")...)
	}
	return out
}
