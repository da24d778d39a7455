// SPDX-License-Identifier: Apache-2.0

package formats

// Whole is a signature and its key in the one form in which Rekor v1 (1.5) records them as a rekord 0.0.1, whatever the form it is sent them
// in. It takes the artifact's bytes beside them, and records their SHA-256.
type Whole struct {
	Format    string // as that log names it: "minisign", "ssh"
	Signature []byte
	Key       []byte
}
