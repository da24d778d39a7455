// SPDX-License-Identifier: Apache-2.0

package formats

// HintHistorical ends the hints about what a historical policy lets pass: signers cannot sign an old release again,
// and callers cannot choose the policy.
const HintHistorical = "; for an old release ask the gateway's operator: only policy.historical lets it pass"

// hintsOfDigests are the tools that print a file's digest.
var hintsOfDigests = map[DigestAlgorithm]string{
	SHA256: "sha256sum", SHA384: "sha384sum", SHA512: "sha512sum", BLAKE2b512: "b2sum",
}

// Hint says how to print a file's digest of this kind.
func (a DigestAlgorithm) Hint() string {
	if tool := hintsOfDigests[a]; tool != "" {
		return "print it with: " + tool + " FILE"
	}
	return "send the artifact itself"
}
