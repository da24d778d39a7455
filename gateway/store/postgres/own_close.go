// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	closeOwnLog = `UPDATE own_log SET closed = true WHERE log = $1`

	// What is a record there already, or waits to be one, stays so.
	queueMoved = `
INSERT INTO own_queue (log, entry) SELECT e.log, e.id FROM entry e
WHERE e.id = ANY($1::bigint[]) AND NOT EXISTS (SELECT 1 FROM own_record r WHERE r.entry = e.id) ON CONFLICT DO NOTHING`
)

// CloseOwnLog implements gateway.OwnLogs.
func (s *Store) CloseOwnLog(ctx context.Context, p gateway.CloseParams) (m gateway.Moved, err error) {
	err = s.writeTx(ctx, "closing an own log", func(t *tx) error {
		m, err = closePage(t, p)
		return err
	})
	if err != nil {
		return gateway.Moved{}, err
	}
	return m, nil
}

// closePage locks both logs, so that neither gets records meanwhile.
func closePage(t *tx, p gateway.CloseParams) (m gateway.Moved, err error) {
	from, err := t.readOwnLog(lockOwnLog, p.Log)
	if err != nil {
		return m, err
	}
	to, err := t.readOwnLog(lockOwnLog, p.To)
	if err == nil {
		err = store.CheckClose(from.OwnLog, to.OwnLog)
	}
	if err == nil {
		_, err = t.exec(closeOwnLog, from.row)
	}
	if err != nil {
		return m, err
	}
	v := &move{from: from.row, to: to.row, toName: p.To, inDoubt: true, own: true, backlogs: map[int64]backlog{}}
	return v.movePage(t, gateway.MoveParams{Limit: p.Limit})
}
