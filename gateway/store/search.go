// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// prefixSize is how much of a digest or signer the search indexes hold, in bytes. Two that share a
// prefix by chance are very rare; Matches compares the whole value, so that one made on purpose
// lists nothing.
const prefixSize = 16

// DigestPrefix returns what the search index of digests holds of d: the beginning of its binary
// form.
func DigestPrefix(d formats.Digest) ([]byte, error) {
	b, err := appendDigest(nil, d)
	if err != nil {
		return nil, err
	}
	return b[:prefixSize], nil
}

// SignerPrefix returns what the search index of signers holds of a signer.
func SignerPrefix(signer [sha256.Size]byte) []byte { return slices.Clone(signer[:prefixSize]) }

// Matches reports whether a submission has the artifact and the signer that p asks for.
func Matches(f *gateway.SubmissionFields, p gateway.ListParams) bool {
	return (p.Artifact == nil || slices.ContainsFunc(f.Digests, p.Artifact.Equal)) &&
		(p.Signer == nil || slices.ContainsFunc(f.Signatures, func(s gateway.RecordedSignature) bool {
			return slices.Contains(s.Signers, *p.Signer)
		}))
}
