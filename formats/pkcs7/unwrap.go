// SPDX-License-Identifier: Apache-2.0

package pkcs7

import (
	"bytes"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

const hintSend = "send the signature file as the tool wrote it"

func errMalformedSignature(message string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message, hintSend)
}

func errTrailingData() error {
	return formats.NewError(formats.ReasonTrailingData, "there are bytes after the end of the signature",
		"send the signature file alone, as the tool wrote it")
}

// passes is how often the bytes of a signature file are looked at: trimmed, split into lines, decoded, parsed.
const passes = 10

// container is a signature taken out of its wrapping.
type container struct {
	der  []byte
	kind string // "PEM", "DER", "BER", "S/MIME"
	// mime is the signed part of an S/MIME message as it stands there, nil when there is none.
	mime []byte
}

func unwrapSignature(m *formats.Meter, signature []byte) (container, error) {
	if err := m.ChargeBytes(passes * len(signature)); err != nil {
		return container{}, err
	}
	trimmed := bytes.TrimSpace(signature)
	switch {
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
		return unwrapPEM(m, trimmed)
	case len(signature) > 0 && signature[0] == 0x30:
		return unwrapBER(m, signature, "DER")
	case isMIME(trimmed[:min(len(trimmed), 4096)]):
		return unwrapMIME(m, trimmed)
	}
	return container{}, errMalformedSignature("this is no PKCS #7 signature in DER, PEM or S/MIME")
}

func unwrapPEM(m *formats.Meter, text []byte) (container, error) {
	block, rest, err := keyfile.Block(text)
	if err != nil {
		return container{}, errMalformedSignature("the PEM block is damaged")
	}
	if len(rest) > 0 {
		return container{}, errTrailingData()
	}
	if !slices.Contains(labels, block.Type) {
		return container{}, errMalformedSignature("the PEM block is labelled neither PKCS7 nor CMS nor SIGNED MESSAGE")
	}
	return unwrapBER(m, block.Bytes, "PEM")
}

func unwrapBER(m *formats.Meter, ber []byte, kind string) (container, error) {
	der, rest, ok, err := toDER(m, ber)
	if err != nil {
		return container{}, err
	}
	if !ok {
		return container{}, errMalformedSignature("the signature is neither DER nor BER of a supported kind")
	}
	if len(rest) > 0 {
		return container{}, errTrailingData()
	}
	if kind == "DER" && !bytes.Equal(der, ber) {
		kind = "BER"
	}
	return container{der: der, kind: kind}, nil
}
