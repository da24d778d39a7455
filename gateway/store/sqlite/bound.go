// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// Spooled artifacts count once they are enqueued, whoever they are for: countOpen has the others.
	countPending = `
SELECT COALESCE(SUM(pending), 0), COALESCE(SUM(pending_bytes), 0) + (SELECT COALESCE(SUM(size), 0) FROM blob WHERE attached = 1) FROM log`

	addPending = `UPDATE log SET pending = pending + ?2, pending_bytes = pending_bytes + ?3 WHERE id = ?1`

	weighEntry = `SELECT state, bytes FROM entry WHERE log = ? AND leaf_hash = ?`
)

// backlog is what waits for its logs: pending entries, and the bytes stored for them.
type backlog struct {
	entries int
	bytes   int64
}

func (b backlog) plus(more backlog) backlog {
	return backlog{b.entries + more.entries, b.bytes + more.bytes}
}

// changeBacklog changes what waits, of logs by their row.
func (t *tx) changeBacklog(changes map[int64]backlog) error {
	for log, n := range changes {
		if _, err := t.Exec(addPending, log, n.entries, n.bytes); err != nil {
			return err
		}
	}
	return nil
}

// addBacklog notes that more waits for a log.
func (e *enqueuing) addBacklog(log int64, more backlog) {
	e.added[log] = e.added[log].plus(more)
	e.addedInAll = e.addedInAll.plus(more)
}

// fits reports whether the queue may grow by more. What adds no entry is never refused.
func (e *enqueuing) fits(t *tx, more backlog) (bool, error) {
	o := &e.store.opts
	if more.entries == 0 || o.MaxPending <= 0 && o.MaxPendingBytes <= 0 {
		return true, nil
	}
	if e.before == nil {
		e.before = new(backlog)
		if err := t.QueryRow(countPending).Scan(&e.before.entries, &e.before.bytes); err != nil {
			return false, err
		}
	}
	after := e.before.plus(e.addedInAll).plus(more)
	return (o.MaxPending <= 0 || after.entries <= o.MaxPending) && (o.MaxPendingBytes <= 0 || after.bytes <= o.MaxPendingBytes), nil
}

// hasRoom reports whether r may be stored. The entries that are there already are looked up only
// where it would not fit with all of them.
func (e *enqueuing) hasRoom(t *tx, r *newRow) (bool, error) {
	if gateway.IsAnchorTenant(r.Tenant) {
		return true, nil
	}
	if ok, err := e.fits(t, r.weighRow()); ok || err != nil {
		return ok, err
	}
	more := backlog{bytes: int64(len(r.receipt))}
	for _, n := range r.Entries {
		var state gateway.State
		bytes := weighNew(n)
		err := t.QueryRow(weighEntry, e.logs[n.Log], n.LeafHash[:]).Scan(&state, &bytes)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return false, err
		}
		if err != nil || state == gateway.Failed { // a failed one will be pending again
			more = more.plus(backlog{1, bytes})
		}
	}
	return e.fits(t, more)
}

// weighRow returns what r adds to the queue when none of its entries is known.
func (r *newRow) weighRow() backlog {
	w := backlog{len(r.Entries), int64(len(r.receipt))}
	for _, n := range r.Entries {
		w.bytes += weighNew(n)
	}
	return w
}

// weighQuota returns the bytes that quotas count of r.
func (r *newRow) weighQuota() int64 { return r.weighRow().bytes + store.WeighBlobs(r.NewSubmission) }

func weighNew(n gateway.NewEntry) int64 { return int64(len(n.Body) + len(n.Signature)) }

func (s *Store) errFull() error {
	return fmt.Errorf("%w: at most %d entries and %d bytes may be pending", gateway.ErrQueueFull, s.opts.MaxPending, s.opts.MaxPendingBytes)
}
