// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"encoding/hex"
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// The fence goes on where it was, and so does sent_at_tree_size: it still bounds where
	// an earlier send may have landed.
	reviveEntry = `
UPDATE entry SET state = 'PENDING', queued_at = ?, next_at = 0, attempts = 0, problem = ''
WHERE id = ? AND state = 'FAILED' RETURNING log`

	raiseEntry = `UPDATE entry SET priority = ?1 WHERE id = ?2 AND state = 'PENDING' AND priority < ?1`

	// The argument is a JSON array of [tenant, key in hex]; at is the place in it.
	knownSubmissions = `
SELECT j.key AS at, s.id FROM json_each(?) j
JOIN submission s ON s.tenant = j.value ->> 0 AND s.key = unhex(j.value ->> 1)`

	unsettledEntries = `
SELECT se.submission, se.entry FROM submission_entry se JOIN entry e ON e.id = se.entry
WHERE se.submission IN (SELECT value FROM json_each(?)) AND e.state <> 'LOGGED'`
)

// touch makes an existing entry pending again if it failed, and raises its priority.
func (e *enqueuing) touch(t *tx, id int64, priority int, at time.Time) error {
	var log string
	err := t.stmt(e.statements.reviveEntry).QueryRow(store.Millis(at), id).Scan(&log)
	switch {
	case err == nil:
		e.added[log]++
		e.revived = append(e.revived, id)
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	_, err = t.change(e.statements.raiseEntry, priority, id)
	return err
}

// resume finds the rows of known keys and touches their entries, by the most urgent of
// the submissions that brought each key.
func (e *enqueuing) resume(t *tx) error {
	if len(e.known) == 0 {
		return nil
	}
	keys := make([][2]string, len(e.known))
	for k, i := range e.known {
		keys[k] = [2]string{e.subs[i].Tenant, hex.EncodeToString(e.subs[i].Key[:])}
	}
	arg, err := list(keys)
	if err != nil {
		return err
	}
	urgent := make(map[string]*gateway.NewSubmission, len(e.known))
	err = t.each(knownSubmissions, []any{arg}, func(scan func(...any) error) error {
		var k int
		var id string
		if err := scan(&k, &id); err != nil {
			return err
		}
		i := e.known[k]
		e.results[i].ID, e.results[i].Existing = id, true
		if l := urgent[id]; l == nil || l.Priority < e.subs[i].Priority {
			urgent[id] = &e.subs[i]
		}
		return nil
	})
	if err != nil {
		return err
	}
	return e.touchAll(t, urgent)
}

func (e *enqueuing) touchAll(t *tx, urgent map[string]*gateway.NewSubmission) error {
	ids := make([]string, 0, len(urgent))
	for id := range urgent {
		ids = append(ids, id)
	}
	arg, err := list(ids)
	if err != nil {
		return err
	}
	type pair struct {
		submission string
		entry      int64
	}
	var pairs []pair // read to the end first: the connection runs one query at a time
	err = t.each(unsettledEntries, []any{arg}, func(scan func(...any) error) error {
		var p pair
		err := scan(&p.submission, &p.entry)
		pairs = append(pairs, p)
		return err
	})
	if err != nil {
		return err
	}
	for _, p := range pairs {
		by := urgent[p.submission]
		if err := e.touch(t, p.entry, by.Priority, by.CreatedAt); err != nil {
			return err
		}
	}
	return nil
}
