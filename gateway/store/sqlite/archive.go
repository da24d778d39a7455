// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	receiptsOfSubmissions = `SELECT submission, receipt FROM submission_blob WHERE submission IN (SELECT value FROM json_each(?))`

	blobsOfSubmissions = `
SELECT e.log_index, b.body, b.inclusion_kind, b.inclusion, b.tokens, EXISTS (SELECT 1 FROM own_log o WHERE o.log = e.log), se.submission
FROM submission_entry se JOIN entry e ON e.id = se.entry JOIN entry_blob b ON b.entry = e.id
WHERE se.submission IN (SELECT value FROM json_each(?)) ORDER BY se.submission, se.role`

	weightsOfSubmissions = `
SELECT se.submission, sum(length(b.body) + ifnull(length(b.inclusion), 0) + ifnull(length(b.tokens), 0))
    + ifnull((SELECT length(r.receipt) FROM submission_blob r WHERE r.submission = se.submission), 0)
FROM submission_entry se JOIN entry_blob b ON b.entry = se.entry
WHERE se.submission IN (SELECT value FROM json_each(?)) GROUP BY se.submission ORDER BY se.submission`

	// The plus keeps SQLite from going through all of the tenant's.
	ownedSubmissions = `
SELECT seq FROM submission WHERE id IN (SELECT unhex(value) FROM json_each(?)) AND +tenant = (SELECT id FROM tenant WHERE name = ?)`
)

// Archived implements gateway.Store.
func (s *Store) Archived(ctx context.Context, tenant, id string) (gateway.Archived, error) {
	var found gateway.Archived
	err := s.readOwned(ctx, tenant, id, func(t *tx, seq int64) error {
		all, err := t.readArchived([]int64{seq})
		found = all[seq]
		return err
	})
	if err != nil {
		return gateway.Archived{}, err
	}
	return found, nil
}

// GetAll implements gateway.Store.
func (s *Store) GetAll(ctx context.Context, tenant string, ids []string) (map[string]gateway.Submission, error) {
	keys := store.ParseIDs(ids)
	texts := make([]string, 0, len(keys))
	for _, key := range keys {
		texts = append(texts, hex.EncodeToString(key[:]))
	}
	arg, err := encodeList(texts)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var all map[string]gateway.Submission
	err = s.readTx(ctx, "reading submissions", func(t *tx) error {
		seqs, err := collectColumn[int64](t, ownedSubmissions, arg, tenant)
		if err != nil || len(seqs) == 0 {
			return err
		}
		found, err := t.readSubmissions(seqs)
		if err != nil {
			return err
		}
		archived, err := t.readLogged(store.ListLogged(found))
		if errors.Is(err, store.ErrUndecodable) || isDamage(err) { // which concerns no other: each is read by itself then
			archived, err = nil, nil
		}
		all = store.NameFound(keys, found, archived)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// readLogged returns what is cold of those of the submissions for which there is room.
func (t *tx) readLogged(seqs []int64) (map[int64]gateway.Archived, error) {
	arg, err := encodeList(seqs)
	if err != nil || len(seqs) == 0 {
		return nil, err
	}
	var weights []store.Weight
	err = t.eachRow(weightsOfSubmissions, []any{arg}, func(scan func(...any) error) error {
		var w store.Weight
		err := scan(&w.Seq, &w.Bytes)
		weights = append(weights, w)
		return err
	})
	if err != nil {
		return nil, err
	}
	return t.readArchived(store.FitArchived(weights))
}

func (t *tx) readArchived(seqs []int64) (map[int64]gateway.Archived, error) {
	arg, err := encodeList(seqs)
	if err != nil {
		return nil, err
	}
	all := make(map[int64]gateway.Archived, len(seqs))
	err = t.eachRow(receiptsOfSubmissions, []any{arg}, func(scan func(...any) error) (err error) {
		var seq int64
		var receipt sql.RawBytes
		if err := scan(&seq, &receipt); err != nil {
			return err
		}
		a := all[seq]
		a.Receipt, err = store.DecodeReceipt(receipt)
		all[seq] = a
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.eachRow(blobsOfSubmissions, []any{arg}, func(scan func(...any) error) error {
		var seq int64
		e, err := scanArchived(scan, &seq)
		a := all[seq]
		a.Entries = append(a.Entries, e)
		all[seq] = a
		return err
	})
	return all, err
}

// scanArchived reads a row of blobsOfSubmissions.
func scanArchived(scan func(...any) error, seq *int64) (e gateway.ArchivedEntry, err error) {
	var index sql.NullInt64
	var kind sql.NullString
	var proof, tokens []byte
	var own bool
	if err := scan(&index, &e.Body, &kind, &proof, &tokens, &own, seq); err != nil {
		return e, err
	}
	switch {
	case own && index.Valid:
		e.Inclusion = &gateway.Inclusion{Kind: gateway.KindOwnRecord, Index: uint64(index.Int64)}
	case kind.Valid:
		e.Inclusion = &gateway.Inclusion{Kind: kind.String, Index: uint64(index.Int64), Proof: proof}
	}
	e.Tokens, err = store.DecodeTokens(tokens)
	return e, err
}
