// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	anchorOfSize = `SELECT root FROM own_anchor WHERE log = ? AND size = ?`

	insertAnchor = `INSERT INTO own_anchor (log, size, root, submission) VALUES (?, ?, ?, ?)`

	coveringAnchor = `
SELECT a.size, a.root, a.submission FROM own_anchor a
WHERE a.log = (SELECT id FROM log WHERE name = ?) AND a.size > ? ORDER BY a.size LIMIT 1`

	logRecords = `
UPDATE entry SET state = 'LOGGED', log_index = r.idx, in_doubt = 0, leased_until = 0, next_at = 0, problem = ''
FROM own_record r WHERE r.log = ?1 AND r.idx >= ?2 AND r.idx < ?3 AND entry.id = r.entry AND entry.state = 'PENDING'`

	entriesOfRecords = `SELECT r.entry FROM own_record r WHERE r.log = ?1 AND r.idx >= ?2 AND r.idx < ?3`

	weighRecords = `
SELECT COALESCE(SUM(e.bytes), 0) FROM own_record r JOIN entry e ON e.id = r.entry WHERE r.log = ?1 AND r.idx >= ?2 AND r.idx < ?3`

	moveLogged = `UPDATE own_log SET logged = ?1 WHERE log = ?2 AND logged = ?3`
)

// KeepAnchor implements gateway.OwnLogs.
func (s *Store) KeepAnchor(ctx context.Context, log string, a gateway.OwnAnchor) error {
	return s.writeTx(ctx, "keeping an anchor", func(t *tx) error {
		row, l, err := t.readOwnLog(log)
		if err == nil && l.Doubted {
			err = fmt.Errorf("%w: own log %s", gateway.ErrDoubtFirst, log)
		}
		if err != nil {
			return err
		}
		if err := store.CheckAnchor(l, a, func(asked []tiletree.Tile) ([][]byte, error) { return t.readTiles(row, asked) }); err != nil {
			return err
		}
		var root []byte
		err = t.QueryRow(anchorOfSize, row, a.Size).Scan(&root)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return t.execExactly(1, insertAnchor, row, a.Size, a.Root[:], a.Submission)
		case err == nil && string(root) != string(a.Root[:]):
			return fmt.Errorf("%w: one of %d records is anchored with another root", gateway.ErrOtherAnchor, a.Size)
		}
		return err
	})
}

// OwnAnchor implements gateway.OwnLogs.
func (s *Store) OwnAnchor(ctx context.Context, log string, index uint64) (a gateway.OwnAnchor, err error) {
	err = s.readTx(ctx, "reading an anchor", func(t *tx) error {
		a, err = t.readAnchor(log, index)
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("%w: no anchor covers record %d of %s", gateway.ErrNotFound, index, log)
		}
		return err
	})
	if err != nil {
		return gateway.OwnAnchor{}, err
	}
	return a, nil
}

// readAnchor returns the smallest anchor of a log that covers a record. The error is sql.ErrNoRows where none does.
func (t *tx) readAnchor(log string, index uint64) (a gateway.OwnAnchor, err error) {
	if index > math.MaxInt64 {
		return a, sql.ErrNoRows
	}
	var root []byte
	err = t.QueryRow(coveringAnchor, log, index).Scan(&a.Size, &root, &a.Submission)
	copy(a.Root[:], root)
	return a, err
}

// LogAnchored implements gateway.OwnLogs.
func (s *Store) LogAnchored(ctx context.Context, log string, limit int) (changed []gateway.Progress, err error) {
	err = s.writeTx(ctx, "logging what is anchored", func(t *tx) error {
		row, l, err := t.readOwnLog(log)
		if err != nil {
			return err
		}
		if end := store.AnchoredEnd(l, limit); end > l.Logged {
			changed, err = t.logRecords(row, l.Logged, end)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// logRecords has the entries of an own log's records Logged, from one index up to, and without, another.
func (t *tx) logRecords(log int64, from, end uint64) ([]gateway.Progress, error) {
	n := int(end - from)
	if err := t.execExactly(n, logRecords, log, from, end); err != nil {
		return nil, err
	}
	var bytes int64
	if err := t.QueryRow(weighRecords, log, from, end).Scan(&bytes); err != nil {
		return nil, err
	}
	if err := t.changeBacklog(map[int64]backlog{log: {-n, -bytes}}); err != nil {
		return nil, err
	}
	if err := t.execExactly(1, moveLogged, end, log, from); err != nil {
		return nil, err
	}
	ids, err := collectColumn[int64](t, entriesOfRecords, log, from, end)
	if err != nil {
		return nil, err
	}
	return t.refreshStates(nil, ids)
}
