// SPDX-License-Identifier: Apache-2.0

// Package pgp verifies OpenPGP signatures (RFC 9580, and RFC 4880 before it): detached,
// armored or binary, over a binary or a text document, and cleartext-signed files.
//
// Packet contents and the signatures inside a key are read and checked by
// ProtonMail/go-crypto. In front of it stand small strict parsers of ours: it skips what it
// does not know, reads past garbage, and takes any kind of signature for a document's. The
// signature over the document itself is checked with the standard library, as a log will.
package pgp

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const name = "pgp"

type format struct{}

var _ formats.Format = format{}

// New returns the OpenPGP format, called "pgp". Keys are public keys as "gpg --export" writes
// them, armored or binary, any number in one file.
func New() formats.Format { return format{} }

func (format) Name() string { return name }

// Detect recognises any PGP armor, so that a key or a signed message sent by mistake gets
// a PGP answer, and a binary signature packet.
func (format) Detect(signature []byte) bool {
	if bytes.HasPrefix(trimLeft(signature), []byte("-----BEGIN PGP ")) {
		return true
	}
	p, _, err := nextPacket(signature)
	return err == nil && p.tag == tagSignature && plausibleSignature(p.body)
}

// plausibleSignature looks at the octets that take few values, and at the lengths within.
func plausibleSignature(body []byte) bool {
	if len(body) > v3FixedLen && body[0] == 3 {
		return body[1] == v3HashedLen && isPlausible(body[2], body[15], body[16])
	}
	l, ok := splitSignature(body)
	return ok && len(l.tail) > 2 && isPlausible(l.head[1], l.head[2], l.head[3])
}

func isPlausible(kind, algo, hash byte) bool { return kind <= 0x50 && algo <= 34 && hash <= 14 }

// Parse implements [formats.Format].
func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := formats.CheckSizes(signature, keys); err != nil {
		return nil, err
	}
	if err := refuseSecretKeys(m, keys); err != nil {
		return nil, err
	}
	parsed, err := parseSubmission(m, signature, keys, p)
	if err != nil {
		return nil, err
	}
	return parsed, nil
}

// hintWork is for submitters whose keys take too much work.
// hintSplit is for files of packets: a signed text cannot be taken apart.
const hintSplit = "take the file apart and send each signature: gpg --dearmor < FILE.asc | gpgsplit (a binary file: gpgsplit FILE)"

const hintWork = "send the signer's key alone: gpg --armor --export-options export-minimal --export KEYID"

// passes is how often the octets of a signature file are looked at: found, decoded, split into lines,
// by the library once more.
const passes = 8

func parseSubmission(m *formats.Meter, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	if err := m.ChargeBytes(passes * len(signature)); err != nil {
		return nil, err
	}
	packets, text, err := unwrapSignature(signature)
	if err != nil {
		return nil, err
	}
	bodies, err := splitSignatures(m, packets)
	if err != nil {
		return nil, err
	}
	return parseSignatures(m, bodies, text, keys, p)
}

// unwrapSignature returns the packets in signature and, for a cleartext-signed file, the text.
func unwrapSignature(signature []byte) (packets []byte, text *cleartext, err error) {
	trimmed := trimLeft(signature)
	switch {
	case bytes.HasPrefix(trimmed, cleartextBegin):
		return splitCleartext(trimmed)
	case bytes.HasPrefix(trimmed, []byte("-----BEGIN ")):
		packets, err = dearmorSignatures(trimmed)
		return packets, nil, err
	case bytes.Contains(signature, armorBegin(armorSignature)):
		return nil, nil, errMalformedSignature("there is text before the signature", "send it from its first line on: sed -n '/^-----BEGIN/,$p' FILE")
	}
	return signature, nil, nil
}

// splitSignatures returns the bodies of the signature packets in data, which holds nothing else.
func splitSignatures(m *formats.Meter, data []byte) (bodies [][]byte, err error) {
	if len(data) == 0 {
		return nil, errMalformedSignature("the armor is empty", "send the signature file's content")
	}
	if tag, ok := packetTag(data[0]); !ok {
		return nil, errMalformedSignature("this is no PGP data", "send the .asc or .sig file")
	} else if tag != tagSignature {
		return nil, refuseTag(tag)
	}
	for len(data) > 0 {
		if tag, ok := packetTag(data[0]); !ok || tag != tagSignature {
			return nil, formats.NewError(formats.ReasonTrailingData, "there is data after the signature", "send the signature file's content alone")
		}
		if err := m.ChargeElements(1); err != nil {
			return nil, err
		}
		var p rawPacket
		if p, data, err = nextPacket(data); err != nil {
			return nil, err
		}
		if err := checkPacket(p.body, len(bodies)); err != nil {
			return nil, err
		}
		bodies = append(bodies, bytes.Clone(p.body))
	}
	return bodies, nil
}

// checkPacket bounds a signature packet, and how many there may be before it.
func checkPacket(body []byte, before int) error {
	switch {
	case len(body) > maxSignaturePacket:
		return formats.NewError(formats.ReasonTooLarge, "the signature packet is larger than 64 KiB", "send a detached signature")
	case before == formats.MaxSignatures:
		return formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("there are more than %d signatures", formats.MaxSignatures),
			hintSplit)
	}
	return nil
}

// refuseTag explains what was sent instead of a detached signature.
func refuseTag(tag byte) error {
	const detach = "sign with: gpg --detach-sign FILE"
	switch tag {
	case tagOnePass, tagCompressed, tagLiteral:
		return formats.NewError(formats.ReasonUnsupportedSignature,
			"this is a signed message that holds the artifact, not a detached signature", detach)
	case tagSecretKey, tagSecretSubkey:
		return errSecretKey()
	case tagPublicKey, tagPublicSubkey:
		return errMalformedSignature("this is a public key, not a signature", "send it as the key, beside a signature")
	case 1, 3, 9, 18, 20:
		return errMalformedSignature("this is an encrypted message", detach)
	}
	return errMalformedSignature("this PGP data does not start with a signature", detach)
}

func errMalformedSignature(message, hint string) error {
	return formats.NewError(formats.ReasonMalformedSignature, message, hint)
}

func trimLeft(b []byte) []byte { return bytes.TrimLeft(b, whitespace) }

const whitespace = " \t\r\n"

// upperHex is how fingerprints are shown.
func upperHex(b []byte) string {
	const digits = "0123456789ABCDEF"
	var s strings.Builder
	for _, c := range b {
		s.WriteByte(digits[c>>4])
		s.WriteByte(digits[c&15])
	}
	return s.String()
}
