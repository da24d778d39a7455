// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	selectTile = `SELECT hashes FROM own_tile WHERE log = ? AND level = ? AND idx = ?`

	bodiesOfRecords = `
SELECT r.idx, b.body FROM own_record r JOIN entry_blob b ON b.entry = r.entry
WHERE r.log = ?1 AND r.idx >= ?2 AND r.idx < ?3 ORDER BY r.idx`
)

// OwnTiles implements gateway.OwnLogs.
func (s *Store) OwnTiles(ctx context.Context, log string, tiles []tiletree.Tile) (all [][]byte, err error) {
	err = s.readTx(ctx, "reading tiles", func(t *tx) error {
		row, _, err := t.readOwnLog(log)
		if err == nil {
			all, err = t.readTiles(row, tiles)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readTiles is OwnTiles for a log's row.
func (t *tx) readTiles(log int64, tiles []tiletree.Tile) ([][]byte, error) {
	all := make([][]byte, len(tiles))
	for i, tile := range tiles {
		var hashes []byte
		if tile.Index <= math.MaxInt64 {
			err := t.QueryRow(selectTile, log, tile.Level, tile.Index).Scan(&hashes)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
		}
		var err error
		if all[i], err = store.CutTile(tile, hashes); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// OwnRecords implements gateway.OwnLogs.
func (s *Store) OwnRecords(ctx context.Context, log string, from uint64, n int) (bodies [][]byte, err error) {
	err = s.readTx(ctx, "reading records", func(t *tx) error {
		row, l, err := t.readOwnLog(log)
		if err != nil || from >= l.Tree.Size || n <= 0 {
			return err
		}
		end := min(l.Tree.Size, from+uint64(n))
		err = t.eachRow(bodiesOfRecords, []any{row, from, end}, func(scan func(...any) error) error {
			var index uint64
			var body []byte
			if err := scan(&index, &body); err != nil {
				return err
			}
			if index != from+uint64(len(bodies)) {
				return errNoRecord(log, from+uint64(len(bodies)))
			}
			bodies = append(bodies, nonNil(body))
			return nil
		})
		if err == nil && from+uint64(len(bodies)) != end {
			err = errNoRecord(log, from+uint64(len(bodies)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return bodies, nil
}

func errNoRecord(log string, index uint64) error {
	return fmt.Errorf("%w: record %d of %s is not there", ErrDamaged, index, log)
}
