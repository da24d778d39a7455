// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Both look at no more than they are asked to, in the index entry_queue.
const (
	countLine = `SELECT COUNT(*) FROM (SELECT 1 FROM entry WHERE log = $1 AND priority = $2 AND ` + sendable + ` LIMIT $3) q`

	// Each tenant's oldest is one look; parameters are those of tenantsInLine.
	oldestInLine = `
SELECT COALESCE(MIN(o.queued_at), 0), COALESCE(MIN(o.id), 0) FROM (` + tenantsInLine + `) t CROSS JOIN LATERAL (
    SELECT queued_at, id FROM entry WHERE log = $1 AND priority = $2 AND ` + sendable + ` AND tenant = t.tenant ORDER BY queued_at, id LIMIT 1) o`

	logsInUse = `SELECT l.id, l.name FROM (` + sumOfChanges + `) p JOIN log l ON l.id = p.log WHERE p.entries > 0`
)

// Lines implements gateway.Store.
func (s *Store) Lines(ctx context.Context) (lines []gateway.Line, err error) {
	err = s.readTx(ctx, "counting what stands in line", func(t *tx) error {
		lines = nil
		var logs []int64
		err := t.eachRow(logsInUse, nil, func(scan func(...any) error) error {
			var id int64
			var name string
			err := scan(&id, &name)
			for _, p := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
				lines, logs = append(lines, gateway.Line{Log: name, Priority: p}), append(logs, id)
			}
			return err
		})
		if err != nil {
			return err
		}
		return t.readLines(lines, logs)
	})
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// readLines completes lines, each of the log in the same place.
func (t *tx) readLines(lines []gateway.Line, logs []int64) error {
	var b pgx.Batch
	for i := range lines {
		line := &lines[i]
		b.Queue(countLine, logs[i], line.Priority, gateway.MaxLine).QueryRow(func(row pgx.Row) error { return row.Scan(&line.Entries) })
		b.Queue(oldestInLine, logs[i], line.Priority, -1, int64(math.MaxInt64), gateway.MaxLineTenants).QueryRow(func(row pgx.Row) error {
			var queuedAt int64
			err := row.Scan(&queuedAt, &line.First)
			if line.Entries > 0 {
				line.Oldest = time.Duration(t.now-queuedAt) * time.Millisecond
			}
			return err
		})
	}
	return t.sendBatch(&b)
}
