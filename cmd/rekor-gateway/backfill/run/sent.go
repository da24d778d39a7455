// SPDX-License-Identifier: Apache-2.0

package run

import "crypto/sha256"

// sentSignature is what a receipt is held against of a signature that was verified and sent, so that the signature need not be parsed
// again for that.
type sentSignature struct {
	content    [sha256.Size]byte   // SHA-256 of the signature file
	signers    [][sha256.Size]byte // SHA-256 of their SPKIs
	signatures int                 // in the file
	keyStamps  string              // of the item's own key files, by which it was verified
}

// maxSentSigners bounds what is kept of one that waits for the log.
const maxSentSigners = 16

// summarizeSent returns nil for a signature of too many signers: it is parsed again.
func (c *candidate) summarizeSent() *sentSignature {
	signers := c.listSigners()
	if len(signers) > maxSentSigners {
		return nil
	}
	return &sentSignature{sha256.Sum256(c.content), signers, c.countSignatures(), c.keyStamps}
}

// listSigners returns SHA-256 of the SPKI of each who has signed.
func (c *candidate) listSigners() (list [][sha256.Size]byte) {
	if c.sent != nil {
		return c.sent.signers
	}
	for _, s := range c.described.Signers {
		list = append(list, sha256.Sum256(s.SPKI))
	}
	return list
}

// countSignatures returns how many signatures the file holds.
func (c *candidate) countSignatures() int {
	if c.sent != nil {
		return c.sent.signatures
	}
	return len(c.described.Each())
}
