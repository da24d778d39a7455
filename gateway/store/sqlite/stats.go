// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Each log is looked up in an index; no query walks the queue.
const selectStats = `
SELECT name, pending, pending_bytes,
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND leased_until > ? AND leased_until > 0),
    (SELECT MIN(queued_at) FROM entry e WHERE e.log = l.id AND state = 'PENDING'),
    (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND state = 'PENDING' AND attempts >= 10)
FROM log l WHERE pending > 0`

// Stats implements gateway.Store. Logs without pending entries are left out. An entry that
// was made pending again is as old as that.
func (s *Store) Stats(ctx context.Context) (gateway.Stats, error) {
	stats := gateway.Stats{
		Pending: map[string]int{}, PendingBytes: map[string]int64{},
		Leased: map[string]int{}, Stuck: map[string]int{}, Oldest: map[string]time.Duration{},
	}
	err := s.readTx(ctx, "reading statistics", func(t *tx) error {
		now := s.now()
		return t.eachRow(selectStats, []any{now}, func(scan func(...any) error) error {
			var log string
			var pending, leased, stuck int
			var bytes, queuedAt int64
			if err := scan(&log, &pending, &bytes, &leased, &queuedAt, &stuck); err != nil {
				return err
			}
			stats.Pending[log], stats.PendingBytes[log], stats.Leased[log] = pending, bytes, leased
			stats.Stuck[log] = stuck
			stats.Oldest[log] = time.Duration(now-queuedAt) * time.Millisecond
			return nil
		})
	})
	if err != nil {
		return gateway.Stats{}, err
	}
	return stats, nil
}

const selectFree = `SELECT f.freelist_count * p.page_size FROM pragma_freelist_count f, pragma_page_size p`

// FreeInside returns how many bytes of the file are free for what is stored next: it never shrinks.
func (s *Store) FreeInside() (bytes int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), freePatience)
	defer cancel()
	err = s.readTx(ctx, "reading what is free", func(t *tx) error { return t.QueryRow(selectFree).Scan(&bytes) })
	return bytes, err
}

// freePatience bounds the reading of what is free, for which requests wait.
const freePatience = time.Second
