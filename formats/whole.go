// SPDX-License-Identifier: Apache-2.0

package formats

// Whole is a signature and its key in the one form in which Rekor v1 (1.5) records them in an entry of its own kind for the format, whatever the
// form it is sent them in: a rekord 0.0.1 with the SHA-256 of the artifact, whose bytes it takes beside them, or a tuf 0.0.1, which has the
// metadata and its root themselves.
type Whole struct {
	Format    string // as that log names it: "minisign", "pgp", "ssh", "tuf"
	Signature []byte // of TUF the metadata
	Key       []byte // of TUF the root that names the signers

	// Embedded: what is signed is in Signature, and no artifact is sent with it.
	Embedded bool
	// SpecVersion is that of a TUF root: "1.0.31".
	SpecVersion string
}
