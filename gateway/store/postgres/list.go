// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// List implements gateway.Store.
func (s *Store) List(ctx context.Context, tenant string, p gateway.ListParams) ([]gateway.Submission, string, error) {
	query, err := newListQuery(tenant, p)
	if err != nil {
		return nil, "", fmt.Errorf("listing submissions: %w", err)
	}
	after := int64(math.MaxInt64)
	if p.PageToken != "" {
		if after, err = store.ParsePageToken(tenant, p); err != nil {
			return nil, "", err
		}
	}
	var l listing
	err = s.lookUpTx(ctx, "listing submissions", func(t *tx) error {
		l = listing{params: p, query: query, size: store.PageSize(p.PageSize)}
		return l.fillPage(t, after)
	})
	if err != nil {
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
	query  listQuery
	size   int

	page []gateway.Submission
	seqs []int64 // of page
}

// fillPage reads until it has one submission more than the page holds, which shows that there is a
// next page. The query matches prefixes, so store.Matches compares what it found in whole.
func (l *listing) fillPage(t *tx, after int64) error {
	for len(l.page) <= l.size {
		limit := l.size + 1 - len(l.page)
		text, args := l.query.endPage(after, limit)
		seqs, err := collectColumn[int64](t, text, args...)
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

// listQuery is a query for a tenant's submissions on its way.
type listQuery struct {
	text string
	args []any
	// seq names the submission's row, and place is what its place in lists is by. Of rows of submission that is not the row's
	// number itself: in the order of all tenants' rows no plan is to look for those of one that has few.
	seq, place string
}

// add appends a condition, in which each ? stands for one of args.
func (q *listQuery) add(condition string, args ...any) {
	for _, c := range []byte(condition) {
		if c != '?' {
			q.text += string(rune(c))
			continue
		}
		q.args, args = append(q.args, args[0]), args[1:]
		q.text += "$" + strconv.Itoa(len(q.args))
	}
}

// endPage returns the query for the page that is after a place, and of a length.
func (q listQuery) endPage(after int64, limit int) (string, []any) {
	q.args = slices.Clone(q.args)
	q.add(` AND `+q.place+` < ? ORDER BY `+q.place+` DESC LIMIT ?`, after, limit)
	return q.text, q.args
}

// newListQuery returns the query for the submissions that p asks for. A signer may have millions of submissions, of
// which few are not logged, so a state other than that leads to fewer rows than the signer does.
func newListQuery(tenant string, p gateway.ListParams) (q listQuery, err error) {
	const owner = ` tenant = (SELECT id FROM tenant WHERE name = ?)`
	signer, ofRow := p.Signer, false
	switch {
	case p.Artifact != nil:
		prefix, err := store.DigestPrefix(*p.Artifact)
		if err != nil {
			return q, err
		}
		q.add(`SELECT submission FROM submission_digest i WHERE`+owner+` AND prefix = ?`, tenant, prefix)
	case signer != nil && (p.State == "" || p.State == gateway.Logged):
		q.add(`SELECT submission FROM submission_signer i WHERE`+owner+` AND prefix = ?`, tenant, store.SignerPrefix(*signer))
		signer = nil
	default:
		q.add(`SELECT seq FROM submission i WHERE`+owner, tenant)
		ofRow = true
	}
	q.seq, q.place = `i.submission`, `i.submission`
	if ofRow {
		q.seq, q.place = `i.seq`, `(i.seq + 0)`
	}
	q.addState(p.State, ofRow)
	if signer != nil {
		q.add(` AND EXISTS (SELECT 1 FROM submission_signer g WHERE g.tenant = i.tenant AND g.prefix = ? AND g.submission = `+q.seq+`)`,
			store.SignerPrefix(*signer))
	}
	return q, nil
}

// addState asks for a state. A known one stands in the text, since a plan that is made for any of them cannot use
// the index of those that are not logged.
func (q *listQuery) addState(state gateway.State, ofRow bool) {
	if state == "" {
		return
	}
	column := `(SELECT s.state FROM submission s WHERE s.seq = i.submission)`
	if ofRow {
		column = `i.state`
	}
	if slices.Contains([]gateway.State{gateway.Pending, gateway.Partial, gateway.Logged, gateway.Failed}, state) {
		q.add(` AND ` + column + ` = '` + string(state) + `'`)
		return
	}
	q.add(` AND `+column+` = ?`, string(state))
}
