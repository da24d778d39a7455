// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	insertAudit = `
INSERT INTO audit (tenant, at, event, submission, caller, address, request, reason)
SELECT a.tenant, $1, a.event, a.submission, a.caller, a.address, a.request, a.reason
FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[])
    AS a (tenant, event, submission, caller, address, request, reason)`

	listAudit = `
SELECT seq, at, event, submission, caller, address, request, reason FROM audit
WHERE tenant = (SELECT id FROM tenant WHERE name = $1) AND (seq + 0) < $2 ORDER BY (seq + 0) DESC LIMIT $3`

	// The oldest are the first ones: no more than the limit is looked at. What was recorded before an old one is old, too: the
	// clock was ahead. What another process removes is left to it.
	trimAudit = `
DELETE FROM audit WHERE seq = ANY (ARRAY(
    SELECT seq FROM (
        SELECT seq, MAX(seq) FILTER (WHERE at < $1) OVER () AS last
        FROM (SELECT seq, at FROM audit ORDER BY seq LIMIT $2 FOR UPDATE SKIP LOCKED) a) b
    WHERE seq <= last))`
)

// auditRows are rows of the audit trail on their way.
type auditRows struct {
	tenants                               []int64
	events                                []string
	submissions                           []*int64
	callers, addresses, requests, reasons []string
}

func (a *auditRows) add(tenant int64, event gateway.AuditEvent, submission *int64, from gateway.AuditOrigin, reason string) {
	a.tenants, a.events, a.submissions = append(a.tenants, tenant), append(a.events, string(event)), append(a.submissions, submission)
	a.callers, a.addresses = append(a.callers, from.Caller), append(a.addresses, from.Address)
	a.requests, a.reasons = append(a.requests, from.RequestID), append(a.reasons, reason)
}

func (a *auditRows) queue(b *pgx.Batch, now int64) {
	if len(a.tenants) > 0 {
		b.Queue(insertAudit, now, a.tenants, a.events, a.submissions, a.callers, a.addresses, a.requests, a.reasons)
	}
}

// queueAccepted adds to a batch the records of what was stored now, or before.
func (e *enqueuing) queueAccepted(b *pgx.Batch) {
	var rows auditRows
	for _, i := range e.places() {
		r, event := &e.rows[i], gateway.AuditAccepted
		seq, known := e.lookUpKnown(i)
		if r.Audit == nil || !known {
			continue
		}
		if e.results[i].Submission.Existing {
			event = gateway.AuditRepeated
		}
		rows.add(e.tenants[r.Tenant], event, &seq, *r.Audit, "")
	}
	rows.queue(b, e.now)
}

// RecordAudit implements gateway.Store.
func (s *Store) RecordAudit(ctx context.Context, records []gateway.AuditRecord) error {
	for i := range records {
		if err := store.CheckAudit(&records[i]); err != nil {
			return err
		}
	}
	return s.writeTx(ctx, "recording the audit trail", func(t *tx) error {
		tenants := make(map[string]int64)
		for _, r := range records {
			tenants[r.Tenant] = 0
		}
		if err := resolveAll(t, s.tenants, tenants); err != nil {
			return err
		}
		var rows auditRows
		for _, r := range records {
			rows.add(tenants[r.Tenant], r.Event, nil, r.AuditOrigin, string(r.Reason))
		}
		var b pgx.Batch
		rows.queue(&b, t.now)
		return t.sendBatch(&b)
	})
}

// ListAudit implements gateway.Store.
func (s *Store) ListAudit(ctx context.Context, tenant string, p gateway.AuditParams) (page []gateway.AuditRecord, next string, err error) {
	after, err := store.ParseAuditToken(tenant, p.PageToken)
	if err != nil {
		return nil, "", err
	}
	size := store.PageSize(p.PageSize)
	err = s.readTx(ctx, "listing the audit trail", func(t *tx) error {
		rows, seqs, err := t.readAudit(tenant, after, size+1)
		if err != nil {
			return err
		}
		found, err := t.readSubmissions(slices.Sorted(maps.Keys(seqs)))
		if err != nil {
			return err
		}
		page, next = store.AuditPage(tenant, rows, found, size)
		return nil
	})
	return page, next, err
}

// readAudit returns rows of the audit trail, and the submissions that they are about.
func (t *tx) readAudit(tenant string, after int64, limit int) (rows []store.AuditRow, seqs map[int64]bool, err error) {
	seqs = make(map[int64]bool)
	err = t.eachRow(listAudit, []any{tenant, after, limit}, func(scan func(...any) error) error {
		var r store.AuditRow
		err := scan(&r.Seq, &r.At, &r.Event, &r.Submission, &r.Caller, &r.Address, &r.RequestID, &r.Reason)
		if r.Submission != nil {
			seqs[*r.Submission] = true
		}
		rows = append(rows, r)
		return err
	})
	return rows, seqs, err
}

// TrimAudit implements gateway.Store.
func (s *Store) TrimAudit(ctx context.Context, age time.Duration, limit int) (removed int, err error) {
	err = s.writeTx(ctx, "trimming the audit trail", func(t *tx) error {
		n, err := t.exec(trimAudit, t.now-age.Milliseconds(), limit)
		removed = int(n)
		return err
	})
	return removed, err
}
