// SPDX-License-Identifier: Apache-2.0

package x509

import (
	"crypto/ed25519"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/ed25519stream"
	"github.com/rekor-gateway/rekor-gateway/formats/keyfile"
)

// readEd25519 cannot tell Ed25519ph from pure Ed25519; Verify can.
func readEd25519(signature encoded, k keyfile.Key, pub ed25519.PublicKey) (*reading, error) {
	f, err := signature.fixedLength(ed25519.SignatureSize, "Ed25519")
	if err != nil {
		return nil, err
	}
	if _, err := ed25519stream.New(pub, f.raw); err != nil {
		return nil, formats.WrapError(err, formats.ReasonMalformedSignature, "the signature's numbers are out of the curve's range",
			"send the signature as the tool wrote it")
	}
	return &reading{
		key: k, kind: f.kind, signature: f.raw, canonical: f.raw,
		scheme: formats.Ed25519ph, hashes: []formats.DigestAlgorithm{formats.SHA512},
	}, nil
}
