// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	logToLeave = `SELECT id, incarnation = ` + lifeMark + ` FROM log WHERE name = $1`

	queueToMove = `
SELECT e.queued_at, e.id FROM entry e
WHERE e.log = $1 AND e.state = 'PENDING' AND (e.queued_at, e.id) > ($2, $3) ORDER BY e.queued_at, e.id LIMIT $4`

	submissionsOf = `SELECT DISTINCT submission FROM submission_entry WHERE entry = ANY($1::bigint[]) ORDER BY submission`

	// What may move, and where it may go.
	lockToMove = `
SELECT e.id FROM entry e WHERE e.id IN (
    SELECT x.id FROM submission_entry o JOIN entry x ON x.id = o.entry WHERE o.submission = ANY($1::bigint[]) AND x.log = $2
    UNION ALL
    SELECT there.id FROM submission_entry o JOIN entry x ON x.id = o.entry JOIN entry there ON there.log = $3 AND there.leaf_hash = x.leaf_hash
    WHERE o.submission = ANY($1::bigint[]) AND x.log = $2)
ORDER BY e.id FOR UPDATE`

	lockMoving = `SELECT seq FROM submission WHERE seq = ANY($1::bigint[]) ORDER BY seq FOR UPDATE`

	// All of a submission's entries in a log go over, or none do: a log is complete with all of them alone. All of them
	// are locked.
	mayMove = `
SELECT s.seq FROM submission s WHERE s.seq = ANY($1::bigint[])
AND EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry
    WHERE o.submission = s.seq AND e.log = $2 AND (e.state = 'PENDING' OR $9::boolean))
AND NOT EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry
    WHERE o.submission = s.seq AND (e.log = $3
        OR e.log = $2 AND (NOT $5::boolean AND (e.in_doubt OR e.leased_until > $6) OR e.id <> ALL ($8::bigint[]))))
AND (NOT $4::boolean OR EXISTS (SELECT 1 FROM takeover k WHERE k.id = s.takeover AND k.logs::jsonb ? $7::text)
    AND NOT EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry
        JOIN entry there ON there.log = $3 AND there.leaf_hash = e.leaf_hash AND there.state = 'FAILED'
        WHERE o.submission = s.seq AND e.log = $2))
ORDER BY s.seq`

	linksToMove = `
SELECT e.id, e.priority, s.tenant, CASE WHEN se.role = 0 THEN COALESCE(length(b.receipt), 0) ELSE 0 END
FROM submission_entry se JOIN submission s ON s.seq = se.submission JOIN entry e ON e.id = se.entry LEFT JOIN submission_blob b ON b.submission = se.submission
WHERE se.submission = ANY($1::bigint[]) AND e.log = $2 ORDER BY se.submission, se.role`

	// What is new there is as old in the queue as it was, and belongs to the tenant of the submission. It is numbered in
	// the order of the queue, and inserted in that of keys. What a copy may have forgotten is looked for first: it counts as
	// sent when it last did here.
	copyEntries = `
WITH numbered AS MATERIALIZED (
    SELECT nextval('entry_id_seq') AS number, o.* FROM (
        SELECT e.leaf_hash, e.kind, e.priority, d.tenant, e.queued_at, length(b.body) + COALESCE(length(b.signature), 0) AS bytes,
            COALESCE(e.queued_at <= l.sent_until AND l.sent_from IS NOT NULL, false) AS doubted, l.sent_shard, l.sent_from, GREATEST(e.last_sent_at, 1) AS last_sent_at
        FROM unnest($2::bigint[], $3::bigint[]) AS d (id, tenant) JOIN entry e ON e.id = d.id JOIN entry_blob b ON b.entry = e.id JOIN log l ON l.id = $1
        WHERE NOT EXISTS (SELECT 1 FROM entry there WHERE there.log = $1 AND there.leaf_hash = e.leaf_hash) ORDER BY e.queued_at, e.id) o),
fresh AS (
    INSERT INTO entry (id, log, leaf_hash, kind, state, priority, tenant, queued_at, bytes, in_doubt, shard, sent_at_tree_size, last_sent_at)
    OVERRIDING SYSTEM VALUE
    SELECT number, $1, leaf_hash, kind, 'PENDING', priority, tenant, queued_at, bytes, doubted, CASE WHEN doubted THEN sent_shard END,
        CASE WHEN doubted THEN sent_from END, CASE WHEN doubted THEN last_sent_at ELSE 0 END FROM numbered
    ORDER BY leaf_hash ON CONFLICT DO NOTHING RETURNING id, leaf_hash, bytes),
copied AS (
    INSERT INTO entry_blob (entry, body, signature)
    SELECT f.id, b.body, b.signature FROM fresh f JOIN entry e ON e.leaf_hash = f.leaf_hash AND e.id = ANY($2::bigint[]) JOIN entry_blob b ON b.entry = e.id)
SELECT COUNT(*), COALESCE(SUM(bytes), 0)::bigint FROM fresh`

	targetsOfMove = `
SELECT e.id, there.id FROM entry e JOIN entry there ON there.log = $1 AND there.leaf_hash = e.leaf_hash
WHERE e.id = ANY($2::bigint[]) ORDER BY there.id FOR UPDATE OF there`

	reviveTargets = `
UPDATE entry e SET state = 'PENDING', queued_at = $4, priority = d.priority, tenant = d.tenant, next_at = 0, attempts = 0, problem = '',
    in_doubt = e.problem = '` + gateway.ProblemRetired + `' AND e.sent_at_tree_size IS NOT NULL
FROM unnest($1::bigint[], $2::integer[], $3::bigint[]) AS d (id, priority, tenant) WHERE e.id = d.id AND e.state = 'FAILED' RETURNING e.id, e.bytes`

	raiseTargets = `
UPDATE entry e SET priority = d.priority
FROM unnest($1::bigint[], $2::integer[]) AS d (id, priority) WHERE e.id = d.id AND e.state = 'PENDING' AND e.priority < d.priority`

	relinkEntries = `
UPDATE submission_entry se SET entry = d.target
FROM unnest($2::bigint[], $3::bigint[]) AS d (id, target) WHERE se.submission = ANY($1::bigint[]) AND se.entry = d.id`

	weighReceipts = `
UPDATE entry e SET bytes = e.bytes + d.bytes
FROM unnest($1::bigint[], $2::bigint[]) AS d (id, bytes) WHERE e.id = d.id AND d.bytes <> 0 RETURNING e.log, e.state = 'PENDING', d.bytes`

	// Nobody waits for it here any more. What was refused stays, so that it is known.
	unlinkedEntries = `
SELECT id, bytes, in_doubt, EXISTS (SELECT 1 FROM own_record r WHERE r.entry = e.id) FROM entry e
WHERE id = ANY($1::bigint[]) AND state = 'PENDING' AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)`

	removeBodies = `DELETE FROM entry_blob WHERE entry = ANY($1::bigint[])`

	removeEntries = `DELETE FROM entry WHERE id = ANY($1::bigint[])`

	countWaiting = `SELECT COUNT(*) FROM entry WHERE id = ANY($1::bigint[]) AND state = 'PENDING'`

	failedByLog = `
SELECT s.seq FROM submission s WHERE s.seq IN (SELECT se.submission FROM submission_entry se WHERE se.entry = ANY($1::bigint[]))
AND s.state = 'FAILED' AND s.takeover IS NOT NULL
AND EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry WHERE o.submission = s.seq AND e.log = $2 AND e.state = 'FAILED')
ORDER BY s.seq`
)

