// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Both look at no more than they are asked to, in the index entry_queue.
const (
	countLine = `SELECT COUNT(*) FROM (SELECT 1 FROM entry WHERE log = ?1 AND priority = ?2 AND ` + sendable + ` LIMIT ?3)`

	// Each tenant's oldest is one look; parameters are those of tenantsInLine.
	oldestInLine = `
SELECT COALESCE(MIN(o.queued_at), 0), COALESCE(MIN(o.id), 0) FROM (` + tenantsInLine + `) t JOIN entry o ON o.id = (
    SELECT q.id FROM entry q WHERE q.log = ?1 AND q.priority = ?2 AND q.state = 'PENDING' AND q.in_doubt = 0 AND q.next_at = 0
    AND q.tenant = t.tenant ORDER BY q.queued_at LIMIT 1)`
)

// Lines implements gateway.Store.
func (s *Store) Lines(ctx context.Context) ([]gateway.Line, error) {
	var lines []gateway.Line
	err := s.readTx(ctx, "counting what stands in line", func(t *tx) error {
		names := map[int64]string{}
		err := t.eachRow(`SELECT id, name FROM log WHERE pending > 0`, nil, func(scan func(...any) error) error {
			var id int64
			var name string
			err := scan(&id, &name)
			names[id] = name
			return err
		})
		if err != nil {
			return err
		}
		for id, name := range names {
			for _, p := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
				line, err := readLine(t, id, p, s.now())
				if err != nil {
					return err
				}
				line.Log, line.Priority = name, p
				lines = append(lines, line)
			}
		}
		return nil
	})
	return lines, err
}

func readLine(t *tx, log int64, p gateway.Priority, now int64) (line gateway.Line, err error) {
	if err := t.QueryRow(countLine, log, p, gateway.MaxLine).Scan(&line.Entries); err != nil || line.Entries == 0 {
		return line, err
	}
	var queuedAt int64
	if err := t.QueryRow(oldestInLine, log, p, -1, int64(1<<63-1), gateway.MaxLineTenants).Scan(&queuedAt, &line.First); err != nil {
		return line, err
	}
	line.Oldest = time.Duration(now-queuedAt) * time.Millisecond
	return line, nil
}
