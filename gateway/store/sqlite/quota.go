// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	useOfQuota = `SELECT submissions, bytes FROM quota_use WHERE day = ? AND tenant = ? AND subject = ?`

	countOfSubject = `
SELECT COUNT(*) FROM (SELECT 1 FROM submission
WHERE tenant = ? AND subject = ? AND subject IS NOT NULL AND (state = 'PENDING' OR state = 'PARTIAL') LIMIT ?)`

	chargeQuota = `
INSERT INTO quota_use (day, tenant, subject, submissions, bytes) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET submissions = submissions + excluded.submissions, bytes = bytes + excluded.bytes`

	dropOldUses = `
DELETE FROM quota_use WHERE (day, tenant, subject) IN (SELECT day, tenant, subject FROM quota_use WHERE day < ? LIMIT ?)`
)

// usesDropped bounds the old rows that one Enqueue removes, beside as many as it adds.
const usesDropped = 512

// checkQuotas returns the *gateway.QuotaError of a new submission, or nil.
func (e *enqueuing) checkQuotas(t *tx, r *newRow) (refused, err error) {
	tenant := e.tenants[r.Tenant]
	for _, q := range r.Quotas {
		if err := e.readUse(t, tenant, q); err != nil {
			return nil, err
		}
	}
	return e.uses.Check(tenant, r.Quotas, r.weighQuota()), nil
}

func (e *enqueuing) readUse(t *tx, tenant int64, q gateway.Quota) error {
	k := store.QuotaKey{Tenant: tenant, Subject: q.Subject}
	if e.uses.Knows(k) {
		return nil
	}
	var use store.Use
	err := t.QueryRow(useOfQuota, e.uses.Day(), tenant, q.Subject).Scan(&use.Submissions, &use.Bytes)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if q.Pending > 0 {
		if err := t.QueryRow(countOfSubject, tenant, q.Subject, q.Pending).Scan(&use.Pending); err != nil {
			return err
		}
	}
	e.uses.Note(k, use)
	return nil
}

// chargeQuotas counts what was stored, and removes what was counted on days that are over. A clock that is set back by
// a day finds its counts.
func (e *enqueuing) chargeQuotas(t *tx) error {
	keys, uses := e.uses.Added()
	for i, k := range keys {
		if _, err := t.Exec(chargeQuota, e.uses.Day(), k.Tenant, k.Subject, uses[i].Submissions, uses[i].Bytes); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	_, err := t.Exec(dropOldUses, e.uses.Day()-1, usesDropped+len(keys))
	return err
}

// subjectOf returns whose quota bounds what is pending of r, or nil.
func subjectOf(r *newRow) *string {
	if q := store.PendingOf(r.Quotas); q != nil {
		return &q.Subject
	}
	return nil
}
