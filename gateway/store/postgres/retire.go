// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	namesOfRetired = `SELECT name FROM log WHERE retired ORDER BY name`

	findLog = `SELECT id FROM log WHERE name = $1`

	countUnsettled = `
SELECT COUNT(*) FILTER (WHERE leased_until <= $2), COUNT(*) FILTER (WHERE leased_until > $2)
FROM entry WHERE log = $1 AND state = 'PENDING' AND (in_doubt OR leased_until > $2)`

	retireLog = `UPDATE log SET retired = true WHERE id = $1`

	reinstateLog = `UPDATE log SET retired = false WHERE name = $1 AND retired`

	pendingOfLog = `SELECT id FROM entry WHERE log = $1 AND state = 'PENDING' LIMIT $2`

	lockToGiveUp = `
SELECT id, bytes, in_doubt, leased_until > $2 FROM entry WHERE id = ANY($1::bigint[]) AND state = 'PENDING' ORDER BY id FOR UPDATE`

	// What is under way is the business of nobody any more: its lease is gone. A size of the log stays with what may be in
	// it alone, which is in doubt again once somebody wants it logged after all.
	giveUpEntries = `
UPDATE entry SET state = 'FAILED', problem = $1, in_doubt = false, leased_until = 0, next_at = 0,
    last_sent_at = GREATEST(last_sent_at, leased_until), sent_at_tree_size = CASE WHEN in_doubt THEN sent_at_tree_size END
WHERE state = 'PENDING' AND id = ANY($2::bigint[])`

	listLogs = `
SELECT l.id, l.name, l.retired,
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND e.state = 'PENDING'),
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND e.state = 'PENDING' AND e.in_doubt AND e.leased_until <= $1),
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND e.leased_until > $1 AND e.leased_until > 0),
    (SELECT MIN(e.queued_at) FROM entry e WHERE e.log = l.id AND e.state = 'PENDING')
FROM log l ORDER BY l.name`

	// It reads all entries of the logs: that is for operators.
	listShards = `
SELECT c.log, h.origin, h.key_id, c.pending, c.in_doubt,
    (SELECT size FROM checkpoint k WHERE k.origin = h.origin AND k.key_id = h.key_id),
    EXISTS (SELECT 1 FROM fork f WHERE f.origin = h.origin AND f.key_id = h.key_id)
FROM (SELECT e.log, e.shard, COUNT(*) FILTER (WHERE e.state = 'PENDING') AS pending,
          COUNT(*) FILTER (WHERE e.state = 'PENDING' AND e.in_doubt AND e.leased_until <= $1) AS in_doubt
      FROM entry e WHERE e.shard IS NOT NULL GROUP BY e.log, e.shard) c JOIN shard h ON h.id = c.shard
ORDER BY h.origin, h.key_id`
)

// RetiredLogs implements gateway.Store.
func (s *Store) RetiredLogs(ctx context.Context) (names []string, err error) {
	err = s.readTx(ctx, "reading retired logs", func(t *tx) error {
		names, err = collectColumn[string](t, namesOfRetired)
		return err
	})
	if err != nil {
		return nil, err
	}
	return names, nil
}

// Retire implements gateway.Store.
func (s *Store) Retire(ctx context.Context, p gateway.RetireParams) (r gateway.Retired, err error) {
	err = s.writeTx(ctx, "retiring log", func(t *tx) error {
		r, err = retirePage(t, p)
		return err
	})
	if err != nil {
		return gateway.Retired{}, err
	}
	return r, nil
}

func retirePage(t *tx, p gateway.RetireParams) (r gateway.Retired, err error) {
	var log int64
	err = t.scanRow(findLog, []any{p.Log}, &log)
	if errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("%w: nothing was ever recorded for a log %s", gateway.ErrNotFound, p.Log)
	}
	if err != nil {
		return r, err
	}
	if err := t.lockRetirement(log); err != nil {
		return r, err
	}
	if err := t.refuseOwn(p.Log); err != nil {
		return r, err
	}
	var unsettled gateway.UnsettledError
	if err := t.scanRow(countUnsettled, []any{log, t.now}, &unsettled.InDoubt, &unsettled.Leased); err != nil {
		return r, err
	}
	if unsettled != (gateway.UnsettledError{}) && !p.GiveUpDoubt {
		return r, &unsettled
	}
	if _, err := t.exec(retireLog, log); err != nil {
		return r, err
	}
	return giveUpPending(t, log, p)
}

// giveUpPending fails up to p.Limit of a log's pending entries. One that was claimed since they were counted, and before
// it was locked, is looked at again here.
func giveUpPending(t *tx, log int64, p gateway.RetireParams) (r gateway.Retired, err error) {
	page, err := collectColumn[int64](t, pendingOfLog, log, p.Limit)
	if err != nil {
		return r, err
	}
	var ids []int64
	var unsettled gateway.UnsettledError
	given := backlog{}
	err = t.eachRow(lockToGiveUp, []any{page, t.now}, func(scan func(...any) error) error {
		var id, bytes int64
		var inDoubt, leased bool
		err := scan(&id, &bytes, &inDoubt, &leased)
		switch {
		case leased:
			unsettled.Leased++
		case inDoubt:
			unsettled.InDoubt++
		}
		ids, given = append(ids, id), given.plus(backlog{-1, -bytes})
		return err
	})
	if err != nil {
		return r, err
	}
	if unsettled != (gateway.UnsettledError{}) && !p.GiveUpDoubt {
		return r, &unsettled
	}
	if _, err := t.exec(giveUpEntries, gateway.ProblemRetired, ids); err != nil {
		return r, err
	}
	if err := t.changeBacklog(map[int64]backlog{log: given}); err != nil {
		return r, err
	}
	r.GivenUp, r.More = len(ids), len(page) == p.Limit
	changed, err := t.refreshStates(nil, ids)
	for _, c := range changed {
		r.Changed = append(r.Changed, c.ID)
	}
	return r, err
}

// Reinstate implements gateway.Store.
func (s *Store) Reinstate(ctx context.Context, log string) error {
	return s.writeTx(ctx, "reinstating log", func(t *tx) error {
		n, err := t.exec(reinstateLog, log)
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: the log %s is not retired", gateway.ErrNotFound, log)
		}
		return err
	})
}

// ListLogs implements gateway.Store.
func (s *Store) ListLogs(ctx context.Context) (all []gateway.LogStatus, err error) {
	err = s.readTx(ctx, "listing logs", func(t *tx) error {
		all = nil
		at := map[int64]int{} // where a log's row stands
		err := t.eachRow(listLogs, []any{t.now}, func(scan func(...any) error) error {
			var row int64
			var l gateway.LogStatus
			var queuedAt *int64
			err := scan(&row, &l.Log, &l.Retired, &l.Pending, &l.InDoubt, &l.Leased, &queuedAt)
			if queuedAt != nil {
				l.Oldest = time.Duration(t.now-*queuedAt) * time.Millisecond
			}
			at[row] = len(all)
			all = append(all, l)
			return err
		})
		if err != nil {
			return err
		}
		return t.eachRow(listShards, []any{t.now}, func(scan func(...any) error) error {
			var row int64
			var s gateway.ShardStatus
			var key []byte
			var size *int64
			err := scan(&row, &s.Origin, &key, &s.Pending, &s.InDoubt, &size, &s.Forked)
			copy(s.KeyID[:], key)
			s.Size = toUnsigned(size)
			if i, ok := at[row]; ok {
				all[i].Shards = append(all[i].Shards, s)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
