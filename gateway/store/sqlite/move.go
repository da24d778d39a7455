// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	queueToMove = `
SELECT e.queued_at, e.id FROM entry e
WHERE e.log = ? AND e.state = 'PENDING' AND (e.queued_at, e.id) > (?, ?) ORDER BY e.queued_at, e.id LIMIT ?`

	// All of a submission's entries in a log go over, or none do: a log is complete with all of them alone.
	mayMove = `
SELECT s.seq FROM submission s WHERE s.seq IN (SELECT value FROM json_each(?1))
AND EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry WHERE o.submission = s.seq AND e.log = ?2)
AND NOT EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry
    WHERE o.submission = s.seq AND (e.log = ?3 OR e.log = ?2 AND NOT ?5 AND (e.in_doubt = 1 OR e.leased_until > ?6)))
AND (NOT ?4 OR EXISTS (SELECT 1 FROM takeover k, json_each(k.logs) j WHERE k.id = s.takeover AND j.value = ?7)
    AND NOT EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry
        JOIN entry there ON there.log = ?3 AND there.leaf_hash = e.leaf_hash AND there.state = 'FAILED'
        WHERE o.submission = s.seq AND e.log = ?2))
ORDER BY s.seq`

	linksToMove = `
SELECT se.role, e.id, e.leaf_hash, e.priority, s.tenant, CASE WHEN se.role = 0 THEN COALESCE(length(b.receipt), 0) ELSE 0 END
FROM submission_entry se JOIN submission s ON s.seq = se.submission JOIN entry e ON e.id = se.entry LEFT JOIN submission_blob b ON b.submission = se.submission
WHERE se.submission = ? AND e.log = ? ORDER BY se.role`

	// What is new there is as old in the queue as it was, and belongs to the tenant of the submission.
	// What a copy may have forgotten is looked for first: it counts as sent when it last did here.
	copyEntry = `
INSERT INTO entry (log, leaf_hash, kind, state, priority, tenant, queued_at, bytes, in_doubt, shard, sent_at_tree_size, last_sent_at)
SELECT ?1, e.leaf_hash, e.kind, 'PENDING', e.priority, ?3, e.queued_at, length(b.body) + COALESCE(length(b.signature), 0),
    l.id IS NOT NULL, l.sent_shard, l.sent_from, IIF(l.id IS NULL, 0, MAX(e.last_sent_at, 1))
FROM entry e JOIN entry_blob b ON b.entry = e.id LEFT JOIN log l ON l.id = ?1 AND e.queued_at <= l.sent_until AND l.sent_from IS NOT NULL
WHERE e.id = ?2 RETURNING id, bytes`

	copyBody = `INSERT INTO entry_blob (entry, body, signature) SELECT ?1, body, signature FROM entry_blob WHERE entry = ?2`

	relinkEntry = `UPDATE submission_entry SET entry = ?1 WHERE submission = ?2 AND role = ?3`

	weighReceipt = `UPDATE entry SET bytes = bytes + ?1 WHERE id = ?2 RETURNING log, state = 'PENDING'`

	// Nobody waits for it here any more. What was refused stays, so that it is known.
	unlinkedEntry = `
SELECT bytes, in_doubt FROM entry e WHERE id = ? AND state = 'PENDING' AND NOT EXISTS (SELECT 1 FROM submission_entry se WHERE se.entry = e.id)`

	removeBody = `DELETE FROM entry_blob WHERE entry = ?`

	removeEntry = `DELETE FROM entry WHERE id = ?`

	countWaiting = `SELECT COUNT(*) FROM entry WHERE id IN (SELECT value FROM json_each(?)) AND state = 'PENDING'`

	failedByLog = `
