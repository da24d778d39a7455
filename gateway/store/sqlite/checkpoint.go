// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	selectCheckpoint = `SELECT size, root, envelope FROM checkpoint WHERE origin = ?`

	keepCheckpoint = `
INSERT INTO checkpoint (origin, size, root, envelope) VALUES (?, ?, ?, ?)
ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, envelope = excluded.envelope
WHERE excluded.size > checkpoint.size`

	keepFork = `
INSERT INTO fork (origin, found_at, a_size, a_root, a_envelope, b_size, b_root, b_envelope)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	selectFork = `SELECT a_size, b_size FROM fork WHERE origin = ? ORDER BY rowid LIMIT 1`
)

// Checkpoint implements gateway.Checkpoints.
func (s *Store) Checkpoint(ctx context.Context, origin string) (*gateway.Checkpoint, error) {
	var c *gateway.Checkpoint
	err := s.read(ctx, "reading checkpoint", func(t *tx) error {
		var size int64
		var root, envelope []byte
		err := t.QueryRow(selectCheckpoint, origin).Scan(&size, &root, &envelope)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		c = &gateway.Checkpoint{Size: uint64(size), Envelope: envelope}
		copy(c.Root[:], root)
		return nil
	})
	return c, err
}

// KeepCheckpoint implements gateway.Checkpoints. Size is compared as the row is written,
// so that of concurrent calls, in whatever order, the largest stays.
func (s *Store) KeepCheckpoint(ctx context.Context, origin string, c gateway.Checkpoint) error {
	size, err := store.TreeSize(c.Size)
	if err != nil {
		return fmt.Errorf("keeping checkpoint: %w", err)
	}
	return s.write(ctx, "keeping checkpoint", func(t *tx) error {
		_, err := t.Exec(keepCheckpoint, origin, size, c.Root[:], nonNil(c.Envelope))
		return err
	})
}

// KeepFork implements gateway.Checkpoints. The same pair is kept once.
func (s *Store) KeepFork(ctx context.Context, origin string, a, b gateway.Checkpoint) error {
	aSize, err := store.TreeSize(a.Size)
	if err != nil {
		return fmt.Errorf("keeping fork: %w", err)
	}
	bSize, err := store.TreeSize(b.Size)
	if err != nil {
		return fmt.Errorf("keeping fork: %w", err)
	}
	return s.write(ctx, "keeping fork", func(t *tx) error {
		_, err := t.Exec(keepFork, origin, time.Now().UnixMilli(),
			aSize, a.Root[:], nonNil(a.Envelope), bSize, b.Root[:], nonNil(b.Envelope))
		return err
	})
}

// Forked implements gateway.Checkpoints.
func (s *Store) Forked(ctx context.Context, origin string) error {
	return s.read(ctx, "reading forks", func(t *tx) error {
		var a, b int64
		err := t.QueryRow(selectFork, origin).Scan(&a, &b)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %q signed contradicting checkpoints of sizes %d and %d", gateway.ErrFork, origin, a, b)
	})
}

// nonNil keeps an empty value from being stored as NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
