// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
)

const (
	insertChanges = `
INSERT INTO backlog (log, entries, bytes)
SELECT c.log, c.entries, c.bytes FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS c (log, entries, bytes)`

	// What is pending for each log by all changes.
	sumOfChanges = `SELECT log, SUM(entries)::bigint AS entries, SUM(bytes)::bigint AS bytes FROM backlog GROUP BY log`

	// Spooled artifacts count once they are enqueued, whoever they are for: countOpen has the others.
	countPending = `
SELECT COALESCE(SUM(entries), 0)::bigint, (COALESCE(SUM(bytes), 0) + (SELECT COALESCE(SUM(size), 0) FROM blob WHERE attached))::bigint
FROM backlog`

	// Whoever reads meanwhile sees the rows before, or their sum.
	sumUpChanges = `
WITH summed AS (
    DELETE FROM backlog WHERE id = ANY (ARRAY(SELECT id FROM backlog ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)) RETURNING log, entries, bytes)
INSERT INTO backlog (log, entries, bytes)
SELECT log, SUM(entries), SUM(bytes) FROM summed GROUP BY log HAVING SUM(entries) <> 0 OR SUM(bytes) <> 0`
)

const (
	// changesPerSum is how many changes of this process one sum follows.
	changesPerSum = 64

	// changesSummed bounds the rows that are summed up at once. It is more than a few processes add meanwhile.
	changesSummed = 1000
)

// backlog is what waits for its logs: pending entries, and the bytes stored for them.
type backlog struct {
	entries int
	bytes   int64
}

func (b backlog) plus(more backlog) backlog {
	return backlog{b.entries + more.entries, b.bytes + more.bytes}
}

// changeBacklog changes what waits, of logs by their row.
func (t *tx) changeBacklog(changes map[int64]backlog) error {
	var b pgx.Batch
	t.queueBacklog(&b, changes)
	return t.sendBatch(&b)
}

// queueBacklog adds to a batch what changeBacklog does.
func (t *tx) queueBacklog(b *pgx.Batch, changes map[int64]backlog) {
	var logs, entries, bytes []int64
	for _, log := range slices.Sorted(maps.Keys(changes)) {
		if c := changes[log]; c != (backlog{}) {
			logs, entries, bytes = append(logs, log), append(entries, int64(c.entries)), append(bytes, c.bytes)
		}
	}
	if len(logs) == 0 {
		return
	}
	b.Queue(insertChanges, logs, entries, bytes)
	if t.store.changes.Add(1)%changesPerSum == 1 {
		t.committed = append(t.committed, func() { sumUpBacklog(t.ctx, t.store, t.Conn()) })
	}
}

// sumUpBacklog puts sums in the place of changes. What fails here has changed nothing, and is done by the next one.
func sumUpBacklog(ctx context.Context, s *Store, conn *pgx.Conn) {
	if _, err := conn.Exec(ctx, sumUpChanges, changesSummed); err != nil {
		s.opts.Logger.DebugContext(ctx, "summing up what is pending", "error", err)
	}
}
