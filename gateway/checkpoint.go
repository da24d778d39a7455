// SPDX-License-Identifier: Apache-2.0

package gateway

import "context"

// Checkpoints keeps the last verified checkpoint of each log, across restarts. Keys are
// checkpoint origins. Methods are durable when they return.
type Checkpoints interface {
	// Checkpoint returns the last kept, or nil when there is none.
	Checkpoint(ctx context.Context, origin string) (*Checkpoint, error)
	// KeepCheckpoint stores c if it is larger than the kept one.
	KeepCheckpoint(ctx context.Context, origin string, c Checkpoint) error
	// KeepFork stores two contradicting checkpoints for ever; Forked returns an error that is
	// ErrFork from then on.
	KeepFork(ctx context.Context, origin string, a, b Checkpoint) error
	// Forked returns nil, or an error that is ErrFork when a fork was kept.
	Forked(ctx context.Context, origin string) error
}

// Checkpoint is a verified checkpoint (C2SP tlog-checkpoint).
type Checkpoint struct {
	Size     uint64
	Root     [32]byte
	Envelope []byte // the signed note
}
