// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	anchorOfSize = `SELECT root FROM own_anchor WHERE log = $1 AND size = $2`

	insertAnchor = `INSERT INTO own_anchor (log, size, root, submission) VALUES ($1, $2, $3, $4)`

	coveringAnchor = `
SELECT a.size, a.root, a.submission FROM own_anchor a
WHERE a.log = (SELECT id FROM log WHERE name = $1) AND a.size > $2 ORDER BY a.size LIMIT 1`

	entriesOfRecords = `SELECT r.entry, r.idx FROM own_record r WHERE r.log = $1 AND r.idx >= $2 ORDER BY r.idx LIMIT $3`

	logEntries = `
UPDATE entry e SET state = 'LOGGED', log_index = d.idx, in_doubt = false, leased_until = 0, next_at = 0, problem = ''
FROM unnest($1::bigint[], $2::bigint[]) AS d (id, idx) WHERE e.id = d.id AND e.state = 'PENDING' RETURNING e.bytes`

	moveLogged = `UPDATE own_log SET logged = $1 WHERE log = $2 AND logged = $3`
)

// KeepAnchor implements gateway.OwnLogs.
func (s *Store) KeepAnchor(ctx context.Context, log string, a gateway.OwnAnchor) error {
	return s.writeTx(ctx, "keeping an anchor", func(t *tx) error {
		l, err := t.readOwnLog(lockOwnLog, log)
		if err == nil && l.Doubted {
			err = fmt.Errorf("%w: own log %s", gateway.ErrDoubtFirst, log)
		}
		if err != nil {
			return err
		}
		if err := store.CheckAnchor(l.OwnLog, a, func(asked []tiletree.Tile) ([][]byte, error) { return t.readTiles(l.row, asked) }); err != nil {
			return err
		}
		var root []byte
		err = t.scanRow(anchorOfSize, []any{l.row, int64(a.Size)}, &root)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			_, err = t.exec(insertAnchor, l.row, int64(a.Size), a.Root[:], a.Submission)
		case err == nil && !bytes.Equal(root, a.Root[:]):
			err = fmt.Errorf("%w: one of %d records is anchored with another root", gateway.ErrOtherAnchor, a.Size)
		}
		return err
	})
}

// OwnAnchor implements gateway.OwnLogs.
func (s *Store) OwnAnchor(ctx context.Context, log string, index uint64) (a gateway.OwnAnchor, err error) {
	err = s.lookUpTx(ctx, "reading an anchor", func(t *tx) error {
		err := pgx.ErrNoRows
		if index <= math.MaxInt64 {
			err = scanAnchor(func(into ...any) error { return t.scanRow(coveringAnchor, []any{log, int64(index)}, into...) }, &a)
		}
		if errors.Is(err, pgx.ErrNoRows) {
			err = fmt.Errorf("%w: no anchor covers record %d of %s", gateway.ErrNotFound, index, log)
		}
		return err
	})
	if err != nil {
		return gateway.OwnAnchor{}, err
	}
	return a, nil
}

// LogAnchored implements gateway.OwnLogs.
func (s *Store) LogAnchored(ctx context.Context, log string, limit int) (changed []gateway.Progress, err error) {
	err = s.writeTx(ctx, "logging what is anchored", func(t *tx) error {
		changed = nil
		l, err := t.readOwnLog(lockOwnLog, log)
		if err != nil {
			return err
		}
		if end := store.AnchoredEnd(l.OwnLog, limit); end > l.Logged {
			changed, err = t.logRecords(l.row, int64(l.Logged), int64(end))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// logRecords has the entries of an own log's records Logged, from one index up to, and without, another. The log's row is locked.
func (t *tx) logRecords(log, from, end int64) ([]gateway.Progress, error) {
	var ids, indexes []int64
	err := t.eachRow(entriesOfRecords, []any{log, from, end - from}, func(scan func(...any) error) error {
		var id, index int64
		err := scan(&id, &index)
		ids, indexes = append(ids, id), append(indexes, index)
		return err
	})
	if err != nil {
		return nil, err
	}
	var b pgx.Batch
	b.Queue(lockByID, ids)
	var logged backlog
	queueEach(&b, logEntries, []any{ids, indexes}, func(scan func(...any) error) error {
		var bytes int64
		err := scan(&bytes)
		logged = logged.plus(backlog{-1, -bytes})
		return err
	})
	queueExactly(&b, 1, moveLogged, end, log, from)
	if err := t.sendBatch(&b); err != nil {
		return nil, err
	}
	if n := int64(-logged.entries); n != end-from || n != int64(len(ids)) {
		return nil, fmt.Errorf("%d entries are records %d to %d of the own log, and %d of them wait", len(ids), from, end, n)
	}
	return t.endRecords(log, logged, ids)
}

// endRecords stores what follows from entries that are Logged, and returns how far their submissions are.
func (t *tx) endRecords(log int64, logged backlog, ids []int64) ([]gateway.Progress, error) {
	var b pgx.Batch
	t.queueBacklog(&b, map[int64]backlog{log: logged})
	states := queueStates(&b, nil, ids)
	if err := t.sendBatch(&b); err != nil {
		return nil, err
	}
	return t.writeStates(*states)
}
