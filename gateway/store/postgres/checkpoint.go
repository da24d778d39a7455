// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	selectCheckpoint = `SELECT size, root, envelope FROM checkpoint WHERE origin = $1 AND key_id = $2`

	// Each of these two is the compare and the swap in one: of several at once one changes a row, and all others
	// find that nothing is in the place of what they saw any more.
	insertCheckpoint = `
INSERT INTO checkpoint (origin, key_id, size, root, envelope, life) VALUES ($1, $2, $3, $4, $5, ` + lifeMark + `) ON CONFLICT DO NOTHING`

	// The first that is kept in a life of the database leaves behind from where on is to be searched, until doubtSearched.
	swapCheckpoint = `
UPDATE checkpoint SET size = $3, root = $4, envelope = $5, life = ` + lifeMark + `,
    doubt_from = CASE WHEN life = ` + lifeMark + ` THEN doubt_from ELSE LEAST(COALESCE(doubt_from, size), $3) END
WHERE origin = $1 AND key_id = $2 AND size = $6 AND root = $7 AND envelope = $8`

	insertFork = `
INSERT INTO fork (origin, key_id, found_at, small_size, small_root, small_envelope,
                  large_size, large_root, large_envelope, prefix_root, consistency, pair)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`

	selectForked = `SELECT small_size, large_size FROM fork WHERE origin = $1 AND key_id = $2 ORDER BY id LIMIT 1`

	selectForks = `
SELECT origin, key_id, small_size, small_root, small_envelope, large_size, large_root, large_envelope, prefix_root, consistency
FROM fork ORDER BY id`
)

// Checkpoint implements gateway.Checkpoints.
func (s *Store) Checkpoint(ctx context.Context, shard gateway.Shard) (c *gateway.Checkpoint, err error) {
	err = s.readTx(ctx, "reading checkpoint", func(t *tx) (err error) {
		c, err = readCheckpoint(t, shard)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

func readCheckpoint(t *tx, shard gateway.Shard) (*gateway.Checkpoint, error) {
	var size int64
	var root, envelope []byte
	err := t.scanRow(selectCheckpoint, []any{shard.Origin, shard.KeyID[:]}, &size, &root, &envelope)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	c := &gateway.Checkpoint{Size: uint64(size), Envelope: envelope}
	copy(c.Root[:], root)
	return c, nil
}

// KeepCheckpoint implements gateway.Checkpoints. Of all gateways that share the database one wins, and the others
// read what it has committed.
func (s *Store) KeepCheckpoint(ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (kept *gateway.Checkpoint, err error) {
	size, err := store.TreeSize(c.Size)
	if err != nil {
		return nil, fmt.Errorf("keeping checkpoint: %w", err)
	}
	query, args := insertCheckpoint, []any{shard.Origin, shard.KeyID[:], size, c.Root[:], nonNil(c.Envelope)}
	if old != nil {
		oldSize, err := store.TreeSize(old.Size)
		if err != nil {
			return nil, fmt.Errorf("keeping checkpoint: %w", err)
		}
		query, args = swapCheckpoint, append(args, oldSize, old.Root[:], nonNil(old.Envelope))
	}
	err = s.writeTx(ctx, "keeping checkpoint", func(t *tx) error {
		changed, err := t.exec(query, args...)
		if err != nil {
			return err
		}
		if kept = &c; changed == 0 {
			kept, err = readCheckpoint(t, shard)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// KeepFork implements gateway.Checkpoints.
func (s *Store) KeepFork(ctx context.Context, f gateway.Fork) error {
	small, smallErr := store.TreeSize(f.Small.Size)
	large, largeErr := store.TreeSize(f.Large.Size)
	if err := errors.Join(smallErr, largeErr); err != nil {
		return fmt.Errorf("keeping fork: %w", err)
	}
	for _, hash := range f.Consistency {
		if len(hash) != sha256.Size {
			return fmt.Errorf("keeping fork: a hash of %d bytes", len(hash))
		}
	}
	return s.writeTx(ctx, "keeping fork", func(t *tx) error {
		_, err := t.exec(insertFork, f.Origin, f.KeyID[:], t.now,
			small, f.Small.Root[:], nonNil(f.Small.Envelope), large, f.Large.Root[:], nonNil(f.Large.Envelope),
			f.PrefixRoot[:], nonNil(bytes.Join(f.Consistency, nil)), hashPair(f))
		return err
	})
}

// hashPair returns what recognises the two checkpoints of a fork.
func hashPair(f gateway.Fork) []byte {
	h := sha256.New()
	for _, envelope := range [][]byte{f.Small.Envelope, f.Large.Envelope} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(envelope))))
		h.Write(envelope)
	}
	return h.Sum(nil)
}

// Forked implements gateway.Checkpoints. It asks the database each time, so that what one gateway has found stops
// all of them.
func (s *Store) Forked(ctx context.Context, shard gateway.Shard) error {
	return s.readTx(ctx, "reading forks", func(t *tx) error {
		var small, large int64
		err := t.scanRow(selectForked, []any{shard.Origin, shard.KeyID[:]}, &small, &large)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %q signed contradicting checkpoints of sizes %d and %d", gateway.ErrFork, shard.Origin, small, large)
	})
}

// Forks implements gateway.Checkpoints.
func (s *Store) Forks(ctx context.Context) (all []gateway.Fork, err error) {
	err = s.readTx(ctx, "reading forks", func(t *tx) error {
		all = nil
		return t.eachRow(selectForks, nil, func(scan func(...any) error) error {
			f, err := scanFork(scan)
			all = append(all, f)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func scanFork(scan func(...any) error) (gateway.Fork, error) {
	var f gateway.Fork
	var small, large int64
	var key, smallRoot, largeRoot, prefix, consistency []byte
	err := scan(&f.Origin, &key, &small, &smallRoot, &f.Small.Envelope, &large, &largeRoot, &f.Large.Envelope, &prefix, &consistency)
	if err != nil {
		return f, err
	}
	f.Small.Size, f.Large.Size = uint64(small), uint64(large)
	copy(f.KeyID[:], key)
	copy(f.Small.Root[:], smallRoot)
	copy(f.Large.Root[:], largeRoot)
	copy(f.PrefixRoot[:], prefix)
	f.Consistency = slices.Collect(slices.Chunk(consistency, sha256.Size))
	return f, nil
}

// nonNil keeps an empty value from being stored as NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
