// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Each log is looked up in an index; no query walks the queue.
const selectStats = `
SELECT l.name, p.entries, p.bytes,
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND leased_until > $1 AND leased_until > 0),
    COALESCE((SELECT MIN(queued_at) FROM entry e WHERE e.log = l.id AND state = 'PENDING'), $1),
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND state = 'PENDING' AND attempts >= 10)
FROM (` + sumOfChanges + `) p JOIN log l ON l.id = p.log WHERE p.entries > 0`

// Stats implements gateway.Store. Logs without pending entries are left out. An entry that
// was made pending again is as old as that.
func (s *Store) Stats(ctx context.Context) (stats gateway.Stats, err error) {
	err = s.readTx(ctx, "reading statistics", func(t *tx) error {
		stats = gateway.Stats{
			Pending: map[string]int{}, PendingBytes: map[string]int64{},
			Leased: map[string]int{}, Stuck: map[string]int{}, Oldest: map[string]time.Duration{},
		}
		return t.eachRow(selectStats, []any{t.now}, func(scan func(...any) error) error {
			var log string
			var pending, leased, stuck int
			var bytes, queuedAt int64
			if err := scan(&log, &pending, &bytes, &leased, &queuedAt, &stuck); err != nil {
				return err
			}
			stats.Pending[log], stats.PendingBytes[log], stats.Leased[log] = pending, bytes, leased
			stats.Stuck[log] = stuck
			stats.Oldest[log] = time.Duration(t.now-queuedAt) * time.Millisecond
			return nil
		})
	})
	if err != nil {
		return gateway.Stats{}, err
	}
	return stats, nil
}
