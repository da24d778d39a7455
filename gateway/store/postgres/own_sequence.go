// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	nextQueued = `SELECT q.entry FROM own_queue q WHERE q.log = $1 ORDER BY q.entry LIMIT $2`

	leavesOfEntries = `SELECT e.id, e.leaf_hash FROM entry e WHERE e.id = ANY($1::bigint[]) ORDER BY e.id`

	// Entries in the order of their indexes, from $2 on.
	insertRecords = `
INSERT INTO own_record (log, idx, entry) SELECT $1, $2::bigint + d.at - 1, d.entry FROM unnest($3::bigint[]) WITH ORDINALITY AS d (entry, at)`

	// Others that were committed meanwhile, between these, stay.
	dropQueued = `DELETE FROM own_queue WHERE log = $1 AND entry = ANY($2::bigint[])`

	// A tile only grows.
	keepTiles = `
INSERT INTO own_tile AS t (log, level, idx, hashes) SELECT $1, d.level, d.idx, d.hashes FROM unnest($2::integer[], $3::bigint[], $4::bytea[]) AS d (level, idx, hashes)
ON CONFLICT (log, level, idx) DO UPDATE SET hashes = excluded.hashes WHERE length(excluded.hashes) > length(t.hashes)`

	moveHead = `UPDATE own_log SET size = $1, root = $2 WHERE log = $3 AND size = $4`
)

// Sequence implements gateway.OwnLogs.
func (s *Store) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (l gateway.OwnLog, n int, err error) {
	err = s.writeTx(ctx, "sequencing", func(t *tx) error {
		found, err := t.readOwnLog(lockOwnLog, log)
		if err == nil && found.Closed {
			err = fmt.Errorf("%w: %s", gateway.ErrOwnLogClosed, log)
		}
		if err == nil && !found.same {
			s.mistrusted.note(log, t.life)
			err = errOtherLife
		}
		if err != nil {
			return err
		}
		l, n = found.OwnLog, 0
		ids, err := collectColumn[int64](t, nextQueued, found.row, max(limit, 0))
		if err != nil || len(ids) == 0 {
			return err
		}
		n = len(ids)
		l.Tree, err = t.appendRecords(found.row, found.Tree, ids, grow)
		return err
	})
	if err != nil {
		return gateway.OwnLog{}, 0, err
	}
	return l, n, nil
}

// appendRecords stores entries as the next records of an own log, and returns the tree over all.
func (t *tx) appendRecords(log int64, old tiletree.Tree, ids []int64, grow gateway.GrowTree) (tiletree.Tree, error) {
	leaves, err := t.readLeaves(ids)
	if err != nil {
		return tiletree.Tree{}, err
	}
	tree, tiles, err := store.GrowOwn(old, leaves, grow, func(asked []tiletree.Tile) ([][]byte, error) { return t.readTiles(log, asked) })
	if err != nil {
		return tiletree.Tree{}, err
	}
	levels, indexes, hashes := make([]int32, len(tiles)), make([]int64, len(tiles)), make([][]byte, len(tiles))
	for i, tile := range tiles {
		levels[i], indexes[i], hashes[i] = int32(tile.Level), int64(tile.Index), tile.Hashes
	}
	var b pgx.Batch
	queueExactly(&b, len(ids), insertRecords, log, int64(old.Size), ids)
	queueExactly(&b, len(ids), dropQueued, log, ids)
	queueExactly(&b, len(tiles), keepTiles, log, levels, indexes, hashes)
	queueExactly(&b, 1, moveHead, int64(tree.Size), tree.Root[:], log, int64(old.Size))
	return tree, t.sendBatch(&b)
}

// readLeaves returns the leaf hashes of entries, which are in the order of their IDs.
func (t *tx) readLeaves(ids []int64) (leaves []gateway.LeafHash, err error) {
	err = t.eachRow(leavesOfEntries, []any{ids}, func(scan func(...any) error) error {
		var id int64
		var leaf []byte
		if err := scan(&id, &leaf); err != nil {
			return err
		}
		if len(leaves) == len(ids) || ids[len(leaves)] != id {
			return fmt.Errorf("entry %d is not queued", id)
		}
		leaves = append(leaves, gateway.LeafHash(leaf))
		return nil
	})
	if err == nil && len(leaves) != len(ids) {
		err = fmt.Errorf("%d of %d queued entries are there", len(leaves), len(ids))
	}
	return leaves, err
}

// queueExactly adds to a batch a statement that changes so many rows, whatever else the store is like.
func queueExactly(b *pgx.Batch, want int, query string, args ...any) {
	b.Queue(query, args...).Exec(func(tag pgconn.CommandTag) error {
		if n := tag.RowsAffected(); n != int64(want) {
			return fmt.Errorf("%d rows were changed, not %d: the own log is not as it was written", n, want)
		}
		return nil
	})
}
