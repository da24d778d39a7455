// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"math"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// List implements gateway.Store.
func (s *Store) List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error) {
	query, args, err := listQuery(tenant, p)
	if err != nil {
		return nil, "", fmt.Errorf("listing submissions: %w", err)
	}
	after := int64(math.MaxInt64)
	if p.PageToken != "" {
		if after, err = store.ParsePageToken(tenant, p); err != nil {
			return nil, "", err
		}
	}
	l := listing{params: p, query: query, args: args, size: store.PageSize(p.PageSize)}
	if err := s.readTx(ctx, "listing submissions", func(t *tx) error { return l.fillPage(t, after) }); err != nil {
		return nil, "", err
	}
	if len(l.page) <= l.size {
		return l.page, "", nil
	}
	return l.page[:l.size], store.PageToken(tenant, p, l.seqs[l.size-1]), nil
}

// listing is one List on its way.
type listing struct {
	params gateway.ListParams
	query  string
	args   []any
	size   int

	page []gateway.Submission
	seqs []int64 // of page
}

// fillPage reads until it has one submission more than the page holds, which shows that there is a
// next page. The query matches prefixes, so store.Matches compares what it found in whole.
func (l *listing) fillPage(t *tx, after int64) error {
	for len(l.page) <= l.size {
		limit := l.size + 1 - len(l.page)
		seqs, err := collectColumn[int64](t, l.query, append(l.args[:len(l.args):len(l.args)], after, limit)...)
		if err != nil {
			return err
		}
		found, err := t.readSubmissions(seqs)
		if err != nil {
			return err
		}
		for _, seq := range seqs {
			if sub := found[seq]; store.Matches(&sub.SubmissionFields, l.params) {
				l.page, l.seqs = append(l.page, sub), append(l.seqs, seq)
			}
			after = seq
		}
		if len(seqs) < limit {
			return nil
		}
	}
	return nil
}

// listQuery returns a query for the tenant's submissions, and its arguments but for the place that
// the page is after and its length. A signer may have millions of submissions, of which few are not
// logged, so a state other than that leads to fewer rows than the signer does.
func listQuery(tenant string, p gateway.ListParams) (query string, args []any, err error) {
	const (
		plain      = `SELECT seq FROM submission i WHERE tenant = (SELECT id FROM tenant WHERE name = ?)`
		byArtifact = `SELECT submission AS seq FROM submission_digest i WHERE tenant = (SELECT id FROM tenant WHERE name = ?) AND prefix = ?`
		bySigner   = `SELECT submission AS seq FROM submission_signer i WHERE tenant = (SELECT id FROM tenant WHERE name = ?) AND prefix = ?`
		stateIs    = ` AND (SELECT state FROM submission s WHERE s.seq = i.submission) = ?`
		signedBy   = ` AND EXISTS (SELECT 1 FROM submission_signer g WHERE g.tenant = i.tenant AND g.prefix = ? AND g.submission = `
	)
	query, args = plain, []any{tenant}
	state, seq := ` AND state = ?`, `i.seq`
	signer := p.Signer
	switch {
	case p.Artifact != nil:
		prefix, err := store.DigestPrefix(*p.Artifact)
		if err != nil {
			return "", nil, err
		}
		query, args = byArtifact, append(args, prefix)
		state, seq = stateIs, `i.submission`
	case signer != nil && (p.State == "" || p.State == gateway.Logged):
		query, args = bySigner, append(args, store.SignerPrefix(*signer))
		state, seq = stateIs, `i.submission`
		signer = nil
	}
	if p.State != "" {
		query, args = query+state, append(args, string(p.State))
	}
	if signer != nil {
		query, args = query+signedBy+seq+`)`, append(args, store.SignerPrefix(*signer))
	}
	return query + ` AND ` + seq + ` < ? ORDER BY ` + seq + ` DESC LIMIT ?`, args, nil
}
