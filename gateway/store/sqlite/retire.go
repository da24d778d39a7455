// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	retiredLogs = `SELECT id FROM log WHERE retired = 1`

	namesOfRetired = `SELECT name FROM log WHERE retired = 1 ORDER BY name`

	countUnsettled = `
SELECT COALESCE(SUM(leased_until <= ?2), 0), COALESCE(SUM(leased_until > ?2), 0)
FROM entry WHERE log = ?1 AND state = 'PENDING' AND (in_doubt = 1 OR leased_until > ?2)`

	retireLog = `UPDATE log SET retired = 1 WHERE id = ?`

	reinstateLog = `UPDATE log SET retired = 0 WHERE name = ? AND retired = 1`

	pendingOfLog = `SELECT id FROM entry WHERE log = ? AND state = 'PENDING' LIMIT ?`

	// What is under way is the business of nobody any more: its lease is gone. A size of the log stays with what may be in
	// it alone, which is in doubt again once somebody wants it logged after all.
	giveUpEntries = `
UPDATE entry SET state = 'FAILED', problem = ?1, in_doubt = 0, leased_until = 0, next_at = 0,
    last_sent_at = MAX(last_sent_at, leased_until), sent_at_tree_size = CASE WHEN in_doubt = 1 THEN sent_at_tree_size END
WHERE state = 'PENDING' AND id IN (SELECT value FROM json_each(?2))`

	listLogs = `
SELECT id, name, pending, retired,
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND e.state = 'PENDING' AND e.in_doubt = 1 AND e.leased_until <= ?1),
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND leased_until > ?1 AND leased_until > 0),
    (SELECT MIN(queued_at) FROM entry e WHERE e.log = l.id AND state = 'PENDING')
FROM log l ORDER BY name`

	// It reads all entries of the log where none is of some shard: that is for operators.
	listShards = `
SELECT h.origin, h.key_id,
    (SELECT COUNT(*) FROM entry e WHERE e.log = ?1 AND e.state = 'PENDING' AND e.shard = h.id),
    (SELECT COUNT(*) FROM entry e WHERE e.log = ?1 AND e.state = 'PENDING' AND e.shard = h.id AND e.in_doubt = 1 AND e.leased_until <= ?2),
    (SELECT size FROM checkpoint c WHERE c.origin = h.origin AND c.key_id = h.key_id),
    EXISTS (SELECT 1 FROM fork f WHERE f.origin = h.origin AND f.key_id IN (h.key_id, x''))
FROM shard h WHERE EXISTS (SELECT 1 FROM entry e WHERE e.log = ?1 AND e.shard = h.id) ORDER BY h.origin, h.key_id`
)

// readRetired returns the rows of the logs that are retired.
func (t *tx) readRetired() (map[int64]bool, error) {
	ids, err := collectColumn[int64](t, retiredLogs)
	retired := make(map[int64]bool, len(ids))
	for _, id := range ids {
		retired[id] = true
	}
	return retired, err
}

// RetiredLogs implements gateway.Store.
func (s *Store) RetiredLogs(ctx context.Context) (names []string, err error) {
	err = s.readTx(ctx, "reading retired logs", func(t *tx) error {
		names, err = collectColumn[string](t, namesOfRetired)
		return err
	})
	return names, err
}

// Retire implements gateway.Store.
func (s *Store) Retire(ctx context.Context, p gateway.RetireParams) (r gateway.Retired, err error) {
	err = s.writeTx(ctx, "retiring log", func(t *tx) error {
		r, err = s.retirePage(t, p)
		return err
	})
	if err != nil {
		return gateway.Retired{}, err
	}
	return r, nil
}

func (s *Store) retirePage(t *tx, p gateway.RetireParams) (r gateway.Retired, err error) {
	var log int64
	err = t.QueryRow(findLog, p.Log).Scan(&log)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%w: nothing was ever recorded for a log %s", gateway.ErrNotFound, p.Log)
	}
	if err != nil {
		return r, err
	}
	if err := t.refuseOwn(log, p.Log); err != nil {
		return r, err
	}
	var unsettled gateway.UnsettledError
	if err := t.QueryRow(countUnsettled, log, s.now()).Scan(&unsettled.InDoubt, &unsettled.Leased); err != nil {
		return r, err
	}
	if unsettled != (gateway.UnsettledError{}) && !p.GiveUpDoubt {
		return r, &unsettled
	}
	if _, err := t.Exec(retireLog, log); err != nil {
		return r, err
	}
	return t.giveUpPending(log, p.Limit)
}

// giveUpPending fails up to limit of a log's pending entries.
func (t *tx) giveUpPending(log int64, limit int) (r gateway.Retired, err error) {
	ended, err := collectColumn[int64](t, pendingOfLog, log, limit)
	if err != nil {
		return r, err
	}
	arg, err := encodeList(ended)
	if err != nil {
		return r, err
	}
	if _, err := t.Exec(giveUpEntries, gateway.ProblemRetired, arg); err != nil {
		return r, err
	}
	r.GivenUp, r.More = len(ended), len(ended) == limit
	_, changed, err := t.endEntries(ended)
	r.Changed = idsOf(changed)
	return r, err
}

// Reinstate implements gateway.Store.
func (s *Store) Reinstate(ctx context.Context, log string) error {
	return s.writeTx(ctx, "reinstating log", func(t *tx) error {
		r, err := t.Exec(reinstateLog, log)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return fmt.Errorf("%w: the log %s is not retired", gateway.ErrNotFound, log)
	})
}

// ListLogs implements gateway.Store.
func (s *Store) ListLogs(ctx context.Context) (all []gateway.LogStatus, err error) {
	err = s.readTx(ctx, "listing logs", func(t *tx) error {
		now := s.now()
		var rows []int64
		err := t.eachRow(listLogs, []any{now}, func(scan func(...any) error) error {
			var row int64
			var l gateway.LogStatus
			var queuedAt sql.NullInt64
			err := scan(&row, &l.Log, &l.Pending, &l.Retired, &l.InDoubt, &l.Leased, &queuedAt)
			if queuedAt.Valid {
				l.Oldest = time.Duration(now-queuedAt.Int64) * time.Millisecond
			}
			rows, all = append(rows, row), append(all, l)
			return err
		})
		for i := range rows {
			if err == nil {
				all[i].Shards, err = t.listShards(rows[i], now)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (t *tx) listShards(log, now int64) (shards []gateway.ShardStatus, err error) {
	err = t.eachRow(listShards, []any{log, now}, func(scan func(...any) error) error {
		var s gateway.ShardStatus
		var key []byte
		var size sql.NullInt64
		err := scan(&s.Origin, &key, &s.Pending, &s.InDoubt, &size, &s.Forked)
		copy(s.KeyID[:], key)
		s.Size = toUnsigned(size)
		shards = append(shards, s)
		return err
	})
	return shards, err
}
