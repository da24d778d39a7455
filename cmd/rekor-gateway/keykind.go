// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// keyKind is what a file looks like by how it begins. It decides nothing: it words what is wrong with a key
// file that a format cannot use.
type keyKind struct {
	name    string
	formats []string // whose keys such files are; none for files that are no keys
}

// keyKinds are looked through in order: what a file begins with, after white space.
var keyKinds = []struct {
	begins string
	keyKind
}{
	{"-----BEGIN PGP PUBLIC KEY BLOCK-----", keyKind{"a PGP public key", []string{"pgp"}}},
	{"-----BEGIN PGP SIGNATURE-----", keyKind{"a PGP signature", nil}},
	{"-----BEGIN PGP SIGNED MESSAGE-----", keyKind{"a signed PGP message", nil}},
	{"-----BEGIN SSH SIGNATURE-----", keyKind{"an SSH signature", nil}},
	{"-----BEGIN CERTIFICATE-----", keyKind{"an X.509 certificate", []string{"x509", "pkcs7"}}},
	{"-----BEGIN PUBLIC KEY-----", keyKind{"a public key in PEM", []string{"x509", "pkcs7"}}},
	{"-----BEGIN RSA PUBLIC KEY-----", keyKind{"an RSA public key in PEM", []string{"x509", "pkcs7"}}},
	{"-----BEGIN PKCS7-----", keyKind{"a PKCS#7 file", nil}},
	{"-----BEGIN CMS-----", keyKind{"a CMS file", nil}},
	{"ssh-", keyKind{"an SSH public key", []string{"ssh"}}},
	{"ecdsa-sha2-", keyKind{"an SSH public key", []string{"ssh"}}},
	{"sk-", keyKind{"an SSH public key", []string{"ssh"}}},
	{"\x99", keyKind{"a PGP public key", []string{"pgp"}}},
	{"\x98", keyKind{"a PGP public key", []string{"pgp"}}},
	{"\xc6", keyKind{"a PGP public key", []string{"pgp"}}},
}

// detectKeyKind returns what file looks like; nothing is known of it when the name is empty.
func detectKeyKind(file []byte) keyKind {
	text := bytes.TrimLeft(file, " \t\r\n")
	for _, k := range keyKinds {
		if bytes.HasPrefix(text, []byte(k.begins)) {
			return k.keyKind
		}
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	switch {
	case bytes.HasPrefix(text, []byte("untrusted comment:")) && bytes.Contains(first, []byte("signature")):
		return keyKind{"a minisign signature", nil}
	case bytes.HasPrefix(text, []byte("untrusted comment:")):
		return keyKind{"a minisign public key", []string{"minisign"}}
	case bytes.HasPrefix(text, []byte("{")):
		return detectJSON(text)
	}
	return keyKind{}
}

// detectJSON is for TUF's roots, and for the files of this program that are taken for keys.
func detectJSON(text []byte) keyKind {
	var head struct {
		MediaType string          `json:"mediaType"`
		Signed    json.RawMessage `json:"signed"`
	}
	if json.Unmarshal(text, &head) != nil {
		return keyKind{}
	}
	switch {
	case len(head.Signed) > 0:
		return keyKind{"TUF metadata", []string{"tuf"}}
	case head.MediaType == receipt.MediaType:
		return keyKind{"a receipt", nil}
	case strings.HasPrefix(head.MediaType, "application/vnd.dev.sigstore.trustedroot"):
		return keyKind{"a Sigstore trusted root, which --trusted-root takes", nil}
	case head.MediaType == trustroot.GatewayMediaType:
		return keyKind{"a gateway's trust file, which --gateway-trust takes", nil}
	}
	return keyKind{"JSON", []string{"tuf"}}
}

// keyReasons are what formats say of a key file that they cannot use.
var keyReasons = []formats.Reason{
	formats.ReasonMalformedKey, formats.ReasonMissingKey, formats.ReasonKeyMismatch, formats.ReasonUnsupportedAlgorithm, formats.ReasonSecretKey,
}

// blameKeyFile tells a wrong key file from a signature that does not verify: a signature is not forged because
// somebody named the wrong file. It only words err, which stays an error.
func (f *verifyFlags) blameKeyFile(err error, r *receiptpb.Receipt, keys [][]byte) error {
	cause := findKeyRefusal(err)
	if cause == nil || len(keys) == 0 {
		return err
	}
	format := r.GetSignature().GetFormat()
	for i, raw := range keys {
		if s, ok := textlayer.FindSecret(raw); ok {
			return formats.NewError(formats.ReasonMalformedKey, fmt.Sprintf("%s is %s", f.keys[i], s.Kind), // err would say that it was sent
				"name the public key in its place: "+s.Public+"; nothing is known to be wrong with the receipt")
		}
		if kind := detectKeyKind(raw); kind.name != "" && !slices.Contains(kind.formats, format) {
			return formats.WrapError(err, formats.ReasonMalformedKey,
				fmt.Sprintf("%s is %s, and the signature is of the format %.20s", f.keys[i], kind.name, format),
				"name the signer's "+keyFileOf(format)+" with --key, and no file beside it: each that is named must have signed; nothing is known to be wrong with the receipt")
		}
	}
	if cause.Reason == formats.ReasonMalformedKey {
		return formats.WrapError(err, cause.Reason, cause.Message, cause.Hint)
	}
	return err
}

// findKeyRefusal returns what a format said of a key in the chain of err, or nil.
func findKeyRefusal(err error) *formats.Error {
	for ; err != nil; err = errors.Unwrap(err) {
		if refusal, ok := err.(*formats.Error); ok && slices.Contains(keyReasons, refusal.Reason) { //nolint:errorlint // each of the chain is looked at
			return refusal
		}
	}
	return nil
}

// keyFileOf says in words what a format's key file is.
func keyFileOf(format string) string {
	switch format {
	case "pgp":
		return "PGP public key (gpg --armor --export KEYID)"
	case "ssh":
		return "SSH public key (.pub) or allowed_signers file"
	case "minisign":
		return "minisign or signify public key (.pub)"
	case "tuf":
		return "TUF root metadata (root.json)"
	case "x509", "pkcs7":
		return "certificate or public key (PEM or DER)"
	}
	return "public key"
}
