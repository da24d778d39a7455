// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	ownLogs = `SELECT log FROM own_log WHERE log = ANY($1::bigint[])`

	ownNames = `SELECT l.name FROM own_log o JOIN log l ON l.id = o.log WHERE l.name = ANY($1::text[]) LIMIT 1`

	originOfLog = `SELECT origin, closed FROM own_log WHERE log = $1`

	namesOfOwnLogs = `SELECT l.name FROM own_log o JOIN log l ON l.id = o.log ORDER BY l.name COLLATE "C"`

	insertOwnLog = `INSERT INTO own_log (log, origin, root) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`

	selectOwnLog = `
SELECT o.log, o.origin, o.closed, o.size, o.root, o.logged, (SELECT l.incarnation = ` + lifeMark + ` FROM log l WHERE l.id = o.log)
FROM own_log o WHERE o.log = (SELECT id FROM log WHERE name = $1)`

	lastAnchor = `
SELECT a.size, a.root, a.submission FROM own_anchor a WHERE a.log = (SELECT id FROM log WHERE name = $1) ORDER BY a.size DESC LIMIT 1`

	// What a log is that is not for the gateway alone.
	isForeignLog = `SELECT retired OR EXISTS (SELECT 1 FROM entry e WHERE e.log = l.id) FROM log l WHERE l.id = $1`

	insertQueued = `INSERT INTO own_queue (log, entry) SELECT * FROM unnest($1::bigint[], $2::bigint[])`

	// A replica that has waited for another one sees what that has left.
	lockOwnLog = selectOwnLog + ` FOR NO KEY UPDATE`
)

// queueOwn adds to a batch what notes which of the logs, by their rows, are the gateway's own.
func queueOwn(b *pgx.Batch, logs []int64, own map[int64]bool) {
	queueEach(b, ownLogs, []any{logs}, func(scan func(...any) error) error {
		var log int64
		err := scan(&log)
		own[log] = true
		return err
	})
}

// refuseOwn is gateway.ErrOwnLog where one of the logs is the gateway's own.
func (t *tx) refuseOwn(names ...string) error {
	var own string
	err := t.scanRow(ownNames, []any{names}, &own)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: %s", gateway.ErrOwnLog, own)
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
		if err := t.lockRetirement(id); err != nil { // and so for whoever stores entries for it
			return err
		}
		s.mistrusted.note(log, t.life)
		var there string
		var closed bool
		switch err := t.scanRow(originOfLog, []any{id}, &there, &closed); {
		case err == nil && there != origin:
			return fmt.Errorf("%w: %s has the origin %s", gateway.ErrOtherOrigin, log, there)
		case err == nil && closed:
			return fmt.Errorf("%w: %s", gateway.ErrOwnLogClosed, origin)
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		return t.insertOwn(id, log, origin)
	})
}

func (t *tx) insertOwn(id int64, log, origin string) error {
	var foreign bool
	if err := t.scanRow(isForeignLog, []any{id}, &foreign); err != nil {
		return err
	}
	if foreign {
		return fmt.Errorf("%w: %s has entries of another log, or is retired", gateway.ErrOtherOrigin, log)
	}
	root := tiletree.EmptyTree().Root
	n, err := t.exec(insertOwnLog, id, origin, root[:])
	if err == nil && n == 0 {
		err = fmt.Errorf("%w: another log has the origin %s", gateway.ErrOtherOrigin, origin)
	}
	return err
}

// OwnLog implements gateway.OwnLogs.
func (s *Store) OwnLog(ctx context.Context, log string) (gateway.OwnLog, error) {
	var found ownLog
	err := s.lookUpTx(ctx, "reading an own log", func(t *tx) (err error) {
		found, err = t.readOwnLog(selectOwnLog, log)
		return err
	})
	if err != nil {
		return gateway.OwnLog{}, err
	}
	return found.OwnLog, nil
}

// ListOwnLogs implements gateway.OwnLogs.
func (s *Store) ListOwnLogs(ctx context.Context) (all []gateway.OwnLog, err error) {
	err = s.readTx(ctx, "reading own logs", func(t *tx) error {
		all = nil
		names, err := collectColumn[string](t, namesOfOwnLogs)
		for _, name := range names {
			if err != nil {
				break
			}
			var l ownLog
			l, err = t.readOwnLog(selectOwnLog, name)
			all = append(all, l.OwnLog)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ownLog is an own log with its row.
type ownLog struct {
	gateway.OwnLog
	row  int64
	same bool // the database is as it was when DoubtPending was last called for it, or when it was added
}

// readOwnLog returns an own log, by selectOwnLog or lockOwnLog. The error is gateway.ErrNotFound where there is none.
func (t *tx) readOwnLog(query, name string) (l ownLog, err error) {
	var b pgx.Batch
	found := false
	l.ID = name
	queueEach(&b, query, []any{name}, func(scan func(...any) error) error {
		var root []byte
		found = true
		err := scan(&l.row, &l.Origin, &l.Closed, &l.Tree.Size, &root, &l.Logged, &l.same)
		copy(l.Tree.Root[:], root)
		l.Doubted = !l.same
		return err
	})
	queueEach(&b, lastAnchor, []any{name}, func(scan func(...any) error) error { return scanAnchor(scan, &l.Anchored) })
	if err = t.sendBatch(&b); err == nil && !found {
		err = fmt.Errorf("%w: no own log %s", gateway.ErrNotFound, name)
	}
	if err != nil {
		return ownLog{}, err
	}
	return l, nil
}

func scanAnchor(scan func(...any) error, a *gateway.OwnAnchor) error {
	var root []byte
	err := scan(&a.Size, &root, &a.Submission)
	copy(a.Root[:], root)
	return err
}