// Move implements gateway.Store.
func (s *Store) Move(ctx context.Context, p gateway.MoveParams) (m gateway.Moved, err error) {
	if p.From == p.To {
		return m, fmt.Errorf("moving entries: a log cannot take over from itself: %s", p.To)
	}
	err = s.writeTx(ctx, "moving entries", func(t *tx) error {
		m, err = movePage(t, p)
		return err
	})
	if err != nil {
		return gateway.Moved{}, err
	}
	return m, nil
}

func movePage(t *tx, p gateway.MoveParams) (m gateway.Moved, err error) {
	if err := t.refuseOwn(p.From); err != nil {
		return m, err
	}
	from, err := findLeft(t, p)
	if err != nil {
		return m, err
	}
	v, err := newMove(t, from, p.To)
	if err != nil {
		return m, err
	}
	v.planned, v.inDoubt = p.Planned, p.InDoubt
	return v.movePage(t, p)
}

// movePage moves the submissions that wait for the next page of what does.
func (v *move) movePage(t *tx, p gateway.MoveParams) (m gateway.Moved, err error) {
	ids, err := v.readQueue(t, p, &m)
	if err != nil || len(ids) == 0 {
		return m, err
	}
	seqs, err := collectColumn[int64](t, submissionsOf, ids)
	if err != nil {
		return m, err
	}
	moved, err := v.moveSubmissions(t, seqs)
	if err != nil {
		return m, err
	}
	if err := t.scanRow(countWaiting, []any{ids}, &m.Kept); err != nil {
		return m, err
	}
	m.Entries, m.Submissions = len(ids)-m.Kept, len(moved)
	m.Changed, err = t.refreshStates(moved, v.revived)
	return m, err
}

