// SPDX-License-Identifier: Apache-2.0

package ssh

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	armorBegin = "-----BEGIN SSH SIGNATURE-----"
	armorEnd   = "-----END SSH SIGNATURE-----"

	// maxBlob is far above the largest signature, RSA-16384 with a certificate.
	maxBlob = 32 << 10
)

func errMalformedSignature(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message,
		"send the .sig file as ssh-keygen -Y sign wrote it")
}

func tooLarge() error {
	return formats.NewError(formats.ReasonTooLarge, "the signature is far larger than any SSH signature", "send the .sig file alone")
}

// decodeArmor returns the blob, which may also come as it is. encoding/pem would skip text
// before the armor and take headers in it; ssh-keygen ignores what comes after.
func decodeArmor(raw []byte) ([]byte, error) {
	bare := bytes.HasPrefix(raw, []byte(magic))
	body, ok := cutLine(string(raw[:min(len(raw), 2*maxBlob)]), armorBegin)
	if !bare && !ok {
		return nil, errMalformedSignature("the signature does not start with " + armorBegin)
	}
	if len(raw) > 2*maxBlob {
		return nil, tooLarge()
	}
	if bare {
		return bytes.Clone(raw), nil // the blob's parts are kept
	}
	text, tail, ok := strings.Cut(body, armorEnd)
	if !ok {
		return nil, errMalformedSignature("the signature does not end with " + armorEnd)
	}
	if err := checkTail(tail); err != nil {
		return nil, err
	}
	return decodeLines(text)
}

// cutLine removes a first line that is line, ended by LF or CRLF.
func cutLine(text, line string) (rest string, ok bool) {
	first, rest, ok := strings.Cut(text, "\n")
	return rest, ok && strings.TrimSuffix(first, "\r") == line
}

// checkTail lets nothing but blanks follow the armor.
func checkTail(tail string) error {
	switch {
	case strings.Trim(tail, " \t\r\n") == "":
		return nil
	case strings.Contains(tail, armorBegin):
		return formats.NewError(formats.ReasonMultipleSignatures, "there is more than one signature",
			"send one signature per submission")
	}
	return formats.NewError(formats.ReasonTrailingData, "there is data after "+armorEnd, "send the signature alone")
}

// decodeLines decodes base64 in lines of any width, none of them empty.
func decodeLines(text string) ([]byte, error) {
	var encoded strings.Builder
	for line := range strings.Lines(text) {
		content, ok := strings.CutSuffix(line, "\n")
		content = strings.TrimSuffix(content, "\r")
		if !ok || content == "" || strings.Contains(content, "\r") {
			return nil, errMalformedSignature("the armor holds an empty or broken line")
		}
		encoded.WriteString(content)
	}
	blob, err := base64.StdEncoding.Strict().DecodeString(encoded.String())
	if err != nil {
		return nil, errMalformedSignature("the armor does not hold base64")
	}
	return blob, nil
}
