// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	selectTiles = `
SELECT t.hashes FROM unnest($2::integer[], $3::bigint[]) WITH ORDINALITY AS d (level, idx, at)
LEFT JOIN own_tile t ON t.log = $1 AND t.level = d.level AND t.idx = d.idx ORDER BY d.at`

	bodiesOfRecords = `
SELECT r.idx, b.body FROM own_record r JOIN entry_blob b ON b.entry = r.entry WHERE r.log = $1 AND r.idx >= $2 ORDER BY r.idx LIMIT $3`
)

// OwnTiles implements gateway.OwnLogs.
func (s *Store) OwnTiles(ctx context.Context, log string, tiles []tiletree.Tile) (all [][]byte, err error) {
	err = s.lookUpTx(ctx, "reading tiles", func(t *tx) error {
		l, err := t.readOwnLog(selectOwnLog, log)
		if err == nil {
			all, err = t.readTiles(l.row, tiles)
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
	levels, indexes := make([]int32, len(tiles)), make([]int64, len(tiles))
	for i, tile := range tiles {
		levels[i], indexes[i] = int32(tile.Level), -1
		if tile.Index <= math.MaxInt64 {
			indexes[i] = int64(tile.Index)
		}
	}
	kept, err := collectColumn[[]byte](t, selectTiles, log, levels, indexes)
	if err != nil {
		return nil, err
	}
	for i, tile := range tiles {
		if kept[i], err = store.CutTile(tile, kept[i]); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// OwnRecords implements gateway.OwnLogs.
func (s *Store) OwnRecords(ctx context.Context, log string, from uint64, n int) (bodies [][]byte, err error) {
	err = s.lookUpTx(ctx, "reading records", func(t *tx) error {
		bodies = nil
		l, err := t.readOwnLog(selectOwnLog, log)
		if err != nil || from >= l.Tree.Size || n <= 0 {
			return err
		}
		n = int(min(uint64(n), l.Tree.Size-from))
		err = t.eachRow(bodiesOfRecords, []any{l.row, int64(from), n}, func(scan func(...any) error) error {
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
		if err == nil && len(bodies) != n {
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
	return fmt.Errorf("record %d of the own log %s is not there", index, log)
}
