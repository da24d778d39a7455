// SPDX-License-Identifier: Apache-2.0

package gateway

import "crypto/sha256"

// Shard names one tree of a log for ever: the origin line of its checkpoints (C2SP
// tlog-checkpoint) and the key that signs them. A log that is set up anew under its old name, or
// rotates its key, is another shard: its checkpoints need not be consistent with the old one's.
// A Shard is comparable.
type Shard struct {
	Origin string
	// KeyID is the log's id in the trusted root: the key id of C2SP signed-note, SHA-256 over
	// origin and key, in full; signature lines show its first four bytes. Zero is a key that is
	// not known, in evidence that was stored before keys were.
	KeyID [sha256.Size]byte
}