SELECT s.seq FROM submission s WHERE s.seq IN (SELECT se.submission FROM submission_entry se WHERE se.entry IN (SELECT value FROM json_each(?1)))
AND s.state = 'FAILED' AND s.takeover IS NOT NULL
AND EXISTS (SELECT 1 FROM submission_entry o JOIN entry e ON e.id = o.entry WHERE o.submission = s.seq AND e.log = ?2 AND e.state = 'FAILED')
ORDER BY s.seq`

	findLog = `SELECT id FROM log WHERE name = ?`
)

// Move implements gateway.Store.
func (s *Store) Move(ctx context.Context, p gateway.MoveParams) (m gateway.Moved, err error) {
	err = s.writeTx(ctx, "moving entries", func(t *tx) error {
		m, err = s.movePage(t, p)
		return err
	})
	if err != nil {
		return gateway.Moved{}, err
	}
	return m, nil
}

func (s *Store) movePage(t *tx, p gateway.MoveParams) (m gateway.Moved, err error) {
	if p.From == p.To {
		return m, fmt.Errorf("a log cannot take over from itself: %s", p.To)
	}
	var from int64 // 0 where nothing was ever for that log
	if err := t.QueryRow(findLog, p.From).Scan(&from); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return m, err
	}
	if err := t.refuseOwn(from, p.From); err != nil {
		return m, err
	}
	v, err := s.newMove(t, from, p.To)
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
	arg, err := encodeList(ids)
	if err != nil {
		return m, err
	}
	seqs, err := collectColumn[int64](t, submissionsOf, arg)
	if err != nil {
		return m, err
	}
	moved, err := v.moveSubmissions(t, seqs)
	if err != nil {
		return m, err
	}
	if err := t.QueryRow(countWaiting, arg).Scan(&m.Kept); err != nil {
		return m, err
	}
	m.Entries, m.Submissions = len(ids)-m.Kept, len(moved)
	m.Changed, err = t.refreshStates(moved, v.revived)
	return m, err
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
	store            *Store
	from, to         int64
	toName           string
	planned, inDoubt bool
	own              bool              // both are logs of the gateway's own
	backlogs         map[int64]backlog // changes, by the row of the log
	revived          []int64           // entries
}

func (s *Store) newMove(t *tx, from int64, to string) (*move, error) {
	v := &move{store: s, from: from, toName: to, backlogs: map[int64]backlog{}}
	var err error
	if v.to, err = s.logs.idOf(t, to); err != nil {
		return nil, err
	}
	if err := t.refuseOwn(v.to, to); err != nil {
		return nil, err
	}
	retired, err := t.readRetired()
	if err == nil && retired[v.to] {
		err = fmt.Errorf("%w: %s", gateway.ErrRetired, to)
	}
	return v, err
}

// passOn moves the submissions that have just failed, by entries that have ended in a log, to the first of the
// next logs to which each may go, and returns how far they are then.
func (s *Store) passOn(t *tx, entries []int64, from int64, next []string) (passed []gateway.Progress, err error) {
	arg, err := encodeList(entries)
	if err != nil {
		return nil, err
	}
	failed, err := collectColumn[int64](t, failedByLog, arg, from)
	for _, to := range next {
		if err != nil || len(failed) == 0 {
			return passed, err
		}
		v, newErr := s.newMove(t, from, to)
		if errors.Is(newErr, gateway.ErrRetired) || errors.Is(newErr, gateway.ErrOwnLog) || v != nil && v.to == from {
			continue
		}
		if newErr != nil {
			return nil, newErr
		}
		v.planned = true
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
// refresh.
func (v *move) moveSubmissions(t *tx, seqs []int64) ([]int64, error) {
	arg, err := encodeList(seqs)
	if err != nil {
		return nil, err
	}
	moving, err := collectColumn[int64](t, mayMove, arg, v.from, v.to, v.planned, v.inDoubt, v.store.now(), v.toName)
	if err != nil {
		return nil, err
	}
	left := map[int64]bool{} // entries that a submission has left
	for _, seq := range moving {
		links, err := v.readLinks(t, seq)
		if err != nil {
			return nil, err
		}
		for _, l := range links {
			if err := v.moveLink(t, seq, l); err != nil {
				return nil, err
			}
			left[l.entry] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		if err := v.removeUnlinked(t, id); err != nil {
			return nil, err
		}
	}
	return moving, t.changeBacklog(v.backlogs)
}

// link is how a submission has an entry.
type link struct {
	role    int
	entry   int64
	leaf    []byte
	request request
	receipt int64 // bytes that wait with the entry
}

func (v *move) readLinks(t *tx, seq int64) (links []link, err error) {
	err = t.eachRow(linksToMove, []any{seq, v.from}, func(scan func(...any) error) error {
		var l link
		err := scan(&l.role, &l.entry, &l.leaf, &l.request.priority, &l.request.tenant, &l.receipt)
		links = append(links, l)
		return err
	})
	return links, err
}

// moveLink gives a submission the entry of the other log in place of this one.
func (v *move) moveLink(t *tx, seq int64, l link) error {
	target, err := v.findTarget(t, l)
	if err != nil {
		return err
	}
	if _, err := t.Exec(relinkEntry, target, seq, l.role); err != nil {
		return err
	}
	if v.own {
		if _, err := t.Exec(queueMoved, target); err != nil {
			return err
		}
	}
	if err := v.addReceipt(t, l.entry, -l.receipt); err != nil {
		return err
	}
	return v.addReceipt(t, target, l.receipt)
}

// findTarget returns the entry of the other log with the same leaf, which it makes where there is none. One
// that has failed is pending again.
func (v *move) findTarget(t *tx, l link) (id int64, err error) {
	err = t.QueryRow(findEntry, v.to, l.leaf).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return v.copyEntry(t, l)
	}
	if err != nil {
		return 0, err
	}
	var log, bytes int64
	switch err := t.QueryRow(reviveEntry, v.store.now(), l.request.priority, l.request.tenant, id).Scan(&log, &bytes); {
	case err == nil:
		v.addBacklog(log, backlog{1, bytes})
		v.revived = append(v.revived, id)
	case !errors.Is(err, sql.ErrNoRows):
		return 0, err
	}
	_, err = t.Exec(raiseEntry, l.request.priority, id)
	return id, err
}

func (v *move) copyEntry(t *tx, l link) (id int64, err error) {
	var bytes int64
	if err := t.QueryRow(copyEntry, v.to, l.entry, l.request.tenant).Scan(&id, &bytes); err != nil {
		return 0, err
	}
	v.addBacklog(v.to, backlog{1, bytes})
	_, err = t.Exec(copyBody, id, l.entry)
	return id, err
}

func (v *move) addReceipt(t *tx, entry, bytes int64) error {
	var log int64
	var pending bool
	if err := t.QueryRow(weighReceipt, bytes, entry).Scan(&log, &pending); err != nil {
		return err
	}
	if pending {
		v.addBacklog(log, backlog{bytes: bytes})
	}
	return nil
}

// removeUnlinked removes an entry that no submission has any more, and that would be sent for nobody. One that may be in
// the log is given up instead: should it come back, it is looked for before it is sent. So is what is a record of an own log.
func (v *move) removeUnlinked(t *tx, id int64) error {
	var bytes int64
	var inDoubt bool
	err := t.QueryRow(unlinkedEntry, id).Scan(&bytes, &inDoubt)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	v.addBacklog(v.from, backlog{-1, -bytes})
	kept := inDoubt
	if v.own {
		if kept, err = t.dropQueuedEntry(v.from, id); err != nil {
			return err
		}
	}
	if kept {
		arg, err := encodeList([]int64{id})
		if err == nil {
			_, err = t.Exec(giveUpEntries, gateway.ProblemRetired, arg)
		}
		return err
	}
	if _, err := t.Exec(removeBody, id); err != nil {
		return err
	}
	_, err = t.Exec(removeEntry, id)
	return err
}

func (v *move) addBacklog(log int64, more backlog) { v.backlogs[log] = v.backlogs[log].plus(more) }
