// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	receiptOfSubmission = `SELECT receipt FROM submission_blob WHERE submission = $1`

	blobsOfSubmission = `
SELECT e.log_index, b.body, b.inclusion_kind, b.inclusion, b.tokens, EXISTS (SELECT 1 FROM own_log o WHERE o.log = e.log)
FROM submission_entry se JOIN entry e ON e.id = se.entry JOIN entry_blob b ON b.entry = e.id
WHERE se.submission = $1 ORDER BY se.role`
)

// Archived implements gateway.Store.
func (s *Store) Archived(ctx context.Context, tenant, id string) (gateway.Archived, error) {
	var found gateway.Archived
	err := s.readOwned(ctx, tenant, id, func(t *tx, seq int64) (err error) {
		found, err = t.readArchived(seq)
		return err
	})
	if err != nil {
		return gateway.Archived{}, err
	}
	return found, nil
}

func (t *tx) readArchived(seq int64) (a gateway.Archived, err error) {
	var receipt []byte
	err = t.scanRow(receiptOfSubmission, []any{seq}, &receipt)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return a, err
	}
	if a.Receipt, err = store.DecodeReceipt(receipt); err != nil {
		return a, err
	}
	err = t.eachRow(blobsOfSubmission, []any{seq}, func(scan func(...any) error) error {
		e, err := scanArchived(scan)
		a.Entries = append(a.Entries, e)
		return err
	})
	return a, err
}

func scanArchived(scan func(...any) error) (e gateway.ArchivedEntry, err error) {
	var index *int64
	var kind *string
	var proof, tokens []byte
	var own bool
	if err := scan(&index, &e.Body, &kind, &proof, &tokens, &own); err != nil {
		return e, err
	}
	switch {
	case own && index != nil:
		e.Inclusion = &gateway.Inclusion{Kind: gateway.KindOwnRecord, Index: uint64(*index)}
	case kind != nil && index != nil:
		e.Inclusion = &gateway.Inclusion{Kind: *kind, Index: uint64(*index), Proof: proof}
	}
	e.Tokens, err = store.DecodeTokens(tokens)
	return e, err
}
