// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	selectProgress = `
SELECT s.seq, s.id, s.state, s.needed, l.name, e.state, e.problem, e.attempts, e.log_index
FROM submission s JOIN submission_entry se ON se.submission = s.seq
JOIN entry e ON e.id = se.entry JOIN log l ON l.id = e.log `

	orderProgress = ` ORDER BY s.seq, se.role`

	// Submissions by row, or by entries.
	affectedSubmissions = `(SELECT unnest($1::bigint[]) UNION SELECT submission FROM submission_entry WHERE entry = ANY($2::bigint[]))`

	progressOfSubmissions = selectProgress + `WHERE s.seq IN ` + affectedSubmissions + orderProgress

	progressOfIDs = selectProgress + `WHERE s.id = ANY($1::uuid[])` + orderProgress

	lockSubmissions = `SELECT seq FROM submission WHERE seq IN ` + affectedSubmissions + ` ORDER BY seq FOR UPDATE`

	setStates = `
UPDATE submission s SET state = d.state FROM unnest($1::bigint[], $2::text[]) AS d (seq, state) WHERE s.seq = d.seq`
)

// Progress implements gateway.Store.
func (s *Store) Progress(ctx context.Context, ids []string) (all []gateway.Progress, err error) {
	var keys []uuid.UUID
	for _, id := range ids {
		if key, err := uuid.Parse(id); err == nil { // what is no UUID is no submission's ID
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	var states submissionStates
	err = s.readOnce(ctx, "reading progress", func(ctx context.Context, conn *pgxpool.Conn) error {
		rows, err := conn.Query(ctx, progressOfIDs, keys)
		return scanRows(rows, err, states.scanRow)
	})
	if err != nil {
		return nil, err
	}
	all = make([]gateway.Progress, len(states))
	for i, s := range states {
		all[i] = s.progress
	}
	return all, nil
}

// submissionState is what a submission's state follows from, and how far it is by what is stored.
type submissionState struct {
	seq      int64
	needed   int
	entries  []gateway.EntryState
	progress gateway.Progress
}

// submissionStates are in the order of their rows.
type submissionStates []submissionState

// scanRow reads a row of selectProgress: a submission and one of its entries.
func (all *submissionStates) scanRow(scan func(...any) error) error {
	var s submissionState
	var e gateway.EntryProgress
	var id uuid.UUID
	var index *int64
	err := scan(&s.seq, &id, &s.progress.State, &s.needed, &e.Log, &e.State, &e.Problem, &e.Attempts, &index)
	if err != nil {
		return err
	}
	s.progress.ID, e.LogIndex = id.String(), toUnsigned(index)
	if len(*all) == 0 || (*all)[len(*all)-1].seq != s.seq {
		*all = append(*all, s)
	}
	last := &(*all)[len(*all)-1]
	last.entries = append(last.entries, gateway.EntryState{Log: e.Log, State: e.State})
	last.progress.Entries = append(last.progress.Entries, e)
	return nil
}

// refreshStates computes anew the states of the submissions in seqs and of those that have one of
// entries, and returns how far they are. The transaction has changed, or locked, the entries before: nobody else links
// them meanwhile. It locks the submissions, so that of two transactions that change entries of one of them the later
// one sees what the first did.
func (t *tx) refreshStates(seqs, entries []int64) ([]gateway.Progress, error) {
	var b pgx.Batch
	states := queueStates(&b, seqs, entries)
	if err := t.sendBatch(&b); err != nil {
		return nil, err
	}
	return t.writeStates(*states)
}

// queueStates adds to a batch what locks and reads the submissions in seqs and those that have one of entries.
func queueStates(b *pgx.Batch, seqs, entries []int64) *submissionStates {
	states := new(submissionStates)
	if len(seqs)+len(entries) > 0 {
		b.Queue(lockSubmissions, seqs, entries)
		queueEach(b, progressOfSubmissions, []any{seqs, entries}, states.scanRow)
	}
	return states
}

// writeStates stores those states that are not what they were any more, and returns how far all submissions are.
func (t *tx) writeStates(states submissionStates) ([]gateway.Progress, error) {
	all := make([]gateway.Progress, len(states))
	var seqs []int64
	var changed []string
	for i, s := range states {
		if state := gateway.StateOf(s.entries, s.needed); state != s.progress.State {
			s.progress.State = state
			seqs, changed = append(seqs, s.seq), append(changed, string(state))
		}
		all[i] = s.progress
	}
	if len(seqs) == 0 {
		return all, nil
	}
	_, err := t.exec(setStates, seqs, changed)
	return all, err
}
