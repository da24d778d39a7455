// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/turns"
)

const (
	// Where entries stand that may be sent: in the index entry_queue.
	sendable = `state = 'PENDING' AND NOT in_doubt AND next_at = 0`

	anyInLine = `SELECT EXISTS (SELECT 1 FROM entry WHERE log = $1 AND priority = $2 AND ` + sendable + `)`

	// Tenants after $3, up to $4, each found by one look into the index.
	tenantsInLine = `
WITH RECURSIVE line (tenant, n) AS (
    SELECT (SELECT MIN(tenant) FROM entry WHERE log = $1 AND priority = $2 AND ` + sendable + ` AND tenant > $3 AND tenant <= $4), 1
    UNION ALL
    SELECT (SELECT MIN(e.tenant) FROM entry e WHERE e.log = $1 AND e.priority = $2 AND ` + sendable + ` AND e.tenant > line.tenant
        AND e.tenant <= $4), n + 1
    FROM line WHERE line.tenant IS NOT NULL AND n < $5)
SELECT tenant FROM line WHERE tenant IS NOT NULL`

	// $4 to $6 are tenants and what was read of them: the last one's queued_at and id. What another claim has locked is passed over.
	entriesInLine = `
SELECT ` + entryColumns + `, e.tenant, e.queued_at FROM (
    SELECT q.* FROM unnest($4::bigint[], $5::bigint[], $6::bigint[]) AS j (tenant, queued_at, id) CROSS JOIN LATERAL (
        SELECT * FROM entry WHERE log = $1 AND priority = $2 AND ` + sendable + ` AND tenant = j.tenant AND queued_at <= $3
            AND (queued_at, id) > (j.queued_at, j.id)
        ORDER BY queued_at, id LIMIT $7 FOR UPDATE SKIP LOCKED) q
    LIMIT $8) e ` + entryNames
)

// waitingLines shows what waits for a log, and locks what it shows of entries.
type waitingLines struct {
	*tx
	log int64
}

var _ turns.Source = waitingLines{}

// pickEntries returns up to limit sendable entries of a log, those to send first first, without their bodies. They are
// locked.
func (t *tx) pickEntries(log int64, limit int) ([]gateway.Claimed, error) {
	picked, keep, err := t.store.rotation.Pick(waitingLines{t, log}, log, t.now, limit)
	if err != nil {
		return nil, err
	}
	t.committed = append(t.committed, keep)
	return picked, nil
}

// AnyInLine implements turns.Source.
func (w waitingLines) AnyInLine(p gateway.Priority) (found bool, err error) {
	err = w.scanRow(anyInLine, []any{w.log, p}, &found)
	return found, err
}

// ListTenants implements turns.Source.
func (w waitingLines) ListTenants(p gateway.Priority, after, upTo int64, n int) ([]int64, error) {
	return collectColumn[int64](w.tx, tenantsInLine, w.log, p, after, upTo, n)
}

// ReadEntries implements turns.Source. No more are locked than may be picked.
func (w waitingLines) ReadEntries(p gateway.Priority, before int64, places []turns.Place, each, wanted int) (map[int64][]turns.Entry, error) {
	tenants, queuedAt, ids := make([]int64, len(places)), make([]int64, len(places)), make([]int64, len(places))
	for i, place := range places {
		tenants[i], queuedAt[i], ids[i] = place.Tenant, place.QueuedAt, place.ID
	}
	if each > 1 {
		wanted = each * len(places)
	}
	rows := make(map[int64][]turns.Entry, len(places))
	err := w.eachRow(entriesInLine, []any{w.log, p, before, tenants, queuedAt, ids, each, wanted}, func(scan func(...any) error) error {
		var e turns.Entry
		var err error
		e.Entry, err = scanEntry(scan, &e.Tenant, &e.QueuedAt)
		rows[e.Tenant] = append(rows[e.Tenant], e)
		return err
	})
	return rows, err
}
