// SPDX-License-Identifier: Apache-2.0

package sqlite

import "github.com/rekor-gateway/rekor-gateway/gateway"

const (
	submissionsOf = `
SELECT DISTINCT submission FROM submission_entry
WHERE entry IN (SELECT value FROM json_each(?)) ORDER BY submission`

	statesOfEntries = `
SELECT s.seq, s.state, s.needed, l.name, e.state
FROM submission s JOIN submission_entry se ON se.submission = s.seq
JOIN entry e ON e.id = se.entry JOIN log l ON l.id = e.log
WHERE s.seq IN (SELECT value FROM json_each(?))`

	setState = `UPDATE submission SET state = ? WHERE seq IN (SELECT value FROM json_each(?))`
)

// submissionState is what a submission's state follows from, and what is stored.
type submissionState struct {
	stored  gateway.State
	needed  int
	entries []gateway.EntryState
}

// refreshStates computes anew the states of the submissions in seqs and of those that have one of
// entries, and returns the latter.
func (t *tx) refreshStates(seqs, entries []int64) (touched []int64, err error) {
	if len(entries) > 0 {
		changed, err := encodeList(entries)
		if err != nil {
			return nil, err
		}
		if touched, err = collectColumn[int64](t, submissionsOf, changed); err != nil {
			return nil, err
		}
	}
	if len(seqs)+len(touched) == 0 {
		return nil, nil
	}
	states, err := t.submissionStates(append(touched[:len(touched):len(touched)], seqs...))
	if err != nil {
		return nil, err
	}
	changed := make(map[gateway.State][]int64)
	for seq, s := range states {
		if state := gateway.StateOf(s.entries, s.needed); state != s.stored {
			changed[state] = append(changed[state], seq)
		}
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
	return touched, nil
}

func (t *tx) submissionStates(seqs []int64) (map[int64]*submissionState, error) {
	arg, err := encodeList(seqs)
	if err != nil {
		return nil, err
	}
	states := make(map[int64]*submissionState, len(seqs))
	err = t.eachRow(statesOfEntries, []any{arg}, func(scan func(...any) error) error {
		var seq int64
		var s submissionState
		var e gateway.EntryState
		if err := scan(&seq, &s.stored, &s.needed, &e.Log, &e.State); err != nil {
			return err
		}
		if states[seq] == nil {
			states[seq] = &s
		}
		states[seq].entries = append(states[seq].entries, e)
		return nil
	})
	return states, err
}
