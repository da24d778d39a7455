// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	closeOwnLog = `UPDATE own_log SET closed = 1 WHERE log = ?`

	// What is a record there already, or waits to be one, stays so.
	queueMoved = `
INSERT INTO own_queue (log, entry) SELECT e.log, e.id FROM entry e
WHERE e.id = ? AND NOT EXISTS (SELECT 1 FROM own_record r WHERE r.entry = e.id) ON CONFLICT DO NOTHING`

	dropQueuedEntry = `DELETE FROM own_queue WHERE log = ? AND entry = ?`
)

// CloseOwnLog implements gateway.OwnLogs.
func (s *Store) CloseOwnLog(ctx context.Context, p gateway.CloseParams) (m gateway.Moved, err error) {
	err = s.writeTx(ctx, "closing an own log", func(t *tx) error {
		m, err = s.closePage(t, p)
		return err
	})
	if err != nil {
		return gateway.Moved{}, err
	}
	return m, nil
}

func (s *Store) closePage(t *tx, p gateway.CloseParams) (m gateway.Moved, err error) {
	from, ended, err := t.readOwnLog(p.Log)
	if err != nil {
		return m, err
	}
	to, next, err := t.readOwnLog(p.To)
	if err == nil {
		err = store.CheckClose(ended, next)
	}
	if err == nil {
		err = t.execExactly(1, closeOwnLog, from)
	}
	if err != nil {
		return m, err
	}
	v := &move{store: s, from: from, to: to, toName: p.To, inDoubt: true, own: true, backlogs: map[int64]backlog{}}
	return v.movePage(t, gateway.MoveParams{Limit: p.Limit})
}

// dropQueuedEntry takes an entry out of an own log's queue, and reports whether it is a record instead.
func (t *tx) dropQueuedEntry(log, id int64) (isRecord bool, err error) {
	r, err := t.Exec(dropQueuedEntry, log, id)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n == 0, err
}
