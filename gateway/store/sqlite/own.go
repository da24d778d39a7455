// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	ownLogs = `SELECT log FROM own_log`

	originOfLog = `SELECT origin, closed FROM own_log WHERE log = ?`

	// What a log is that is not for the gateway alone.
	isForeignLog = `SELECT retired = 1 OR EXISTS (SELECT 1 FROM entry e WHERE e.log = l.id) FROM log l WHERE l.id = ?`

	insertOwnLog = `INSERT INTO own_log (log, origin, root) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`

	selectOwnLog = `
SELECT o.log, o.origin, o.closed, o.doubted, o.size, o.root, o.logged, a.size, a.root, a.submission
FROM own_log o LEFT JOIN own_anchor a ON a.log = o.log AND a.size = (SELECT MAX(size) FROM own_anchor WHERE log = o.log)
WHERE o.log = (SELECT id FROM log WHERE name = ?)`

	doubtOwnLogs = `UPDATE own_log SET doubted = 1`

	trustOwnLog = `UPDATE own_log SET doubted = 0 WHERE log = (SELECT id FROM log WHERE name = ?)`

	insertQueued = `INSERT INTO own_queue (log, entry) VALUES (?, ?)`
)

// readOwn returns the rows of the logs that are the gateway's own.
func (t *tx) readOwn() (map[int64]bool, error) {
	ids, err := collectColumn[int64](t, ownLogs)
	own := make(map[int64]bool, len(ids))
	for _, id := range ids {
		own[id] = true
	}
	return own, err
}

// refuseOwn is gateway.ErrOwnLog where a log, by its row, is the gateway's own.
func (t *tx) refuseOwn(log int64, name string) error {
	own, err := t.readOwn()
	if err == nil && own[log] {
		err = fmt.Errorf("%w: %s", gateway.ErrOwnLog, name)
	}
	return err
}

// AddOwnLog implements gateway.OwnLogs.
func (s *Store) AddOwnLog(ctx context.Context, log, origin string) error {
	const doing = "adding an own log"
	if err := store.CheckOwnNames(log, origin); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		id, err := s.logs.idOf(t, log)
		if err != nil {
			return err
		}
		var there string
		var closed bool
		switch err := t.QueryRow(originOfLog, id).Scan(&there, &closed); {
		case err == nil && there != origin:
			return fmt.Errorf("%w: %s has the origin %s", gateway.ErrOtherOrigin, log, there)
		case err == nil && closed:
			return fmt.Errorf("%w: %s", gateway.ErrOwnLogClosed, origin)
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
		return t.insertOwn(id, log, origin)
	})
}

func (t *tx) insertOwn(id int64, log, origin string) error {
	var foreign bool
	if err := t.QueryRow(isForeignLog, id).Scan(&foreign); err != nil {
		return err
	}
	if foreign {
		return fmt.Errorf("%w: %s has entries of another log, or is retired", gateway.ErrOtherOrigin, log)
	}
	root := tiletree.EmptyTree().Root
	r, err := t.Exec(insertOwnLog, id, origin, root[:])
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return fmt.Errorf("%w: another log has the origin %s", gateway.ErrOtherOrigin, origin)
}

// OwnLog implements gateway.OwnLogs.
func (s *Store) OwnLog(ctx context.Context, log string) (gateway.OwnLog, error) {
	var found gateway.OwnLog
	err := s.readTx(ctx, "reading an own log", func(t *tx) (err error) {
		_, found, err = t.readOwnLog(log)
		return err
	})
	if err != nil {
		return gateway.OwnLog{}, err
	}
	return found, nil
}

// ListOwnLogs implements gateway.OwnLogs.
func (s *Store) ListOwnLogs(ctx context.Context) (all []gateway.OwnLog, err error) {
	err = s.readTx(ctx, "reading own logs", func(t *tx) error {
		names, err := collectColumn[string](t, namesOfOwnLogs)
		for _, name := range names {
			if err != nil {
				break
			}
			var l gateway.OwnLog
			_, l, err = t.readOwnLog(name)
			all = append(all, l)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readOwnLog returns an own log with its row. The error is gateway.ErrNotFound where there is none.
func (t *tx) readOwnLog(name string) (row int64, l gateway.OwnLog, err error) {
	var root, anchorRoot []byte
	var anchorSize sql.NullInt64
	var submission sql.NullString
	l.ID = name
	err = t.QueryRow(selectOwnLog, name).Scan(&row, &l.Origin, &l.Closed, &l.Doubted, &l.Tree.Size, &root, &l.Logged, &anchorSize, &anchorRoot, &submission)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("%w: no own log %s", gateway.ErrNotFound, name)
	}
	if err != nil {
		return 0, gateway.OwnLog{}, err
	}
	copy(l.Tree.Root[:], root)
	l.Anchored.Size, l.Anchored.Submission = uint64(anchorSize.Int64), submission.String
	copy(l.Anchored.Root[:], anchorRoot)
	return row, l, nil
}
