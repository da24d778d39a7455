// SPDX-License-Identifier: Apache-2.0

package sqlite

// refreshStates makes submissions' states follow from their entries' again.
const refreshStates = `
UPDATE submission SET state = (
    SELECT CASE
        WHEN SUM(e.state = 'FAILED') > 0 THEN 'FAILED'
        WHEN SUM(e.state = 'LOGGED') = COUNT(*) THEN 'LOGGED'
        WHEN SUM(e.state = 'LOGGED') > 0 THEN 'PARTIAL'
        ELSE 'PENDING' END
    FROM submission_entry se JOIN entry e ON e.id = se.entry
    WHERE se.submission = submission.id)
WHERE id IN (SELECT value FROM json_each(?))`

const submissionsOf = `
SELECT DISTINCT submission FROM submission_entry
WHERE entry IN (SELECT value FROM json_each(?)) ORDER BY submission`

const addPending = `
INSERT INTO queue (log, pending) VALUES (?1, ?2)
ON CONFLICT (log) DO UPDATE SET pending = pending + excluded.pending`

const takePending = `UPDATE queue SET pending = pending - ?2 WHERE log = ?1`

// refresh brings the states of submissions up to date, those of ids and those that have
// one of entries, and returns the latter.
func (t *tx) refresh(ids []string, entries []int64) ([]string, error) {
	var touched []string
	if len(entries) > 0 {
		changed, err := list(entries)
		if err != nil {
			return nil, err
		}
		if touched, err = collect[string](t, submissionsOf, changed); err != nil {
			return nil, err
		}
	}
	if len(ids)+len(touched) == 0 {
		return nil, nil
	}
	all, err := list(append(touched[:len(touched):len(touched)], ids...))
	if err != nil {
		return nil, err
	}
	_, err = t.Exec(refreshStates, all)
	return touched, err
}

// count changes the number of pending entries of each log.
func (t *tx) count(query string, logs map[string]int) error {
	for log, n := range logs {
		if _, err := t.Exec(query, log, n); err != nil {
			return err
		}
	}
	return nil
}
