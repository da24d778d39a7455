// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// Two indexes have what is in doubt: one those that came back without an outcome, the other those
	// whose lease ran out.
	idsInDoubt = `
SELECT d.id FROM entry d WHERE d.log = (SELECT id FROM log WHERE name = ?1) AND d.in_doubt = 1 AND d.leased_until = 0 AND d.id > ?2
UNION ALL
SELECT d.id FROM entry d WHERE d.log = (SELECT id FROM log WHERE name = ?1) AND d.leased_until > 0 AND d.leased_until <= ?3
    AND d.in_doubt = 1 AND d.id > ?2`

	selectDoubtful = `
SELECT ` + entryColumns + `, MAX(e.last_sent_at, e.leased_until) FROM entry e ` + entryNames + `
WHERE e.id IN (` + idsInDoubt + `) AND (e.shard IS NULL AND ?6 OR h.origin = ?4 AND h.key_id = ?5)
ORDER BY e.id LIMIT ?7`

	countDoubtful = `
SELECT COALESCE(h.origin, ''), COALESCE(h.key_id, zeroblob(32)), COUNT(*) FROM entry e LEFT JOIN shard h ON h.id = e.shard
WHERE e.id IN (` + idsInDoubt + `) GROUP BY e.shard`

	// What was read before, and searched for meanwhile, may be another's by now.
	settleFound = `
UPDATE entry SET state = 'LOGGED', log_index = ?1, in_doubt = 0, leased_until = 0, next_at = 0, problem = ''
WHERE id = ?2 AND fence = ?3 AND state = 'PENDING' AND in_doubt = 1 AND leased_until <= ?4`

	// leased_until stays: who comes late with the outcome of a lease that ran out is still heard.
	settleAbsent = `
UPDATE entry SET absent_to = MAX(absent_to, ?1), in_doubt = 1 - ?5
WHERE id = ?2 AND fence = ?3 AND state = 'PENDING' AND in_doubt = 1 AND leased_until <= ?4`

	searchedFrom = `SELECT COALESCE(doubt_from, size) FROM checkpoint WHERE origin = ? AND key_id IN (?, x'')`

	doubtPending = `
UPDATE entry SET in_doubt = 1, leased_until = 0, shard = COALESCE(shard, ?2), sent_at_tree_size = COALESCE(sent_at_tree_size, ?3)
WHERE log = (SELECT id FROM log WHERE name = ?1 AND retired = 0 AND id NOT IN (SELECT log FROM own_log)) AND state = 'PENDING' AND in_doubt = 0
    AND (shard IS NULL OR shard = ?2) AND (sent_at_tree_size IS NOT NULL OR ?3 IS NOT NULL) AND id <= ?4`

	selectCopied = `SELECT EXISTS (SELECT 1 FROM log WHERE name = ? AND copied = 1)`

	// What is not in doubt is certainly not in another shard, to which it was sent before, but may have been sent to this one since the copy was made.
	leaveShards = `
UPDATE entry SET shard = NULL, sent_at_tree_size = NULL, absent_to = 0
WHERE log = (SELECT id FROM log WHERE name = ?1 AND retired = 0) AND state = 'PENDING' AND in_doubt = 0 AND shard <> ?2 AND ?3 IS NOT NULL`

	// What was put back may have been sent until then, whatever it says of itself.
	countAsSent = `
UPDATE entry SET last_sent_at = ?2 WHERE log = (SELECT id FROM log WHERE name = ?1 AND retired = 0) AND state = 'PENDING' AND in_doubt = 1`

	// What waits for other logs may come over later, and may have been here since the copy was made. As long as some of that waits, it may be so of
	// the copy before.
	endCopied = `
UPDATE log SET copied = 0, sent_shard = ?2,
    sent_from = CASE WHEN sent_shard = ?2 AND EXISTS (SELECT 1 FROM log o WHERE o.id <> log.id AND EXISTS (
        SELECT 1 FROM entry e WHERE e.log = o.id AND e.state = 'PENDING' AND e.queued_at <= log.sent_until)) THEN MIN(COALESCE(sent_from, ?3), ?3) ELSE ?3 END,
    sent_until = (SELECT MAX((SELECT MAX(e.queued_at) FROM entry e WHERE e.log = o.id AND e.state = 'PENDING')) FROM log o WHERE o.id <> log.id)
WHERE name = ?1 AND retired = 0`
)

