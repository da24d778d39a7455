// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	knownSubmissions = `
SELECT s.tenant, s.key, s.seq FROM unnest($1::bigint[], $2::bytea[]) AS k (tenant, key)
JOIN submission s ON s.tenant = k.tenant AND s.key = k.key`

	unsettledEntries = `
SELECT se.submission, se.entry, s.priority, s.state = 'FAILED' AND e.state = 'FAILED', e.state = 'PENDING', e.priority, e.log, e.bytes
FROM submission_entry se JOIN submission s ON s.seq = se.submission JOIN entry e ON e.id = se.entry
WHERE se.submission = ANY($1::bigint[]) AND e.state <> 'LOGGED' ORDER BY se.submission, se.role`

	setPriorities = `
UPDATE submission s SET priority = d.priority FROM unnest($1::bigint[], $2::integer[]) AS d (seq, priority) WHERE s.seq = d.seq`
)

// keysOf returns all keys that a submission may be known by, its own first.
func (e *enqueuing) keysOf(place int) []tenantKey {
	r := &e.rows[place]
	keys := make([]tenantKey, 0, 1+len(r.FormerKeys))
	for _, key := range r.Keys() {
		keys = append(keys, tenantKey{e.tenants[r.Tenant], key})
	}
	return keys
}

// queueKnown adds to a batch what fills e.stored with those of the submissions that are stored.
func (e *enqueuing) queueKnown(b *pgx.Batch, places []int) {
	var tenants []int64
	var keys [][]byte
	for _, i := range places {
		for _, k := range e.keysOf(i) {
			tenants, keys = append(tenants, k.tenant), append(keys, k.key[:])
		}
	}
	queueEach(b, knownSubmissions, []any{tenants, keys}, func(scan func(...any) error) error {
		var k tenantKey
		var key []byte
		var seq int64
		err := scan(&k.tenant, &key, &seq)
		copy(k.key[:], key)
		e.stored[k] = seq
		return err
	})
}

// lookUpKnown returns the submission that one is stored as already, under its key or one of its former keys.
func (e *enqueuing) lookUpKnown(place int) (seq int64, ok bool) {
	for _, k := range e.keysOf(place) {
		if seq, ok := e.stored[k]; ok {
			return seq, true
		}
	}
	return 0, false
}

// noteKnown notes that a submission is the one of row seq.
func (e *enqueuing) noteKnown(place int, seq int64) {
	e.results[place].Submission.Existing = true
	e.unread[place] = seq
	if r, ok := e.urgency[seq]; !ok || r.priority < e.rows[place].Priority {
		e.urgency[seq] = request{e.rows[place].Priority, e.tenants[e.rows[place].Tenant]}
	}
}

// urgencyOf returns the priority at which a submission that is known is asked for again, if it is.
func (e *enqueuing) urgencyOf(seq int64) gateway.Priority {
	if r, ok := e.urgency[seq]; ok {
		return r.priority
	}
	return gateway.Backfill
}

// chooseResumed notes the entries of submissions that were known, where one of them is to be touched.
func (e *enqueuing) chooseResumed() error {
	for _, i := range e.inserted { // what is in this batch twice is no matter of entries that were there
		seq := e.seqs[i]
		if asked := e.urgencyOf(seq); asked > e.rows[i].Priority {
			e.priorities[seq] = asked
		}
		e.fresh[seq] = true
	}
	unsettled, err := e.readUnsettled()
	if err != nil {
		return err
	}
	logs := map[int64]bool{}
	for _, seq := range slices.Sorted(maps.Keys(unsettled)) {
		all := unsettled[seq]
		if !slices.ContainsFunc(all, func(u unsettledEntry) bool { return u.asksFor(e.urgency[seq].priority) }) {
			continue
		}
		e.resuming = append(e.resuming, seq)
		for _, u := range all {
			e.resumed = append(e.resumed, u.entry)
			logs[u.log] = true
		}
	}
	return e.readMoreRetired(logs)
}

// readMoreRetired is for logs that entries have gone to which were sent to others.
func (e *enqueuing) readMoreRetired(logs map[int64]bool) error {
	for _, log := range e.logs {
		delete(logs, log)
	}
	if len(logs) == 0 {
		return nil
	}
	var b pgx.Batch
	queueRetired(&b, slices.Sorted(maps.Keys(logs)), e.retired)
	return e.sendBatch(&b)
}

// resumeKnown touches the entries of those submissions that were chosen. Each takes the highest priority that it is
// given in this batch. One that cannot be made pending again for want of room is refused. What is read anew, under the
// locks, is what counts.
func (e *enqueuing) resumeKnown() error {
	if len(e.resumed) == 0 {
		return nil
	}
	unsettled, err := e.readUnsettled()
	if err != nil {
		return err
	}
	for _, seq := range e.resuming {
		all, asked := unsettled[seq], e.urgency[seq]
		if !slices.ContainsFunc(all, func(u unsettledEntry) bool { return u.asksFor(asked.priority) }) {
			continue
		}
		var more backlog
		for _, u := range all {
			if e.entries.byID[u.entry] == nil {
				return errChanged
			}
			if u.revive {
				more = more.plus(backlog{1, u.bytes})
			}
		}
		if !e.room.fits(sumOf(e.entries.backlogs()), more) && !e.isAnchor(seq) {
			e.refuseKnown(seq)
			continue
		}
		for _, u := range all {
			e.entries.byID[u.entry].answerRequest(asked, u.revive && !e.retired[u.log])
		}
		if slices.ContainsFunc(all, func(u unsettledEntry) bool { return u.changesPriority(asked.priority) }) {
			e.priorities[seq] = asked.priority
		}
	}
	return nil
}

// unsettledEntry is an entry of a known submission that is not logged.
type unsettledEntry struct {
	entry, log, bytes int64
	submitted         gateway.Priority // the submission's
	priority          gateway.Priority // the entry's
	pending           bool
	revive            bool // it has failed, and so has the submission
}

// changesPriority reports whether the submission takes the priority that it is sent with now: one that is not settled
// takes a higher one, and one that has failed any.
func (u unsettledEntry) changesPriority(asked gateway.Priority) bool {
	return u.submitted < asked || u.revive && u.submitted != asked
}

func (u unsettledEntry) asksFor(asked gateway.Priority) bool {
	return u.revive || u.pending && u.priority < asked || u.changesPriority(asked)
}

// readUnsettled returns the entries of the submissions that were known before, by submission.
func (e *enqueuing) readUnsettled() (map[int64][]unsettledEntry, error) {
	all := make(map[int64][]unsettledEntry)
	var seqs []int64
	for seq := range e.urgency {
		if !e.fresh[seq] {
			seqs = append(seqs, seq)
		}
	}
	if len(seqs) == 0 {
		return all, nil
	}
	err := e.eachRow(unsettledEntries, []any{seqs}, func(scan func(...any) error) error {
		var seq int64
		var u unsettledEntry
		err := scan(&seq, &u.entry, &u.submitted, &u.revive, &u.pending, &u.priority, &u.log, &u.bytes)
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
			e.results[i] = gateway.Enqueued{Err: e.room.errFull()}
			delete(e.unread, i)
		}
	}
}
