// SPDX-License-Identifier: Apache-2.0

package pgp

import (
	"bytes"
	"encoding/base64"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// Armor kinds (RFC 9580, section 6.2).
const (
	armorSignature = "PGP SIGNATURE"
	armorMessage   = "PGP MESSAGE"
	armorPublic    = "PGP PUBLIC KEY BLOCK"
	armorPrivate   = "PGP PRIVATE KEY BLOCK"
)

func armorBegin(kind string) []byte { return []byte("-----BEGIN " + kind + "-----") }
func armorEnd(kind string) []byte   { return []byte("-----END " + kind + "-----") }

// cutLine returns data's first line without its end and surrounding blanks.
func cutLine(data []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(data, []byte{'\n'})
	return bytes.Trim(line, whitespace), rest
}

// dearmorSignatures returns the packets of the armors that data is, from its first octet to its last but blanks. Projects
// whose releases several people sign put their armored signatures one after the other.
func dearmorSignatures(data []byte) (packets []byte, err error) {
	for {
		more, rest, err := dearmorSignature(data)
		if err != nil {
			return nil, err
		}
		packets = append(packets, more...)
		data = trimLeft(rest)
		if !bytes.HasPrefix(data, armorBegin(armorSignature)) {
			return packets, refuseAfterArmor(data)
		}
	}
}

// dearmorSignature returns the packets of the armor that data starts with, and what follows it.
func dearmorSignature(data []byte) (packets, rest []byte, err error) {
	first, _ := cutLine(data)
	switch {
	case bytes.Equal(first, armorBegin(armorSignature)):
	case bytes.Equal(first, armorBegin(armorMessage)):
		// gpg --sign --armor, or a signature in the wrong armor: the packets tell.
		packets, rest, ok := decodeArmor(data, armorMessage)
		if !ok || len(packets) == 0 || len(trimLeft(rest)) > 0 {
			return nil, nil, errArmor()
		}
		tag, _ := packetTag(packets[0])
		return nil, nil, refuseTag(tag)
	case bytes.Equal(first, armorBegin(armorPrivate)):
		return nil, nil, errSecretKey()
	case bytes.Equal(first, armorBegin(armorPublic)):
		return nil, nil, refuseTag(tagPublicKey)
	default:
		return nil, nil, errArmor()
	}
	packets, rest, ok := decodeArmor(data, armorSignature)
	if !ok {
		return nil, nil, errArmor()
	}
	return packets, rest, nil
}

func refuseAfterArmor(rest []byte) error {
	switch {
	case len(rest) == 0:
		return nil
	case bytes.HasPrefix(rest, cleartextBegin):
		return formats.NewError(formats.ReasonMultipleSignatures, "there is more than one signed text", "send each by itself")
	}
	return formats.NewError(formats.ReasonTrailingData, "there is text after the signature",
		"send what is between the BEGIN and END lines, and those lines")
}

func errArmor() error {
	return errMalformedSignature("the armor is damaged", "send the file from its BEGIN line to its END line as the tool wrote it")
}

// decodeArmor decodes the armor that data starts with. Headers are ignored, and so is the checksum,
// as RFC 9580 section 6.1 asks.
func decodeArmor(data []byte, kind string) (packets, rest []byte, ok bool) {
	line, rest := cutLine(data)
	if !bytes.Equal(line, armorBegin(kind)) {
		return nil, nil, false
	}
	rest, ok = skipHeaders(rest)
	if !ok {
		return nil, nil, false
	}
	end := bytes.Index(rest, []byte("-----END "))
	if end < 0 {
		return nil, nil, false
	}
	packets, ok = decodeBody(rest[:end])
	line, rest = cutLine(rest[end:])
	return packets, rest, ok && bytes.Equal(line, armorEnd(kind))
}

// decodeBody decodes the base64 lines; one that starts with "=" is the checksum and the last.
func decodeBody(body []byte) ([]byte, bool) {
	text := make([]byte, 0, len(body))
	for len(body) > 0 {
		var line []byte
		line, body = cutLine(body)
		if len(line) > 0 && line[0] == '=' {
			break
		}
		text = append(text, line...)
	}
	packets, err := base64.StdEncoding.Strict().AppendDecode(nil, text)
	return packets, err == nil && len(bytes.TrimSpace(body)) == 0
}

// skipHeaders skips "Key: Value" lines up to the blank line that ends them.
func skipHeaders(data []byte) (rest []byte, ok bool) {
	for len(data) > 0 {
		var line []byte
		line, data = cutLine(data)
		if len(line) == 0 {
			return data, true
		}
		if !bytes.Contains(line, []byte(":")) {
			return nil, false
		}
	}
	return nil, false
}
