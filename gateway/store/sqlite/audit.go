// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	insertAudit = `INSERT INTO audit (tenant, at, event, submission, caller, address, request, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`

	listAudit = `
SELECT seq, at, event, submission, caller, address, request, reason FROM audit
WHERE tenant = (SELECT id FROM tenant WHERE name = ?) AND seq < ? ORDER BY seq DESC LIMIT ?`

	// The oldest are the first ones: no more than the limit is looked at. What was recorded before an old one is old, too: the
	// clock was ahead.
	trimAudit = `
DELETE FROM audit WHERE seq <= (SELECT MAX(seq) FROM (SELECT seq, at FROM audit ORDER BY seq LIMIT ?2) WHERE at < ?1)`
)

// insertAccepted keeps the records of what was stored now, or before.
func (e *enqueuing) insertAccepted(t *tx) error {
	rows := pendingRows{insert: &e.store.statements.insertAudit}
	err := e.eachRow(func(i int) error {
		r, event := &e.rows[i], gateway.AuditAccepted
		if r.Audit == nil {
			return nil
		}
		seq, known := e.lookUpKnown(r)
		if !known {
			return nil
		}
		if e.results[i].Submission.Existing {
			event = gateway.AuditRepeated
		}
		return rows.insertRow(t, e.tenants[r.Tenant], e.createdAt, string(event), seq, r.Audit.Caller, r.Audit.Address, r.Audit.RequestID, "")
	})
	if err != nil {
		return err
	}
	return rows.insertRest(t)
}

// RecordAudit implements gateway.Store.
func (s *Store) RecordAudit(ctx context.Context, records []gateway.AuditRecord) error {
	for i := range records {
		if err := store.CheckAudit(&records[i]); err != nil {
			return err
		}
	}
	now := store.Millis(s.opts.Now())
	return s.writeTx(ctx, "recording the audit trail", func(t *tx) error {
		rows := pendingRows{insert: &s.statements.insertAudit}
		for _, r := range records {
			tenant, err := s.tenants.idOf(t, r.Tenant)
			if err == nil {
				err = rows.insertRow(t, tenant, now, string(r.Event), nil, r.Caller, r.Address, r.RequestID, string(r.Reason))
			}
			if err != nil {
				return err
			}
		}
		return rows.insertRest(t)
	})
}

// ListAudit implements gateway.Store.
func (s *Store) ListAudit(ctx context.Context, tenant string, p gateway.AuditParams) ([]gateway.AuditRecord, string, error) {
	after, err := store.ParseAuditToken(tenant, p.PageToken)
	if err != nil {
		return nil, "", err
	}
	size := store.PageSize(p.PageSize)
	var page []gateway.AuditRecord
	next := ""
	err = s.readTx(ctx, "listing the audit trail", func(t *tx) error {
		rows, seqs, err := t.readAudit(tenant, after, size+1)
		if err != nil {
			return err
		}
		found, err := t.readSubmissions(seqs)
		if err != nil {
			return err
		}
		page, next = store.AuditPage(tenant, rows, found, size)
		return nil
	})
	return page, next, err
}

// readAudit returns rows of the audit trail, and the submissions that they are about.
func (t *tx) readAudit(tenant string, after int64, limit int) (rows []store.AuditRow, seqs []int64, err error) {
	err = t.eachRow(listAudit, []any{tenant, after, limit}, func(scan func(...any) error) error {
		var r store.AuditRow
		err := scan(&r.Seq, &r.At, &r.Event, &r.Submission, &r.Caller, &r.Address, &r.RequestID, &r.Reason)
		if r.Submission != nil {
			seqs = append(seqs, *r.Submission)
		}
		rows = append(rows, r)
		return err
	})
	return rows, seqs, err
}

// TrimAudit implements gateway.Store.
func (s *Store) TrimAudit(ctx context.Context, age time.Duration, limit int) (removed int, err error) {
	before := store.Millis(s.opts.Now().Add(-age))
	err = s.writeTx(ctx, "trimming the audit trail", func(t *tx) error {
		result, err := t.Exec(trimAudit, before, limit)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		removed = int(n)
		return err
	})
	return removed, err
}
