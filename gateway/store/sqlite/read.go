// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	submissionsByID = `
SELECT id, tenant, key, format, representation, state, created_at, digests, signers, labels, receipt
FROM submission WHERE id IN (SELECT value FROM json_each(?))`

	entryColumns = `e.id, e.log, e.leaf_hash, e.state, e.next_at, e.fence, e.attempts, e.in_doubt, e.last_sent_at,
e.sent_at_tree_size, e.problem, e.body, e.inclusion`

	entriesOfSubmissions = `
SELECT ` + entryColumns + `, se.submission
FROM submission_entry se JOIN entry e ON e.id = se.entry
WHERE se.submission IN (SELECT value FROM json_each(?))
ORDER BY se.submission, se.role`

	ownedSubmission = `SELECT EXISTS (SELECT 1 FROM submission WHERE id = ? AND tenant = ?)`
)

// Get implements gateway.Store.
func (s *Store) Get(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	var found gateway.Submission
	err := s.read(ctx, "reading submission", func(t *tx) error {
		var owned bool
		if err := t.QueryRow(ownedSubmission, id, tenant).Scan(&owned); err != nil {
			return err
		}
		if !owned {
			return gateway.ErrNotFound
		}
		all, err := t.submissions([]string{id})
		found = all[id]
		return err
	})
	return found, err
}

// submissions reads any number of submissions, of any tenant, in two queries.
func (t *tx) submissions(ids []string) (map[string]gateway.Submission, error) {
	arg, err := list(ids)
	if err != nil {
		return nil, err
	}
	found := make(map[string]gateway.Submission, len(ids))
	err = t.each(submissionsByID, []any{arg}, func(scan func(...any) error) error {
		sub, err := scanSubmission(scan)
		found[sub.ID] = sub
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.each(entriesOfSubmissions, []any{arg}, func(scan func(...any) error) error {
		var id string
		entry, err := scanEntry(scan, &id)
		sub := found[id]
		sub.Entries = append(sub.Entries, entry)
		found[id] = sub
		return err
	})
	return found, err
}

func scanSubmission(scan func(...any) error) (gateway.Submission, error) {
	var sub gateway.Submission
	var c store.Columns
	var key sql.RawBytes
	var createdAt int64
	err := scan(&sub.ID, &sub.Tenant, &key, &sub.Format, &sub.Representation, &sub.State, &createdAt,
		&c.Digests, &c.Signers, &c.Labels, &c.Receipt)
	if err != nil {
		return gateway.Submission{}, err
	}
	copy(sub.Key[:], key)
	sub.CreatedAt = store.FromMillis(createdAt)
	if err := c.Decode(&sub.SubmissionFields); err != nil {
		return gateway.Submission{}, fmt.Errorf("submission %s: %w", sub.ID, err)
	}
	return sub, nil
}

// scanEntry reads entryColumns and what follows them.
func scanEntry(scan func(...any) error, more ...any) (gateway.Entry, error) {
	var e gateway.Entry
	var leaf, inclusion sql.RawBytes
	var nextAt, lastSentAt int64
	var size sql.NullInt64
	err := scan(append([]any{&e.ID, &e.Log, &leaf, &e.State, &nextAt, &e.Fence, &e.Attempts, &e.InDoubt, &lastSentAt,
		&size, &e.Problem, &e.Body, &inclusion}, more...)...)
	if err != nil {
		return gateway.Entry{}, err
	}
	copy(e.LeafHash[:], leaf)
	e.NextAt, e.LastSentAt = store.FromMillis(nextAt), store.FromMillis(lastSentAt)
	if size.Valid {
		n := uint64(size.Int64)
		e.SentAtTreeSize = &n
	}
	if e.Inclusion, err = store.DecodeInclusion(inclusion); err != nil {
		return gateway.Entry{}, fmt.Errorf("entry %d: %w", e.ID, err)
	}
	return e, nil
}
