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

// List implements gateway.Store.
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
	more := false
	err := s.read(ctx, "listing submissions", func(t *tx) error {
		ids, err := collect[string](t, query, args...)
		if err != nil {
			return err
		}
		more = len(ids) > size
		ids = ids[:min(size, len(ids))]
		found, err := t.submissions(ids)
		for _, id := range ids {
			page = append(page, found[id])
		}
		return err
	})
	if err != nil {
		return nil, "", err
	}
	if !more {
		return page, "", nil
	}
	last := page[size-1]
	return page, store.PageToken(tenant, p, store.Cursor{CreatedAt: last.CreatedAt, ID: last.ID}), nil
}

// listQuery returns a query for the IDs of the tenant's submissions; i is the index it is
// driven by. A signer may have millions of submissions, of which few are not logged, so a
// state other than that leads to fewer rows than the signer does.
func listQuery(tenant string, p gateway.ListParams) (string, []any) {
	const (
		plain      = `SELECT i.submission FROM (SELECT tenant, state, created_at, id AS submission FROM submission) i WHERE i.tenant = ?`
		byArtifact = `SELECT i.submission FROM submission_digest i WHERE i.tenant = ? AND i.digest = ?`
		bySigner   = `SELECT i.submission FROM submission_signer i WHERE i.tenant = ? AND i.signer = ?`
		stateIs    = ` AND (SELECT state FROM submission s WHERE s.id = i.submission) = ?`
		signedBy   = ` AND EXISTS (SELECT 1 FROM submission_signer g
            WHERE g.tenant = i.tenant AND g.signer = ? AND g.created_at = i.created_at AND g.submission = i.submission)`
	)
	query, args := plain, []any{tenant}
	signer, state := signedBy, stateIs
	switch {
	case p.Artifact != nil:
		query, args = byArtifact, append(args, p.Artifact.String())
	case p.Signer != nil && (p.State == "" || p.State == gateway.Logged):
		query, signer, args = bySigner, "", append(args, p.Signer[:])
	default:
		state = ` AND i.state = ?`
	}
	if p.State != "" {
		query, args = query+state, append(args, string(p.State))
	}
	if p.Signer != nil && signer != "" {
		query, args = query+signer, append(args, p.Signer[:])
	}
	return query, args
}
