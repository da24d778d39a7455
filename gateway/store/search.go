// SPDX-License-Identifier: Apache-2.0

package store

import (
	"crypto/sha256"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// prefixSize is how much of a hash the search indexes hold, in bytes. Nobody can make two values that
// share it; Matches compares the whole value all the same.
const prefixSize = 16

// DigestPrefix returns what the search index of digests holds of d: the beginning of a SHA-256 over its
// binary form, since a digest that is only named can be chosen to look like another.
func DigestPrefix(d formats.Digest) ([]byte, error) {
	b, err := appendDigest(nil, d)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b)
	return sum[:prefixSize], nil
}

// SignerPrefix returns what the search index of signers holds of a signer, which is a SHA-256 itself.
func SignerPrefix(signer [sha256.Size]byte) []byte { return slices.Clone(signer[:prefixSize]) }

// Matches reports whether a submission has the artifact and the signer that p asks for.
func Matches(f *gateway.SubmissionFields, p gateway.ListParams) bool {
	return (p.Artifact == nil || slices.ContainsFunc(f.Digests, p.Artifact.Equal)) &&
		(p.Signer == nil || slices.ContainsFunc(f.Signatures, func(s gateway.RecordedSignature) bool {
			return slices.Contains(s.Signers, *p.Signer)
		}))
}