// findLeft returns the row of the log that is left, 0 where nothing was ever for it. In a life of the database in which
// what is pending for it was not put in doubt, what seems not to be in doubt may be, and stays.
func findLeft(t *tx, p gateway.MoveParams) (from int64, err error) {
	var same bool
	err = t.scanRow(logToLeave, []any{p.From}, &from, &same)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	if err == nil && !same && !p.InDoubt {
		err = gateway.ErrDoubtFirst
	}
	return from, err
}

// readQueue reads the next page of what waits, and says in m where it ends.
func (v *move) readQueue(t *tx, p gateway.MoveParams, m *gateway.Moved) (ids []int64, err error) {
	m.Next = p.After
	args := []any{v.from, p.After.QueuedAt, p.After.EntryID, p.Limit}
	err = t.eachRow(queueToMove, args, func(scan func(...any) error) error {
		err := scan(&m.Next.QueuedAt, &m.Next.EntryID)
		ids = append(ids, m.Next.EntryID)
		return err
	})
	m.More = len(ids) > 0 && len(ids) == p.Limit
	return ids, err
}

// move is a Move, or that of one batch of outcomes, on its way. Logs are rows.
type move struct {
	from, to         int64
	toName           string
	planned, inDoubt bool
	settled          bool              // submissions go although none of their entries waits
	own              bool              // both are logs of the gateway's own
	backlogs         map[int64]backlog // changes, by the row of the log
	revived          []int64           // entries
}

func newMove(t *tx, from int64, to string) (*move, error) {
	v := &move{from: from, toName: to, backlogs: map[int64]backlog{}}
	var err error
	if v.to, err = t.store.logs.idOf(t, to); err != nil {
		return nil, err
	}
	retired := map[int64]bool{}
	var b pgx.Batch
	queueRetired(&b, []int64{v.to}, retired)
	if err = t.sendBatch(&b); err == nil && retired[v.to] {
		err = fmt.Errorf("%w: %s", gateway.ErrRetired, to)
	}
	if err == nil { // behind the lock, which keeps it from becoming one
		err = t.refuseOwn(to)
	}
	return v, err
}

// passOn moves the submissions that have just failed, by entries that have ended in a log, to the first of the
// next logs to which each may go, and returns how far they are then.
func (t *tx) passOn(entries []int64, from int64, next []string) (passed []gateway.Progress, err error) {
	failed, err := collectColumn[int64](t, failedByLog, entries, from)
	for _, to := range next {
		if err != nil || len(failed) == 0 {
			return passed, err
		}
		v, newErr := newMove(t, from, to)
		if errors.Is(newErr, gateway.ErrRetired) || errors.Is(newErr, gateway.ErrOwnLog) {
			continue
		}
		if newErr != nil {
			return nil, newErr
		}
		if v.to == from {
			continue
		}
		v.planned, v.settled = true, true
		moved, moveErr := v.moveSubmissions(t, failed)
		if moveErr != nil {
			return nil, moveErr
		}
		var now []gateway.Progress
		now, err = t.refreshStates(moved, nil)
		passed = append(passed, now...)
		failed = slices.DeleteFunc(failed, func(seq int64) bool { return slices.Contains(moved, seq) })
	}
	return passed, err
}

// moveSubmissions moves those of the submissions that may be, and returns them. States are for the caller to
// refresh. All that it decides by is locked before: entries, then submissions.
func (v *move) moveSubmissions(t *tx, seqs []int64) ([]int64, error) {
	locked, err := collectColumn[int64](t, lockToMove, seqs, v.from, v.to)
	if err != nil {
		return nil, err
	}
	if _, err := t.exec(lockMoving, seqs); err != nil {
		return nil, err
	}
	moving, err := collectColumn[int64](t, mayMove, seqs, v.from, v.to, v.planned, v.inDoubt, t.now, v.toName, locked, v.settled)
	if err != nil || len(moving) == 0 {
		return nil, err
	}
	l, err := v.readLinks(t, moving)
	if err != nil {
		return nil, err
	}
	if err := v.findTargets(t, l); err != nil {
		return nil, err
	}
	if _, err := t.exec(relinkEntries, moving, l.entries, l.targets); err != nil {
		return nil, err
	}
	if v.own {
		if _, err := t.exec(queueMoved, l.targets); err != nil {
			return nil, err
		}
	}
	if err := v.weighReceipts(t, l); err != nil {
		return nil, err
	}
	if err := v.removeUnlinked(t, l.entries); err != nil {
		return nil, err
	}
	return moving, t.changeBacklog(v.backlogs)
}

