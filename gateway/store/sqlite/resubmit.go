// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"maps"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// The fence goes on where it was, and so do shard, sent_at_tree_size and absent_to: they
	// still bound where an earlier send may have landed. What was given up while it was in doubt is in doubt again.
	reviveEntry = `
UPDATE entry SET state = 'PENDING', queued_at = ?, priority = ?, tenant = ?, next_at = 0, attempts = 0, problem = '',
    in_doubt = problem = '` + gateway.ProblemRetired + `' AND sent_at_tree_size IS NOT NULL
WHERE id = ? AND state = 'FAILED' AND log NOT IN (SELECT id FROM log WHERE retired = 1) RETURNING log, bytes`

	raiseEntry = `UPDATE entry SET priority = ?1 WHERE id = ?2 AND state = 'PENDING' AND priority < ?1`

	setPriority = `UPDATE submission SET priority = ? WHERE seq = ?`

	// ?1 is a JSON array of tenants' rows, and ?2 has a key of 32 bytes for each; at is the place among them.
	knownSubmissions = `
SELECT j.key AS at, s.seq FROM json_each(?1) j JOIN submission s ON s.tenant = j.value AND s.key = substr(?2, 32 * j.key + 1, 32)`

	// Like knownSubmissions, with a prefix of a digest in the place of a key.
	knownDigests = `
SELECT j.key AS at, 1 FROM json_each(?1) j WHERE EXISTS
    (SELECT 1 FROM submission_digest d WHERE d.tenant = j.value AND d.prefix = substr(?2, 16 * j.key + 1, 16))`

	unsettledEntries = `
SELECT se.submission, se.entry, s.priority, s.state = 'FAILED' AND e.state = 'FAILED', e.bytes FROM submission_entry se
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

// findKnown fills e.stored with what was stored before this batch.
func (e *enqueuing) findKnown(t *tx) error {
	seen, err := e.findSeen(t)
	if err != nil {
		return err
	}
	var keys []tenantKey
	var tenants []int64
	var joined []byte
	_ = e.eachRow(func(i int) error { // it never fails
		if r := &e.rows[i]; len(r.digests) == 0 || seen[i] {
			for _, k := range r.listKeys(e.tenants[r.Tenant]) {
				keys = append(keys, k)
				tenants = append(tenants, k.tenant)
				joined = append(joined, k.key[:]...)
			}
		}
		return nil
	})
	return eachMatch(t, knownSubmissions, tenants, joined, func(at int, seq int64) { e.stored[keys[at]] = seq })
}

// findSeen returns which submissions have an artifact that their tenant has submitted before: only those may be known, since the same key
// means the same digests. The place of a digest in its index is needed anyway, when it is stored. Keys lie anywhere in theirs, each on a
// page of its own once there are many.
func (e *enqueuing) findSeen(t *tx) (map[int]bool, error) {
	seen := map[int]bool{}
	var tenants []int64
	var rows []int
	var joined []byte
	_ = e.eachRow(func(i int) error { // it never fails
		if r := &e.rows[i]; len(r.digests) > 0 {
			rows = append(rows, i)
			tenants = append(tenants, e.tenants[r.Tenant])
			joined = append(joined, r.digests[0]...)
		}
		return nil
	})
	return seen, eachMatch(t, knownDigests, tenants, joined, func(at int, _ int64) { seen[rows[at]] = true })
}

// eachMatch runs knownDigests or knownSubmissions, and calls f with what it returns, unless there is nothing to ask for.
func eachMatch(t *tx, query string, tenants []int64, joined []byte, f func(at int, row int64)) error {
	if len(tenants) == 0 {
		return nil
	}
	arg, err := encodeList(tenants)
	if err != nil {
		return err
	}
	return t.eachRow(query, []any{arg, joined}, func(scan func(...any) error) error {
		var at int
		var row int64
		if err := scan(&at, &row); err != nil {
			return err
		}
		f(at, row)
		return nil
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
	e.results[i].Submission.Existing = true
	e.unread[i] = seq
	if r, ok := e.urgency[seq]; !ok || r.priority < e.rows[i].Priority {
		e.urgency[seq] = request{e.rows[i].Priority, e.tenants[e.rows[i].Tenant]}
	}
}

// resumeKnown touches the entries of the submissions that were known. Each takes the highest priority
// that it is given in this batch. One that cannot be made pending again for want of room is refused.
func (e *enqueuing) resumeKnown(t *tx) error {
	if len(e.urgency) == 0 {
		return nil
	}
	seqs := slices.Sorted(maps.Keys(e.urgency))
	unsettled, err := t.readUnsettled(seqs)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		var more backlog
		for _, u := range unsettled[seq] {
			if u.revive {
				more = more.plus(backlog{1, u.bytes})
			}
		}
		if ok, err := e.fits(t, more); err != nil {
			return err
		} else if !ok && !e.isAnchor(seq) {
			e.refuseKnown(seq)
			continue
		}
		for _, u := range unsettled[seq] {
			if err := e.touchEntry(t, u.entry, e.urgency[seq], u.revive); err != nil {
				return err
			}
		}
		if err := e.changePriority(t, seq, unsettled[seq]); err != nil {
			return err
		}
	}
	return nil
}

// changePriority gives a submission that is not settled the higher priority, and one that had failed the one
// that it is sent with now.
func (e *enqueuing) changePriority(t *tx, seq int64, unsettled []unsettledEntry) error {
	asked := e.urgency[seq].priority
	changes := func(u unsettledEntry) bool { return u.priority < asked || u.revive && u.priority != asked }
	if !slices.ContainsFunc(unsettled, changes) {
		return nil
	}
	_, err := t.Exec(setPriority, asked, seq)
	return err
}

// unsettledEntry is an entry of a known submission that is not logged.
type unsettledEntry struct {
	entry, bytes int64
	priority     gateway.Priority // the submission's
	revive       bool             // it has failed, and so has the submission
}

// readUnsettled returns the entries to touch, by submission.
func (t *tx) readUnsettled(seqs []int64) (map[int64][]unsettledEntry, error) {
	arg, err := encodeList(seqs)
	if err != nil {
		return nil, err
	}
	all := make(map[int64][]unsettledEntry)
	err = t.eachRow(unsettledEntries, []any{arg}, func(scan func(...any) error) error {
		var seq int64
		var u unsettledEntry
		err := scan(&seq, &u.entry, &u.priority, &u.revive, &u.bytes)
		all[seq] = append(all[seq], u)
		return err
	})
	return all, err
}

// isAnchor reports whether the submission of row seq is one for which there is always room.
func (e *enqueuing) isAnchor(seq int64) bool {
	for i, known := range e.unread {
		if known == seq {
			return gateway.IsAnchorTenant(e.rows[i].Tenant)
		}
	}
	return false
}

// refuseKnown refuses all that are the submission of row seq.
func (e *enqueuing) refuseKnown(seq int64) {
	for i, known := range e.unread {
		if known == seq {
			e.results[i].Err = e.store.errFull()
			delete(e.unread, i)
		}
	}
}
