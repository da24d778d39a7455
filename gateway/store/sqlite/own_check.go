// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

const (
	namesOfOwnLogs = `SELECT l.name FROM own_log o JOIN log l ON l.id = o.log ORDER BY l.name`

	leavesOfRecords = `
SELECT r.idx, e.leaf_hash FROM own_record r JOIN entry e ON e.id = r.entry AND e.log = r.log
WHERE r.log = ? AND r.idx >= ? ORDER BY r.idx LIMIT ?`

	countTiles = `SELECT COUNT(*), COALESCE(SUM(length(hashes)), 0) FROM own_tile WHERE log = ?`

	// An entry of an own log is in its queue, or is one of its records, which is Logged as far as the log says, and has Failed behind the
	// end of one that is closed alone.
	strayOwnEntries = `
SELECT 'entry ' || e.id FROM entry e JOIN own_log o ON o.log = e.log LEFT JOIN own_record r ON r.entry = e.id
LEFT JOIN own_queue q ON q.log = e.log AND q.entry = e.id
WHERE (r.idx IS NULL) = (q.entry IS NULL) OR (e.state = 'FAILED' AND NOT (o.closed = 1 AND r.idx >= o.logged)) OR (e.state = 'LOGGED') <> COALESCE(r.idx < o.logged, 0) OR e.log_index <> r.idx
UNION ALL SELECT 'queued entry ' || entry FROM own_queue q WHERE NOT EXISTS (SELECT 1 FROM entry e WHERE e.id = q.entry AND e.log = q.log)
UNION ALL SELECT 'record ' || r.idx FROM own_record r JOIN own_log o ON o.log = r.log WHERE r.idx NOT BETWEEN 0 AND o.size - 1
UNION ALL SELECT 'cosignature of size ' || size FROM own_cosignature c WHERE NOT EXISTS (SELECT 1 FROM own_anchor a WHERE a.log = c.log AND a.size = c.size)
UNION ALL SELECT 'records of ' || origin FROM own_log o WHERE logged > (SELECT COALESCE(MAX(size), 0) FROM own_anchor a WHERE a.log = o.log)`
)

// checkOwnLogs compares the records of each own log with its tiles, its root and its anchors. It reads all of them, a few at a time.
func (t *tx) checkOwnLogs() error {
	names, err := collectColumn[string](t, namesOfOwnLogs)
	for _, name := range names {
		if err == nil {
			err = t.checkOwnLog(name)
		}
	}
	return err
}

func (t *tx) checkOwnLog(name string) error {
	row, l, err := t.readOwnLog(name)
	if err != nil {
		return err
	}
	err = store.OwnTree{
		Log:    l,
		Leaves: func(from uint64, n int) ([]gateway.LeafHash, error) { return t.readLeaves(row, from, n) },
		Tiles:  func(tiles []tiletree.Tile) ([][]byte, error) { return t.readTiles(row, tiles) },
		NextAnchor: func(size uint64) (gateway.OwnAnchor, error) {
			a, err := t.readAnchor(name, size)
			if errors.Is(err, sql.ErrNoRows) {
				return gateway.OwnAnchor{}, nil
			}
			return a, err
		},
		CountTiles: func() (tiles, hashes uint64, err error) {
			err = t.QueryRow(countTiles, row).Scan(&tiles, &hashes)
			return tiles, hashes / tiletree.HashSize, err
		},
	}.Check()
	if errors.Is(err, store.ErrUnsound) {
		err = fmt.Errorf("%w: %s: %w", ErrDamaged, name, err)
	}
	return err
}

// readLeaves returns the leaf hashes of the records from an index on, up to the first that is missing.
func (t *tx) readLeaves(log int64, from uint64, n int) (leaves []gateway.LeafHash, err error) {
	ended := false
	err = t.eachRow(leavesOfRecords, []any{log, from, n}, func(scan func(...any) error) error {
		var index uint64
		var leaf sql.RawBytes
		err := scan(&index, &leaf)
		if ended = ended || err != nil || index != from+uint64(len(leaves)); !ended {
			leaves = append(leaves, gateway.LeafHash(leaf))
		}
		return err
	})
	return leaves, err
}