// leftEntries are those that submissions leave, in columns.
type leftEntries struct {
	entries    []int64
	priorities []int32
	tenants    []int64 // of the first submission that leaves it
	receipts   []int64 // bytes that wait with the entry
	targets    []int64 // the entries of the other log
}

func (v *move) readLinks(t *tx, seqs []int64) (*leftEntries, error) {
	l := new(leftEntries)
	at := map[int64]int{} // where an entry stands
	err := t.eachRow(linksToMove, []any{seqs, v.from}, func(scan func(...any) error) error {
		var entry, tenant, receipt int64
		var priority int32
		err := scan(&entry, &priority, &tenant, &receipt)
		i, ok := at[entry]
		if !ok {
			i = len(l.entries)
			at[entry] = i
			l.entries, l.priorities, l.tenants = append(l.entries, entry), append(l.priorities, priority), append(l.tenants, tenant)
			l.receipts, l.targets = append(l.receipts, 0), append(l.targets, 0)
		}
		l.receipts[i] += receipt
		return err
	})
	return l, err
}

// maxCopies bounds how often others may have removed an entry between its being there and its being locked.
const maxCopies = 10

// findTargets finds the entries of the other log with the same leaves, and makes those that are not there. One
// that has failed is pending again.
func (v *move) findTargets(t *tx, l *leftEntries) error {
	var found map[int64]int64
	for range maxCopies {
		var err error
		if found, err = v.copyEntries(t, l); err != nil {
			return err
		}
		if len(found) == len(l.entries) {
			break
		}
	}
	for i, entry := range l.entries {
		target, ok := found[entry]
		if !ok {
			return fmt.Errorf("entry %d has none to move to", entry)
		}
		l.targets[i] = target
	}
	err := t.eachRow(reviveTargets, []any{l.targets, l.priorities, l.tenants, t.now}, func(scan func(...any) error) error {
		var id, bytes int64
		err := scan(&id, &bytes)
		v.revived = append(v.revived, id)
		v.addBacklog(v.to, backlog{1, bytes})
		return err
	})
	if err != nil {
		return err
	}
	_, err = t.exec(raiseTargets, l.targets, l.priorities)
	return err
}

// copyEntries makes the entries of the other log that are not there, and returns all of them, by the entry that is left, locked. One is missing where somebody
// removed it meanwhile.
func (v *move) copyEntries(t *tx, l *leftEntries) (map[int64]int64, error) {
	var fresh backlog
	if err := t.scanRow(copyEntries, []any{v.to, l.entries, l.tenants}, &fresh.entries, &fresh.bytes); err != nil {
		return nil, err
	}
	v.addBacklog(v.to, fresh)
	found := make(map[int64]int64, len(l.entries))
	err := t.eachRow(targetsOfMove, []any{v.to, l.entries}, func(scan func(...any) error) error {
		var entry, target int64
		err := scan(&entry, &target)
		found[entry] = target
		return err
	})
	return found, err
}

// weighReceipts moves the bytes that wait with the entries.
func (v *move) weighReceipts(t *tx, l *leftEntries) error {
	var ids, bytes []int64
	for i, n := range l.receipts {
		ids, bytes = append(ids, l.entries[i], l.targets[i]), append(bytes, -n, n)
	}
	return t.eachRow(weighReceipts, []any{ids, bytes}, func(scan func(...any) error) error {
		var log, n int64
		var pending bool
		err := scan(&log, &pending, &n)
		if pending {
			v.addBacklog(log, backlog{bytes: n})
		}
		return err
	})
}

// removeUnlinked removes entries that no submission has any more, and that would be sent for nobody. What may be in the
// log is given up instead: should it come back, it is looked for before it is sent. So is what is a record of an own log.
func (v *move) removeUnlinked(t *tx, entries []int64) error {
	var unsent, givenUp []int64
	err := t.eachRow(unlinkedEntries, []any{entries}, func(scan func(...any) error) error {
		var id, bytes int64
		var doubtful, isRecord bool
		err := scan(&id, &bytes, &doubtful, &isRecord)
		v.addBacklog(v.from, backlog{-1, -bytes})
		if doubtful || isRecord {
			givenUp = append(givenUp, id)
		} else {
			unsent = append(unsent, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	var b pgx.Batch
	if len(givenUp) > 0 {
		b.Queue(giveUpEntries, gateway.ProblemRetired, givenUp)
	}
	if len(unsent) > 0 {
		if v.own {
			b.Queue(dropQueued, v.from, unsent)
		}
		b.Queue(removeBodies, unsent)
		b.Queue(removeEntries, unsent)
	}
	return t.sendBatch(&b)
}

func (v *move) addBacklog(log int64, more backlog) { v.backlogs[log] = v.backlogs[log].plus(more) }
