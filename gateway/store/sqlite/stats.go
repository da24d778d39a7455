// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// Each log is looked up in an index; no query walks the queue.
const selectStats = `
SELECT log, pending,
    (SELECT COUNT(*) FROM entry e WHERE e.log = q.log AND leased_until > ? AND leased_until > 0),
    (SELECT MIN(queued_at) FROM entry e WHERE e.log = q.log AND state = 'PENDING')
FROM queue q WHERE pending > 0`

// Stats implements gateway.Store. Logs without pending entries are left out. An entry that
// was made pending again is as old as that.
func (s *Store) Stats(ctx context.Context) (gateway.Stats, error) {
	stats := gateway.Stats{Pending: map[string]int{}, Leased: map[string]int{}, Oldest: map[string]time.Time{}}
	err := s.read(ctx, "reading statistics", func(t *tx) error {
		return t.each(selectStats, []any{time.Now().UnixMilli()}, func(scan func(...any) error) error {
			var log string
			var pending, leased int
			var oldest int64
			if err := scan(&log, &pending, &leased, &oldest); err != nil {
				return err
			}
			stats.Pending[log], stats.Leased[log], stats.Oldest[log] = pending, leased, store.FromMillis(oldest)
			return nil
		})
	})
	if err != nil {
		return gateway.Stats{}, err
	}
	return stats, nil
}
