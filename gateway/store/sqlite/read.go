// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	submissionsBySeq = `
SELECT s.seq, s.id, t.name, s.key, s.format, s.state, s.needed, s.priority, s.created_at, s.digests, s.signatures, s.labels
FROM submission s JOIN tenant t ON t.id = s.tenant WHERE s.seq IN (SELECT value FROM json_each(?))`

	entryColumns = `e.id, l.name, e.leaf_hash, e.kind, h.origin, h.key_id, e.state, e.next_at, e.fence, e.attempts, e.in_doubt,
e.last_sent_at, e.sent_at_tree_size, e.absent_to, e.log_index, e.problem`

	entryNames = `JOIN log l ON l.id = e.log LEFT JOIN shard h ON h.id = e.shard`

	entriesOfSubmissions = `
SELECT ` + entryColumns + `, se.submission, se.of
FROM submission_entry se JOIN entry e ON e.id = se.entry ` + entryNames + `
WHERE se.submission IN (SELECT value FROM json_each(?))
ORDER BY se.submission, se.role`

	ownedSubmission = `SELECT seq FROM submission WHERE id = ? AND tenant = (SELECT id FROM tenant WHERE name = ?)`
)

// Get implements gateway.Store.
func (s *Store) Get(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	var found gateway.Submission
	err := s.readOwned(ctx, tenant, id, func(t *tx, seq int64) (err error) {
		found, err = t.readSubmission(seq)
		return err
	})
	return found, err
}

// readOwned runs f with the row of the tenant's submission. What is no UUID is no submission's ID.
func (s *Store) readOwned(ctx context.Context, tenant, id string, f func(t *tx, seq int64) error) error {
	key, err := uuid.Parse(id)
	if err != nil {
		return fmt.Errorf("reading submission: %w", gateway.ErrNotFound)
	}
	return s.readTx(ctx, "reading submission", func(t *tx) error {
		seq, err := t.findSubmission(ownedSubmission, key[:], tenant)
		if err != nil {
			return err
		}
		return f(t, seq)
	})
}

// findSubmission returns the row that query finds. The error is gateway.ErrNotFound when there is
// none.
func (t *tx) findSubmission(query string, args ...any) (seq int64, err error) {
	err = t.QueryRow(query, args...).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
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
	arg, err := encodeList(seqs)
	if err != nil {
		return nil, err
	}
	found := make(map[int64]gateway.Submission, len(seqs))
	err = t.eachRow(submissionsBySeq, []any{arg}, func(scan func(...any) error) error {
		var seq int64
		sub, err := scanSubmission(scan, &seq)
		found[seq] = sub
		return err
	})
	if err != nil {
		return nil, err
	}
	var seq int64
	var of int
	row := newEntryRow(&seq, &of)
	err = t.eachRow(entriesOfSubmissions, []any{arg}, func(scan func(...any) error) error {
		entry, err := row.scanEntry(scan)
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
	var key sql.RawBytes
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

// entryRow is where the rows of a query of entries are read into, one after the other.
type entryRow struct {
	entry              gateway.Entry // what needs no conversion
	leaf, key          sql.RawBytes
	origin             sql.NullString
	nextAt, lastSentAt int64
	size, index        sql.NullInt64

	columns []any // pointers to all these, and to what follows them
}

// newEntryRow returns one for entryColumns and what follows them.
func newEntryRow(more ...any) *entryRow {
	r := new(entryRow)
	e := &r.entry
	r.columns = append([]any{&e.ID, &e.Log, &r.leaf, &e.Kind, &r.origin, &r.key, &e.State, &r.nextAt, &e.Fence, &e.Attempts, &e.InDoubt,
		&r.lastSentAt, &r.size, &e.AbsentTo, &r.index, &e.Problem}, more...)
	return r
}

// scanEntry reads one row.
func (r *entryRow) scanEntry(scan func(...any) error) (gateway.Entry, error) {
	if err := scan(r.columns...); err != nil {
		return gateway.Entry{}, err
	}
	e := r.entry
	copy(e.LeafHash[:], r.leaf)
	e.Shard.Origin = r.origin.String
	copy(e.Shard.KeyID[:], r.key)
	e.NextAt, e.LastSentAt = store.FromMillis(r.nextAt), store.FromMillis(r.lastSentAt)
	e.SentAtTreeSize, e.LogIndex = toUnsigned(r.size), toUnsigned(r.index)
	return e, nil
}

func toUnsigned(n sql.NullInt64) *uint64 {
	if !n.Valid {
		return nil
	}
	u := uint64(n.Int64)
	return &u
}
