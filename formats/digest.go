// SPDX-License-Identifier: Apache-2.0

package formats

import (
	"crypto"
	_ "crypto/sha256" // registers crypto.SHA256
	_ "crypto/sha512" // registers crypto.SHA384 and crypto.SHA512
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"strings"

	_ "golang.org/x/crypto/blake2b" // registers crypto.BLAKE2b_512
)

// DigestAlgorithm names a hash as in "sha256:HEX".
type DigestAlgorithm string

// The digests a caller may give and a receipt may state.
const (
	SHA256     DigestAlgorithm = "sha256"
	SHA384     DigestAlgorithm = "sha384"
	SHA512     DigestAlgorithm = "sha512"
	BLAKE2b512 DigestAlgorithm = "blake2b-512"
)

var digestHashes = map[DigestAlgorithm]crypto.Hash{
	SHA256: crypto.SHA256, SHA384: crypto.SHA384, SHA512: crypto.SHA512, BLAKE2b512: crypto.BLAKE2b_512,
}

// Hash returns the crypto.Hash of a, or 0 for a name that is none of the constants.
func (a DigestAlgorithm) Hash() crypto.Hash { return digestHashes[a] }

// New returns a fresh hash. It panics for a name that is none of the constants.
func (a DigestAlgorithm) New() hash.Hash { return digestHashes[a].New() }

// AlgorithmOf returns the name of h, and false when h is none a caller may give.
func AlgorithmOf(h crypto.Hash) (DigestAlgorithm, bool) {
	for a, c := range digestHashes {
		if c == h {
			return a, true
		}
	}
	return "", false
}

// Digest is a hash value with its algorithm's name.
type Digest struct {
	Algorithm DigestAlgorithm
	Value     []byte
}

// String returns "sha256:HEX" in lower case.
func (d Digest) String() string {
	b := make([]byte, 0, 160) // on the stack, and enough for any algorithm
	return string(hex.AppendEncode(append(append(b, d.Algorithm...), ':'), d.Value))
}

// Equal reports whether d and o have the same algorithm and value.
func (d Digest) Equal(o Digest) bool {
	return d.Algorithm == o.Algorithm && slices.Equal(d.Value, o.Value)
}

// ParseDigest reads "sha256:HEX" (sha256, sha384, sha512 or blake2b-512; hex in either
// case, of exactly the algorithm's length). Errors have ReasonMalformedDigest.
func ParseDigest(s string) (Digest, error) {
	name, value, ok := strings.Cut(s, ":")
	h := DigestAlgorithm(name).Hash()
	if !ok || h == 0 {
		return Digest{}, NewError(ReasonMalformedDigest, "the digest does not start with a known algorithm",
			"write it as sha256:HEX (sha256, sha384, sha512 or blake2b-512)")
	}
	raw, err := hex.DecodeString(value)
	if err != nil || len(raw) != h.Size() {
		return Digest{}, NewError(ReasonMalformedDigest,
			fmt.Sprintf("a %s digest has %d hexadecimal digits", name, 2*h.Size()),
			DigestAlgorithm(name).Hint())
	}
	return Digest{Algorithm: DigestAlgorithm(name), Value: raw}, nil
}

// Evidence says how a digest came to be known.
type Evidence string

const (
	// EvidenceBytes: computed from the artifact's bytes by whoever verified.
	EvidenceBytes Evidence = "BYTES"
	// EvidenceDigest: given by the caller, and bound by the signature.
	EvidenceDigest Evidence = "DIGEST"
)

// ArtifactDigest is a digest of the artifact and how it came to be known.
type ArtifactDigest struct {
	Digest
	Evidence Evidence
}
