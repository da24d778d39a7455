// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	nextQueued = `
SELECT q.entry, e.leaf_hash FROM own_queue q CROSS JOIN entry e ON e.id = q.entry WHERE q.log = ? ORDER BY q.entry LIMIT ?`

	// ?3 is a JSON array of entries, in the order of their indexes from ?2 on.
	insertRecords = `INSERT INTO own_record (log, idx, entry) SELECT ?1, ?2 + j.key, j.value FROM json_each(?3) j`

	dropQueued = `DELETE FROM own_queue WHERE log = ? AND entry <= ?`

	// A tile only grows.
	keepTile = `
INSERT INTO own_tile (log, level, idx, hashes) VALUES (?, ?, ?, ?)
ON CONFLICT (log, level, idx) DO UPDATE SET hashes = excluded.hashes WHERE length(excluded.hashes) > length(hashes)`

	moveHead = `UPDATE own_log SET size = ?1, root = ?2 WHERE log = ?3 AND size = ?4`
)

// Sequence implements gateway.OwnLogs.
func (s *Store) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (l gateway.OwnLog, n int, err error) {
	err = s.writeTx(ctx, "sequencing", func(t *tx) error {
		row, found, err := t.readOwnLog(log)
		if err == nil && found.Closed {
			err = fmt.Errorf("%w: %s", gateway.ErrOwnLogClosed, log)
		}
		if err == nil && found.Doubted {
			err = fmt.Errorf("%w: the store was put back", gateway.ErrDoubtFirst)
		}
		if err != nil {
			return err
		}
		l = found
		ids, leaves, err := t.readQueued(row, limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		n = len(ids)
		l.Tree, err = t.appendRecords(row, found.Tree, ids, leaves, grow)
		return err
	})
	if err != nil {
		return gateway.OwnLog{}, 0, err
	}
	return l, n, nil
}

// readQueued returns the next entries of an own log that have no index.
func (t *tx) readQueued(log int64, limit int) (ids []int64, leaves []gateway.LeafHash, err error) {
	err = t.eachRow(nextQueued, []any{log, max(limit, 0)}, func(scan func(...any) error) error {
		var id int64
		var leaf sql.RawBytes
		err := scan(&id, &leaf)
		ids, leaves = append(ids, id), append(leaves, gateway.LeafHash(leaf))
		return err
	})
	return ids, leaves, err
}

// appendRecords stores entries as the next records of an own log, and returns the tree over all.
func (t *tx) appendRecords(log int64, old tiletree.Tree, ids []int64, leaves []gateway.LeafHash, grow gateway.GrowTree) (tiletree.Tree, error) {
	tree, tiles, err := store.GrowOwn(old, leaves, grow, func(asked []tiletree.Tile) ([][]byte, error) { return t.readTiles(log, asked) })
	if err != nil {
		return tiletree.Tree{}, err
	}
	arg, err := encodeList(ids)
	if err != nil {
		return tiletree.Tree{}, err
	}
	if err := t.execExactly(len(ids), insertRecords, log, old.Size, arg); err != nil {
		return tiletree.Tree{}, err
	}
	if err := t.execExactly(len(ids), dropQueued, log, ids[len(ids)-1]); err != nil {
		return tiletree.Tree{}, err
	}
	for _, tile := range tiles {
		if err := t.execExactly(1, keepTile, log, tile.Level, tile.Index, tile.Hashes); err != nil {
			return tiletree.Tree{}, fmt.Errorf("tile %d/%d: %w", tile.Level, tile.Index, err)
		}
	}
	return tree, t.execExactly(1, moveHead, tree.Size, tree.Root[:], log, old.Size)
}

// execExactly runs a statement that changes so many rows, whatever else the store is like.
func (t *tx) execExactly(want int, query string, args ...any) error {
	r, err := t.Exec(query, args...)
	if err != nil {
		return err
	}
	n, err := r.RowsAffected()
	if err == nil && n != int64(want) {
		err = fmt.Errorf("%d rows were changed, not %d: the own log is not as it was written", n, want)
	}
	return err
}
