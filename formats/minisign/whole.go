// SPDX-License-Identifier: Apache-2.0

package minisign

import (
	"bytes"
	"encoding/base64"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// buildWhole returns the signature as Rekor v1 records it, or why it does not: the algorithm, key id and signature under a comment that is
// empty, without the trusted comment and the signature over that. The line has no end.
func (p *parsedSignature) buildWhole() (*formats.Whole, *formats.Error) {
	if p.content() != nil {
		return nil, formats.NewError(formats.ReasonNotProjectable, "Rekor v1 takes minisign and signify signatures that are apart from the file alone",
			"sign without the option -e or -z of signify")
	}
	raw := slices.Concat(p.sig.SignatureAlgorithm[:], p.sig.KeyId[:], p.sig.Signature.Signature[:])
	return &formats.Whole{
		Format:    name,
		Signature: []byte("untrusted comment:\n" + base64.StdEncoding.EncodeToString(raw)),
		Key:       bytes.TrimSuffix(marshalKey(p.key), []byte("\n")),
	}, nil
}
