// SPDX-License-Identifier: Apache-2.0

// Package pkcs7 reads PKCS #7 and CMS signatures (RFC 2315, RFC 5652), as "openssl cms -sign",
// "openssl smime -sign" and "gpgsm --detach-sign" write them: DER, BER with indefinite
// lengths, PEM, and S/MIME messages; detached or with the content inside; with signed
// attributes or without; CAdES.
//
// What this package decides where the standards leave room:
//
//   - Content of type "data", nothing unknown. DER but for indefinite lengths and octet strings in pieces, which streaming
//     writers make.
//   - Several signers: each has to verify, by one reading of the content, and each is a part of the result. One broken
//     signature refuses the file. With Policy.KnownOnly those that none of the keys made are named and not checked.
//   - signatureAlgorithm may name the key alone; then digestAlgorithm says the hash. Beyond that each field has to be what RFC 5652
//     says, and a refusal names the one that is not.
//   - With signed attributes the signature covers them, and they hold the content's digest: the
//     signature is checked by Parse, and a digest of the content is enough for Verify. Without,
//     the bytes are needed, since they could be the attributes stripped from another signature.
//   - OpenSSL signs text with line ends as CRLF unless told -binary. A detached artifact without NUL
//     bytes whose CRLF form is what was signed is accepted, and the check "crlf-line-ends" says so.
//     (With NUL bytes OpenSSL drops what follows them in a line: that signs no file.)
//   - An S/MIME message carries its artifact: the signed part as it was signed, its own header
//     fields included. Bytes sent beside it may also be the text alone, with either line ends.
//   - The signer's certificate is found by issuer and serial number or by key identifier, among
//     those inside and those sent as keys. It is no more than the key it holds unless the
//     policy has roots.
package pkcs7

import (
	"bytes"
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

const (
	name = "pkcs7"

	hintWork = "include the signer's certificate and its issuers only: openssl cms -sign -binary"
)

type format struct{}

var _ formats.Format = format{}

// New returns the format "pkcs7".
func New() formats.Format { return format{} }

// Name returns "pkcs7".
func (format) Name() string { return name }

// contentTypes is the DER of the object identifiers of RFC 5652's content types but for
// their last arc: 1.2.840.113549.1.7.
var contentTypes = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07}

// labels of PEM blocks: OpenSSL's two, and that of gpgsm, which Git uses.
var labels = []string{"PKCS7", "CMS", "SIGNED MESSAGE"}

// Detect claims PEM blocks of a label for CMS, DER and BER that start as a ContentInfo,
// and messages with a media type of S/MIME.
func (format) Detect(signature []byte) bool {
	head := bytes.TrimLeft(signature[:min(len(signature), 4096)], " \t\r\n")
	for _, label := range labels {
		if bytes.HasPrefix(head, []byte("-----BEGIN "+label+"-----")) {
			return true
		}
	}
	return isContentInfo(signature) || isMIME(head)
}

// isContentInfo: a SEQUENCE, its length however long, and a content type.
func isContentInfo(b []byte) bool {
	if len(b) < 2 || b[0] != 0x30 {
		return false
	}
	at := 2
	if b[1] > 0x80 {
		at += int(b[1] & 0x7f)
	}
	return at < len(b) && bytes.HasPrefix(b[at:], contentTypes)
}

// Parse implements formats.Format. Keys are certificates, which may be missing from the
// signature, or bare public keys, which only narrow down who may have signed.
func (format) Parse(ctx context.Context, signature []byte, keys [][]byte, p formats.Policy) (formats.Parsed, error) {
	m, err := formats.StartWork(ctx, hintWork)
	if err != nil {
		return nil, err
	}
	if err := formats.CheckSizes(signature, keys); err != nil {
		return nil, err
	}
	given, err := readKeys(m, keys, p)
	if err != nil {
		return nil, err
	}
	c, err := unwrapSignature(m, signature)
	if err != nil {
		return nil, err
	}
	s, err := interpretContainer(m, c)
	if err != nil {
		return nil, err
	}
	if err := s.identifySigners(m, given, p); err != nil {
		return nil, err
	}
	if err := s.checkSignatures(m); err != nil {
		return nil, err
	}
	return s, nil
}
