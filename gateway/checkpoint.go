// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"bytes"
	"context"
	"crypto/sha256"
)

// Checkpoints keeps the last verified checkpoint of each shard, and the evidence of forks,
// across restarts and for all processes that share the store. What a method changed is durable
// when it returns nil. Methods are safe for concurrent use.
type Checkpoints interface {
	// Checkpoint returns the one kept, or nil when there is none.
	Checkpoint(ctx context.Context, shard Shard) (*Checkpoint, error)

	// KeepCheckpoint stores c if what is kept is still old (nil: nothing), and returns what is
	// kept then: c, or the checkpoint of another process that was first. Checkpoints are
	// compared by Equal. The caller has proven that c extends old; the store judges neither
	// size nor signature. Who was not first proves c against the winner, and tries again.
	KeepCheckpoint(ctx context.Context, shard Shard, old *Checkpoint, c Checkpoint) (kept *Checkpoint, err error)

	// KeepFork stores the evidence for ever; the same two checkpoints are stored once.
	KeepFork(ctx context.Context, f Fork) error
	// Forked returns nil, or an error that is ErrFork when a fork of the shard is kept.
	Forked(ctx context.Context, shard Shard) error
	// Forks returns all evidence, in the order it was found.
	Forks(ctx context.Context) ([]Fork, error)
}

// Checkpoint is a verified checkpoint (C2SP tlog-checkpoint).
type Checkpoint struct {
	Size     uint64
	Root     [sha256.Size]byte
	Envelope []byte // the signed note
}

// Equal reports whether both are nil, or the same in size, root and envelope.
func (c *Checkpoint) Equal(other *Checkpoint) bool {
	if c == nil || other == nil {
		return c == other
	}
	return c.Size == other.Size && c.Root == other.Root && bytes.Equal(c.Envelope, other.Envelope)
}

// Fork is evidence that a log signed two histories. It stands alone: whoever has the log's key
// can check it, with no log and no tiles (tiles.VerifyFork).
type Fork struct {
	Shard
	// Small and Large are signed by the shard's key; Small is not of the larger size.
	Small, Large Checkpoint
	// PrefixRoot is the root that Large's tree has at Small.Size. It is not Small.Root. Zero is
	// not known, in evidence that was stored before it was kept.
	PrefixRoot [sha256.Size]byte
	// Consistency proves that (RFC 6962): hashes of 32 bytes that lead from PrefixRoot to
	// Large.Root. There are none when the sizes are equal: PrefixRoot is Large.Root then.
	Consistency [][]byte
}
