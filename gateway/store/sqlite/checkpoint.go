// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// A row with an empty key_id is of the first schema, which did not store keys. Such a checkpoint is
// that of every shard of its origin, and goes as soon as one of them keeps another in its place: so
// it never stands beside a shard's own. Such a fork is that of every shard of its origin for ever.
const (
	selectCheckpoint = `SELECT size, root, envelope FROM checkpoint WHERE origin = ? AND key_id IN (?, x'')`

	deleteCheckpoint = `DELETE FROM checkpoint WHERE origin = ? AND key_id IN (?, x'')`

	insertCheckpoint = `INSERT INTO checkpoint (origin, key_id, size, root, envelope, doubt_from) VALUES (?, ?, ?, ?, ?, ?)`

	// Until what was pending before this process is in doubt, it is searched for from here on, whatever checkpoints are kept meanwhile.
	selectDoubtFrom = `SELECT MIN(COALESCE(doubt_from, size), ?) FROM checkpoint WHERE origin = ? AND key_id IN (?, x'')`

	doubtStored = `UPDATE checkpoint SET doubt_from = NULL WHERE origin = ? AND key_id IN (?, x'') AND doubt_from IS NOT NULL`

	insertFork = `
INSERT INTO fork (origin, key_id, found_at, small_size, small_root, small_envelope,
                  large_size, large_root, large_envelope, prefix_root, consistency)
VALUES (?, ?, CAST(unixepoch('subsec') * 1000 AS INTEGER), ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`

	selectForked = `SELECT small_size, large_size FROM fork WHERE origin = ? AND key_id IN (?, x'') ORDER BY id LIMIT 1`

	selectForks = `
SELECT origin, key_id, small_size, small_root, small_envelope, large_size, large_root, large_envelope, prefix_root, consistency
FROM fork ORDER BY id`
)

// Checkpoint implements gateway.Checkpoints. A shard that has none has that of its origin with a
// key that is not known, if there is one.
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
	err := t.QueryRow(selectCheckpoint, shard.Origin, shard.KeyID[:]).Scan(&size, &root, &envelope)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	c := &gateway.Checkpoint{Size: uint64(size), Envelope: envelope}
	copy(c.Root[:], root)
	return c, nil
}

// KeepCheckpoint implements gateway.Checkpoints. The transaction holds the write lock from before
// it reads what is kept, so that nobody can come between.
func (s *Store) KeepCheckpoint(ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (kept *gateway.Checkpoint, err error) {
	size, err := store.TreeSize(c.Size)
	if err != nil {
		return nil, fmt.Errorf("keeping checkpoint: %w", err)
	}
	err = s.writeTx(ctx, "keeping checkpoint", func(t *tx) (err error) {
		if kept, err = readCheckpoint(t, shard); err != nil || !kept.Equal(old) {
			return err
		}
		from, err := s.doubtFrom(t, shard, size)
		if err != nil {
			return err
		}
		kept = &c
		if _, err := t.Exec(deleteCheckpoint, shard.Origin, shard.KeyID[:]); err != nil {
			return err
		}
		_, err = t.Exec(insertCheckpoint, shard.Origin, shard.KeyID[:], size, c.Root[:], nonNil(c.Envelope), from)
		return err
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// doubtFrom returns what stands beside a checkpoint of this size that is kept now: nil where nothing was kept before, or what was pending
// then is in doubt.
func (s *Store) doubtFrom(t *tx, shard gateway.Shard, size int64) (from *int64, err error) {
	if _, done := s.doubted.Load(shard); done {
		return nil, nil
	}
	err = t.QueryRow(selectDoubtFrom, size, shard.Origin, shard.KeyID[:]).Scan(&from)
	if errors.Is(err, sql.ErrNoRows) { // whatever is in the shard later was sent by this process
		t.committed = append(t.committed, func() { s.doubted.Store(shard, struct{}{}) })
		return nil, nil
	}
	return from, err
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
		_, err := t.Exec(insertFork, f.Origin, f.KeyID[:],
			small, f.Small.Root[:], nonNil(f.Small.Envelope), large, f.Large.Root[:], nonNil(f.Large.Envelope),
			f.PrefixRoot[:], bytes.Join(f.Consistency, nil))
		return err
	})
}

// Forked implements gateway.Checkpoints.
func (s *Store) Forked(ctx context.Context, shard gateway.Shard) error {
	return s.readTx(ctx, "reading forks", func(t *tx) error {
		var small, large int64
		err := t.QueryRow(selectForked, shard.Origin, shard.KeyID[:]).Scan(&small, &large)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("%w: %q signed contradicting checkpoints of sizes %d and %d", gateway.ErrFork, shard.Origin, small, large)
	})
}

// Forks implements gateway.Checkpoints.
func (s *Store) Forks(ctx context.Context) ([]gateway.Fork, error) {
	var all []gateway.Fork
	err := s.readTx(ctx, "reading forks", func(t *tx) error {
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
