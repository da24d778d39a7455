// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	submissionsBySeq = `
SELECT s.seq, s.id, t.name, s.key, s.format, s.state, s.needed, s.priority, s.created_at, s.digests, s.signatures, s.labels
FROM submission s JOIN tenant t ON t.id = s.tenant WHERE s.seq = ANY($1::bigint[])`

	entryColumns = `e.id, l.name, e.leaf_hash, e.kind, h.origin, h.key_id, e.state, e.next_at, e.fence, e.attempts, e.in_doubt,
e.last_sent_at, e.sent_at_tree_size, e.absent_to, e.log_index, e.problem`

	entryNames = `JOIN log l ON l.id = e.log LEFT JOIN shard h ON h.id = e.shard`

	entriesOfSubmissions = `
SELECT ` + entryColumns + `, se.submission, se.of
FROM submission_entry se JOIN entry e ON e.id = se.entry ` + entryNames + `
WHERE se.submission = ANY($1::bigint[])
ORDER BY se.submission, se.role`

	ownedSubmission = `SELECT seq FROM submission WHERE id = $1 AND tenant = (SELECT id FROM tenant WHERE name = $2)`
)

// Get implements gateway.Store.
func (s *Store) Get(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	var found gateway.Submission
	err := s.readOwned(ctx, tenant, id, func(t *tx, seq int64) (err error) {
		found, err = t.readSubmission(seq)
		return err
	})
	if err != nil {
		return gateway.Submission{}, err
	}
	return found, nil
}

// readOwned runs f with the row of the tenant's submission. What is no UUID is no submission's ID.
func (s *Store) readOwned(ctx context.Context, tenant, id string, f func(t *tx, seq int64) error) error {
	key, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("reading submission: %w", gateway.ErrNotFound)
	}
	return s.lookUpTx(ctx, "reading submission", func(t *tx) error {
		seq, err := t.findSubmission(ownedSubmission, key, tenant)
		if err != nil {
			return err
		}
		return f(t, seq)
	})
}

// findSubmission returns the row that query finds. The error is gateway.ErrNotFound when there is
// none.
func (t *tx) findSubmission(query string, args ...any) (seq int64, err error) {
	err = t.scanRow(query, args, &seq)
	if errors.Is(err, pgx.ErrNoRows) {
		err = gateway.ErrNotFound
	}
	return seq, err
}

func (t *tx) readSubmission(seq int64) (gateway.Submission, error) {
	all, err := t.readSubmissions([]int64{seq})
	return all[seq], err
}

// readSubmissions reads any number of submissions, of any tenant, in two queries.
func (t *tx) readSubmissions(seqs []int64) (map[int64]gateway.Submission, error) {
	found := make(map[int64]gateway.Submission, len(seqs))
	err := t.eachRow(submissionsBySeq, []any{seqs}, func(scan func(...any) error) error {
		var seq int64
		sub, err := scanSubmission(scan, &seq)
		found[seq] = sub
		return err
	})
	if err != nil {
		return nil, err
	}
	err = t.eachRow(entriesOfSubmissions, []any{seqs}, func(scan func(...any) error) error {
		var seq int64
		var of int
		entry, err := scanEntry(scan, &seq, &of)
		entry.Of = of
		sub := found[seq]
		sub.Entries = append(sub.Entries, entry)
		found[seq] = sub
		return err
	})
	return found, err
}

func scanSubmission(scan func(...any) error, seq *int64) (gateway.Submission, error) {
	var sub gateway.Submission
	var c store.Columns
	var id uuid.UUID
	var key pgtype.DriverBytes
	var createdAt int64
	err := scan(seq, &id, &sub.Tenant, &key, &sub.Format, &sub.State, &sub.Needed, &sub.Priority, &createdAt,
		&c.Digests, &c.Signatures, &c.Labels)
	if err != nil {
		return gateway.Submission{}, err
	}
	copy(sub.Key[:], key)
	sub.ID, sub.CreatedAt = id.String(), store.FromMillis(createdAt)
	if err := c.Decode(&sub.SubmissionFields); err != nil {
		return gateway.Submission{}, fmt.Errorf("submission %s: %w", sub.ID, err)
	}
	return sub, nil
}

// scanEntry reads entryColumns and what follows them.
func scanEntry(scan func(...any) error, more ...any) (gateway.Entry, error) {
	var e gateway.Entry
	var leaf, key pgtype.DriverBytes
	var origin *string
	var nextAt, lastSentAt int64
	var size, index *int64
	err := scan(append([]any{&e.ID, &e.Log, &leaf, &e.Kind, &origin, &key, &e.State, &nextAt, &e.Fence, &e.Attempts, &e.InDoubt,
		&lastSentAt, &size, &e.AbsentTo, &index, &e.Problem}, more...)...)
	if err != nil {
		return gateway.Entry{}, err
	}
	copy(e.LeafHash[:], leaf)
	if origin != nil {
		e.Shard.Origin = *origin
	}
	copy(e.Shard.KeyID[:], key)
	e.NextAt, e.LastSentAt = store.FromMillis(nextAt), store.FromMillis(lastSentAt)
	e.SentAtTreeSize, e.LogIndex = toUnsigned(size), toUnsigned(index)
	return e, nil
}

// toUnsigned is for a number that a column has or has not.
func toUnsigned(n *int64) *uint64 {
	if n == nil {
		return nil
	}
	u := uint64(*n)
	return &u
}
