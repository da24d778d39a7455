// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/turns"
)

const (
	// Where entries stand that may be sent: in the index entry_queue.
	sendable = `state = 'PENDING' AND in_doubt = 0 AND next_at = 0`

	anyInLine = `SELECT EXISTS (SELECT 1 FROM entry WHERE log = ? AND priority = ? AND ` + sendable + `)`

	// Tenants after ?3, up to ?4, each found by one look into the index.
	tenantsInLine = `
WITH RECURSIVE line (tenant, n) AS (
    SELECT (SELECT MIN(tenant) FROM entry WHERE log = ?1 AND priority = ?2 AND ` + sendable + ` AND tenant > ?3 AND tenant <= ?4), 1
    UNION ALL
    SELECT (SELECT MIN(e.tenant) FROM entry e WHERE e.log = ?1 AND e.priority = ?2 AND ` + sendable + ` AND e.tenant > line.tenant
        AND e.tenant <= ?4), n + 1
    FROM line WHERE line.tenant IS NOT NULL AND n < ?5)
SELECT tenant FROM line WHERE tenant IS NOT NULL`

	// ?4 is a JSON array of a tenant and what was read of it: the last one's queued_at and id.
	entriesInLine = `
SELECT ` + entryColumns + `, e.tenant, e.queued_at FROM json_each(?4) j CROSS JOIN entry e ON e.id IN (
    SELECT id FROM entry WHERE log = ?1 AND priority = ?2 AND ` + sendable + ` AND tenant = j.value->>0 AND queued_at <= ?3
        AND (queued_at, id) > (j.value->>1, j.value->>2)
    ORDER BY queued_at, id LIMIT ?5) ` + entryNames
)

// waitingLines shows what waits for a log, within a transaction.
type waitingLines struct {
	*tx
	log int64
}

var _ turns.Source = waitingLines{}

// pickEntries returns up to limit sendable entries of a log, those to send first first, without their bodies.
func (s *Store) pickEntries(t *tx, log, now int64, limit int) ([]gateway.Claimed, error) {
	picked, keep, err := s.rotation.Pick(waitingLines{t, log}, log, now, limit)
	if err != nil {
		return nil, err
	}
	t.committed = append(t.committed, keep)
	return picked, nil
}

// AnyInLine implements turns.Source.
func (w waitingLines) AnyInLine(p gateway.Priority) (found bool, err error) {
	err = w.QueryRow(anyInLine, w.log, p).Scan(&found)
	return found, err
}

// ListTenants implements turns.Source.
func (w waitingLines) ListTenants(p gateway.Priority, after, upTo int64, n int) ([]int64, error) {
	return collectColumn[int64](w.tx, tenantsInLine, w.log, p, after, upTo, n)
}

// ReadEntries implements turns.Source.
func (w waitingLines) ReadEntries(p gateway.Priority, before int64, places []turns.Place, each, _ int) (map[int64][]turns.Entry, error) {
	encoded := make([][3]int64, len(places))
	for i, place := range places {
		encoded[i] = [3]int64{place.Tenant, place.QueuedAt, place.ID}
	}
	arg, err := encodeList(encoded)
	if err != nil {
		return nil, err
	}
	rows := make(map[int64][]turns.Entry, len(places))
	var tenant, queuedAt int64
	row := newEntryRow(&tenant, &queuedAt)
	err = w.eachRow(entriesInLine, []any{w.log, p, before, arg, each}, func(scan func(...any) error) error {
		e, err := row.scanEntry(scan)
		rows[tenant] = append(rows[tenant], turns.Entry{Claimed: gateway.Claimed{Entry: e}, Tenant: tenant, QueuedAt: queuedAt})
		return err
	})
	return rows, err
}
