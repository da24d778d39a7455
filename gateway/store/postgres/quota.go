// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// All that was used on a day, by all changes, of each subject that is asked for.
	usesOfQuotas = `
SELECT k.tenant, k.subject, COALESCE(SUM(u.submissions), 0)::bigint, COALESCE(SUM(u.bytes), 0)::bigint,
    (SELECT COUNT(*) FROM (SELECT 1 FROM submission s
     WHERE s.tenant = k.tenant AND s.subject = k.subject AND s.subject IS NOT NULL AND s.state IN ('PENDING', 'PARTIAL') LIMIT k.pending) w)
FROM unnest($2::bigint[], $3::text[], $4::bigint[]) AS k (tenant, subject, pending)
LEFT JOIN quota_use u ON u.day = $1 AND u.tenant = k.tenant AND u.subject = k.subject
GROUP BY k.tenant, k.subject, k.pending`

	chargeQuotas = `
INSERT INTO quota_use (day, tenant, subject, submissions, bytes)
SELECT $1, c.tenant, c.subject, c.submissions, c.bytes
FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) AS c (tenant, subject, submissions, bytes)`

	// Whoever reads meanwhile sees the rows before, or their sum. What was counted on days before $2 is dropped.
	sumUpUses = `
WITH summed AS (
    DELETE FROM quota_use WHERE id = ANY (ARRAY(SELECT id FROM quota_use ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING day, tenant, subject, submissions, bytes)
INSERT INTO quota_use (day, tenant, subject, submissions, bytes)
SELECT day, tenant, subject, SUM(submissions), SUM(bytes) FROM summed WHERE day >= $2 GROUP BY day, tenant, subject`
)

// queueUses adds to a batch what reads how much of the quotas is used.
func (e *enqueuing) queueUses(b *pgx.Batch, places []int) {
	var tenants, pending []int64
	var subjects []string
	seen := map[store.QuotaKey]bool{}
	for _, i := range places {
		for _, q := range e.rows[i].Quotas {
			k := store.QuotaKey{Tenant: e.tenants[e.rows[i].Tenant], Subject: q.Subject}
			if !seen[k] {
				seen[k] = true
				tenants, subjects, pending = append(tenants, k.Tenant), append(subjects, k.Subject), append(pending, int64(q.Pending))
			}
		}
	}
	if len(tenants) == 0 {
		return
	}
	queueEach(b, usesOfQuotas, []any{e.uses.Day(), tenants, subjects, pending}, func(scan func(...any) error) error {
		var k store.QuotaKey
		var use store.Use
		err := scan(&k.Tenant, &k.Subject, &use.Submissions, &use.Bytes, &use.Pending)
		e.uses.Note(k, use)
		return err
	})
}

// keepWithinQuotas returns those of new submissions that their quotas bear, and refuses the others. Those count from here
// on, for what follows in this batch.
func (e *enqueuing) keepWithinQuotas(places []int) []int {
	kept := make([]int, 0, len(places))
	for _, i := range places {
		r, bytes := &e.rows[i], weighQuota(&e.rows[i])
		if err := e.uses.Check(e.tenants[r.Tenant], r.Quotas, bytes); err != nil {
			e.results[i].Err = err
			continue
		}
		e.uses.Charge(e.tenants[r.Tenant], r.Quotas, bytes)
		kept = append(kept, i)
	}
	return kept
}

// queueCharges adds to a batch what counts the submissions that were stored.
func (e *enqueuing) queueCharges(b *pgx.Batch) {
	stored := store.NewUses(e.now)
	for _, i := range e.inserted {
		stored.Charge(e.tenants[e.rows[i].Tenant], e.rows[i].Quotas, weighQuota(&e.rows[i]))
	}
	keys, uses := stored.Added()
	if len(keys) == 0 {
		return
	}
	var tenants, submissions, bytes []int64
	var subjects []string
	for i, k := range keys {
		tenants, subjects = append(tenants, k.Tenant), append(subjects, k.Subject)
		submissions, bytes = append(submissions, uses[i].Submissions), append(bytes, uses[i].Bytes)
	}
	b.Queue(chargeQuotas, stored.Day(), tenants, subjects, submissions, bytes)
	if e.store.isSumDue(len(keys)) {
		e.committed = append(e.committed, func() { sumUpQuotas(e.ctx, e.store, e.Conn(), stored.Day()-1, len(keys)) })
	}
}

// isSumDue reports whether so many charges more are due to be summed up. They are counted by rows, since a batch may have as many
// subjects as signers: what is summed up, and dropped, is more than what comes.
func (s *Store) isSumDue(charges int) bool {
	after := s.charges.Add(uint64(charges))
	sums := func(rows uint64) uint64 { return (rows + changesPerSum - 1) / changesPerSum }
	return sums(after-uint64(charges)) != sums(after)
}

// sumUpQuotas puts sums in the place of changes, and drops what was counted on days before since: after so many charges. What fails here has
// changed nothing, and is done by the next one.
func sumUpQuotas(ctx context.Context, s *Store, conn *pgx.Conn, since int64, charges int) {
	if _, err := conn.Exec(ctx, sumUpUses, max(changesSummed, 2*charges), since); err != nil {
		s.opts.Logger.DebugContext(ctx, "summing up quotas", "error", err)
	}
}
