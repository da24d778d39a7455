// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// Submissions by row, or by entries.
	progressOfSubmissions = `
SELECT s.seq, s.id, s.state, s.needed, l.name, e.state, e.problem, e.attempts, e.log_index
FROM submission s JOIN submission_entry se ON se.submission = s.seq
JOIN entry e ON e.id = se.entry JOIN log l ON l.id = e.log
WHERE s.seq IN (SELECT value FROM json_each(?1)
    UNION ALL SELECT submission FROM submission_entry WHERE entry IN (SELECT value FROM json_each(?2)))
ORDER BY s.seq, se.role`

	submissionsOf = `
SELECT DISTINCT submission FROM submission_entry
WHERE entry IN (SELECT value FROM json_each(?)) ORDER BY submission`

	setState = `UPDATE submission SET state = ? WHERE seq IN (SELECT value FROM json_each(?))`

	rowsOfIDs = `SELECT seq FROM submission WHERE id IN (SELECT unhex(value) FROM json_each(?))`
)

// Progress implements gateway.Store.
func (s *Store) Progress(ctx context.Context, ids []string) (all []gateway.Progress, err error) {
	var keys []string
	for _, id := range ids {
		if key, err := uuid.Parse(id); err == nil { // what is no UUID is no submission's ID
			keys = append(keys, fmt.Sprintf("%x", key[:]))
		}
	}
	arg, err := encodeList(keys)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	err = s.readTx(ctx, "reading progress", func(t *tx) error {
		seqs, err := collectColumn[int64](t, rowsOfIDs, arg)
		if err != nil || len(seqs) == 0 {
			return err
		}
		states, err := t.submissionStates(seqs, nil)
		for _, s := range states {
			all = append(all, s.progress)
		}
		return err
	})
	if err != nil {
		return nil, err
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

// refreshStates computes anew the states of the submissions in seqs and of those that have one of
// entries, and returns how far they are.
func (t *tx) refreshStates(seqs, entries []int64) ([]gateway.Progress, error) {
	if len(seqs)+len(entries) == 0 {
		return nil, nil
	}
	states, err := t.submissionStates(seqs, entries)
	if err != nil {
		return nil, err
	}
	all := make([]gateway.Progress, len(states))
	changed := make(map[gateway.State][]int64)
	for i, s := range states {
		if state := gateway.StateOf(s.entries, s.needed); state != s.progress.State {
			s.progress.State = state
			changed[state] = append(changed[state], s.seq)
		}
		all[i] = s.progress
	}
	for state, seqs := range changed {
		arg, err := encodeList(seqs)
		if err != nil {
			return nil, err
		}
		if _, err := t.Exec(setState, string(state), arg); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// submissionStates reads the submissions in seqs and those that have one of entries, in the order of their rows.
func (t *tx) submissionStates(seqs, entries []int64) ([]submissionState, error) {
	first, err := encodeList(seqs)
	if err != nil {
		return nil, err
	}
	second, err := encodeList(entries)
	if err != nil {
		return nil, err
	}
	states := make([]submissionState, 0, len(seqs)+len(entries))
	err = t.eachRow(progressOfSubmissions, []any{first, second}, func(scan func(...any) error) error {
		s, e, err := scanState(scan)
		if err != nil {
			return err
		}
		if len(states) == 0 || states[len(states)-1].seq != s.seq {
			states = append(states, s)
		}
		last := &states[len(states)-1]
		last.entries = append(last.entries, gateway.EntryState{Log: e.Log, State: e.State})
		last.progress.Entries = append(last.progress.Entries, e)
		return nil
	})
	return states, err
}

// scanState reads a row of progressOfSubmissions: a submission and one of its entries.
func scanState(scan func(...any) error) (s submissionState, e gateway.EntryProgress, err error) {
	var id uuid.UUID
	var index sql.NullInt64
	err = scan(&s.seq, &id, &s.progress.State, &s.needed, &e.Log, &e.State, &e.Problem, &e.Attempts, &index)
	s.progress.ID, e.LogIndex = id.String(), toUnsigned(index)
	return s, e, err
}

// idsOf returns the submissions' IDs.
func idsOf(all []gateway.Progress) []string {
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = p.ID
	}
	return ids
}
