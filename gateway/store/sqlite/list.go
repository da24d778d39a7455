// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	pageAfter = ` AND (i.created_at, i.submission) < (?, ?)`
	pageOrder = ` ORDER BY i.created_at DESC, i.submission DESC LIMIT ?`
)

// List implements gateway.Store. Pages hold store.DefaultPageSize submissions when
// p.PageSize is not positive, and never more than store.MaxPageSize. Each page is read from
// the index of the most selective filter, in order: artifact, signer, state.
func (s *Store) List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error) {
	query, args := listQuery(tenant, p)
	size := store.PageSize(p.PageSize)
	if p.PageToken != "" {
		after, err := store.ParsePageToken(tenant, p)
		if err != nil {
			return nil, "", err
		}
		query += pageAfter
		args = append(args, store.Millis(after.CreatedAt), after.ID)
	}
	query += pageOrder
	args = append(args, size+1) // one more tells whether there is a next page

	var page []gateway.Submission
	err := s.read(ctx, "listing submissions", func(t *tx) error {
		ids, err := collect[string](t, query, args...)
		if err != nil {
			return err
		}
		found, err := t.submissions(ids[:min(size+1, len(ids))])
		for _, id := range ids {
			page = append(page, found[id])
		}
		return err
	})
	if err != nil || len(page) <= size {
		return page, "", err
	}
	page = page[:size]
	last := page[size-1]
	return page, store.PageToken(tenant, p, store.Cursor{CreatedAt: last.CreatedAt, ID: last.ID}), nil
}

// listQuery returns a query for the IDs of the tenant's submissions; i is the index it is
// driven by.
func listQuery(tenant string, p gateway.ListParams) (string, []any) {
	const stateIs = ` AND (SELECT state FROM submission s WHERE s.id = i.submission) = ?`
	const signedBy = ` AND EXISTS (SELECT 1 FROM submission_signer g
        WHERE g.tenant = i.tenant AND g.signer = ? AND g.created_at = i.created_at AND g.submission = i.submission)`
	const plain = `SELECT i.submission FROM (SELECT tenant, state, created_at, id AS submission FROM submission) i WHERE i.tenant = ?`

	var query string
	var args []any
	switch {
	case p.Artifact != nil:
		query = `SELECT i.submission FROM submission_digest i WHERE i.tenant = ? AND i.digest = ?`
		args = []any{tenant, p.Artifact.String()}
		if p.Signer != nil {
			query += signedBy
			args = append(args, p.Signer[:])
		}
	case p.Signer != nil:
		query = `SELECT i.submission FROM submission_signer i WHERE i.tenant = ? AND i.signer = ?`
		args = []any{tenant, p.Signer[:]}
	case p.State != "":
		return plain + ` AND i.state = ?`, []any{tenant, string(p.State)}
	default:
		return plain, []any{tenant}
	}
	if p.State != "" {
		query += stateIs
		args = append(args, string(p.State))
	}
	return query, args
}
