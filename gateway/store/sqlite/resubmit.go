// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
)

const (
	// The fence goes on where it was, and so do shard, sent_at_tree_size and absent_to: they
	// still bound where an earlier send may have landed.
	reviveEntry = `
UPDATE entry SET state = 'PENDING', queued_at = ?, next_at = 0, attempts = 0, problem = ''
WHERE id = ? AND state = 'FAILED' RETURNING log`

	raiseEntry = `UPDATE entry SET priority = ?1 WHERE id = ?2 AND state = 'PENDING' AND priority < ?1`

	// The argument is a JSON array of a key in hex, followed by its tenant's row in decimal; at is
	// the place in it.
	knownSubmissions = `
SELECT j.key AS at, s.seq FROM json_each(?) j JOIN submission s
ON s.tenant = CAST(substr(j.value, 65) AS INTEGER) AND s.key = unhex(substr(j.value, 1, 64))`

	unsettledEntries = `
SELECT se.submission, se.entry, s.state = 'FAILED' FROM submission_entry se
JOIN submission s ON s.seq = se.submission JOIN entry e ON e.id = se.entry
WHERE se.submission IN (SELECT value FROM json_each(?)) AND e.state <> 'LOGGED'`
)

// listKeys returns all keys that r may be known by, its own first.
func (r *newRow) listKeys(tenant int64) []tenantKey {
	keys := []tenantKey{{tenant, r.Key}}
	for _, former := range r.FormerKeys {
		keys = append(keys, tenantKey{tenant, former})
	}
	return keys
}

// findKnown fills e.stored with what was stored before this batch, in one query.
func (e *enqueuing) findKnown(t *tx) error {
	var keys []tenantKey
	var encoded []string
	for i := range e.rows {
		for _, k := range e.rows[i].listKeys(e.tenants[e.rows[i].Tenant]) {
			keys = append(keys, k)
			encoded = append(encoded, hex.EncodeToString(k.key[:])+strconv.FormatInt(k.tenant, 10))
		}
	}
	arg, err := encodeList(encoded)
	if err != nil {
		return err
	}
	return t.eachRow(knownSubmissions, []any{arg}, func(scan func(...any) error) error {
		var at int
		var seq int64
		err := scan(&at, &seq)
		if err == nil {
			e.stored[keys[at]] = seq
		}
		return err
	})
}

// lookUpKnown returns the row in which r is stored already, under its key or one of its former keys.
func (e *enqueuing) lookUpKnown(r *newRow) (seq int64, ok bool) {
	for _, k := range r.listKeys(e.tenants[r.Tenant]) {
		if seq, ok := e.stored[k]; ok {
			return seq, true
		}
	}
	return 0, false
}

// noteKnown notes that the i-th submission is the one of row seq.
func (e *enqueuing) noteKnown(i int, seq int64) {
	e.results[i].Existing = true
	e.unread[i] = seq
	if p, ok := e.urgency[seq]; !ok || p < e.rows[i].Priority {
		e.urgency[seq] = e.rows[i].Priority
	}
}

// resumeKnown touches the entries of the submissions that were known. Each takes the highest priority
// that it is given in this batch.
func (e *enqueuing) resumeKnown(t *tx) error {
	if len(e.urgency) == 0 {
		return nil
	}
	arg, err := encodeList(slices.Sorted(maps.Keys(e.urgency)))
	if err != nil {
		return err
	}
	type unsettled struct {
		submission, entry int64
		failed            bool // the submission is
	}
	var all []unsettled // read to the end first: touching changes what is read
	err = t.eachRow(unsettledEntries, []any{arg}, func(scan func(...any) error) error {
		var u unsettled
		err := scan(&u.submission, &u.entry, &u.failed)
		all = append(all, u)
		return err
	})
	if err != nil {
		return err
	}
	for _, u := range all {
		if err := e.touchEntry(t, u.entry, e.urgency[u.submission], u.failed); err != nil {
			return err
		}
	}
	return nil
}