// Doubtful implements gateway.Store.
func (s *Store) Doubtful(ctx context.Context, p gateway.DoubtParams) (doubts []gateway.Doubt, err error) {
	err = s.readTx(ctx, "reading what is in doubt", func(t *tx) error {
		now := s.now()
		args := []any{p.Log, p.After, now, p.Shard.Origin, p.Shard.KeyID[:], p.Unknown, p.Limit}
		var until int64
		row := newEntryRow(&until)
		return t.eachRow(selectDoubtful, args, func(scan func(...any) error) error {
			e, err := row.scanEntry(scan)
			doubts = append(doubts, gateway.Doubt{Entry: e, SentAgo: s.clock.measureSince(until, now)})
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return doubts, nil
}

// CountDoubtful implements gateway.Store.
func (s *Store) CountDoubtful(ctx context.Context, log string) (counts map[gateway.Shard]int, err error) {
	counts = map[gateway.Shard]int{}
	err = s.readTx(ctx, "counting what is in doubt", func(t *tx) error {
		return t.eachRow(countDoubtful, []any{log, 0, s.now()}, func(scan func(...any) error) error {
			var shard gateway.Shard
			var keyID []byte
			var n int
			err := scan(&shard.Origin, &keyID, &n)
			copy(shard.KeyID[:], keyID)
			counts[shard] = n
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// Settle implements gateway.Store.
func (s *Store) Settle(ctx context.Context, settlements []gateway.Settlement) (changed []gateway.Progress, err error) {
	if len(settlements) == 0 {
		return nil, nil
	}
	for _, e := range settlements {
		if err := store.CheckSettlement(e); err != nil {
			return nil, fmt.Errorf("settling doubts: %w", err)
		}
	}
	lost := 0
	err = s.writeTx(ctx, "settling doubts", func(t *tx) error {
		changed, lost, err = s.settleEntries(t, settlements)
		return err
	})
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		return changed, fmt.Errorf("settling doubts: %w: %d of %d", gateway.ErrLeaseLost, lost, len(settlements))
	}
	return changed, nil
}

func (s *Store) settleEntries(t *tx, settlements []gateway.Settlement) (changed []gateway.Progress, lost int, err error) {
	now := s.now()
	var ended []int64
	for _, e := range settlements {
		applied, err := s.settleEntry(t, e, now)
		switch {
		case err != nil:
			return nil, 0, err
		case !applied:
			lost++
		case e.Inclusion != nil:
			ended = append(ended, e.EntryID)
		}
	}
	_, changed, err = t.endEntries(ended)
	return changed, lost, err
}

// settleEntry is as applyOutcome.
func (s *Store) settleEntry(t *tx, e gateway.Settlement, now int64) (applied bool, err error) {
	if e.Inclusion == nil {
		absentTo, err := store.TreeSize(e.AbsentTo)
		if err != nil {
			return false, err
		}
		n, err := t.execChange(s.statements.settleAbsent, absentTo, e.EntryID, e.Fence, now, e.Resend)
		return n > 0, err
	}
	index, err := store.TreeSize(e.Inclusion.Index)
	if err != nil {
		return false, err
	}
	n, err := t.execChange(s.statements.settleFound, index, e.EntryID, e.Fence, now)
	if err == nil && n > 0 {
		_, err = t.execChange(s.statements.keepInclusion, e.Inclusion.Kind, e.Inclusion.Proof, nil, e.EntryID)
	}
	return n > 0, err
}

// DoubtPending implements gateway.Store.
func (s *Store) DoubtPending(ctx context.Context, log string, shard gateway.Shard) (n int, err error) {
	err = s.writeTx(ctx, "putting in doubt what is pending", func(t *tx) error {
		r, err := t.Exec(trustOwnLog, log)
		if err != nil {
			return err
		}
		if own, err := r.RowsAffected(); err != nil || own > 0 { // nothing of it is sent anywhere
			return err
		}
		var copied bool
		if err := t.QueryRow(selectCopied, log).Scan(&copied); err != nil {
			return err
		}
		if busy, err := s.isLeased(t, log, copied); err != nil || busy {
			return errors.Join(err, s.endDoubtFrom(t, shard))
		}
		n, err = s.doubtLog(t, log, shard, copied)
		return errors.Join(err, s.endDoubtFrom(t, shard))
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// doubtLog puts in doubt what of a log is pending, and returns how many that are.
func (s *Store) doubtLog(t *tx, log string, shard gateway.Shard, copied bool) (n int, err error) {
	id, err := s.shards.idOf(t, shard)
	if err != nil {
		return 0, err
	}
	var size *int64 // nil: no checkpoint is kept
	err = t.QueryRow(searchedFrom, shard.Origin, shard.KeyID[:]).Scan(&size)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, err
	}
	last := int64(math.MaxInt64)
	if copied { // what came since it was opened is in no other life: it need not wait for as long as that
		last = s.lastEntry
		if _, err := t.Exec(leaveShards, log, id, size); err != nil {
			return 0, err
		}
	}
	r, err := t.Exec(doubtPending, log, id, size, last)
	if err != nil {
		return 0, err
	}
	changed, err := r.RowsAffected()
	if copied {
		err = errors.Join(err, s.countCopied(t, log, id, size))
	}
	return int(changed), err
}

// isLeased reports whether somebody has a lease on an entry of the log, which shows that the file is what it was. In a copy, leases are of whoever
// worked on the file that was copied.
func (s *Store) isLeased(t *tx, log string, copied bool) (bool, error) {
	if copied {
		return false, nil
	}
	var leased int
	err := t.QueryRow(countLeased, log, s.now()).Scan(&leased)
	return leased > 0, err
}

// countCopied has all that is in doubt count as sent now: in a copy nobody knows of its last sending.
func (s *Store) countCopied(t *tx, log string, shard int64, size *int64) error {
	_, err := t.Exec(countAsSent, log, s.now())
	if err == nil {
		_, err = t.Exec(endCopied, log, shard, size)
	}
	return err
}

// endDoubtFrom forgets what the shard's size was before this process: all that was pending then is in doubt.
func (s *Store) endDoubtFrom(t *tx, shard gateway.Shard) error {
	_, err := t.Exec(doubtStored, shard.Origin, shard.KeyID[:])
	t.committed = append(t.committed, func() { s.doubted.Store(shard, struct{}{}) })
	return err
}
