// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	keepLook = `
INSERT INTO own_look AS l (log, shard, key, first, next) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (log, shard, key) DO UPDATE SET first = excluded.first, next = excluded.next
WHERE excluded.first < l.first OR excluded.first = l.first AND excluded.next > l.next`

	selectLooks = `
SELECT h.origin, h.key_id, l.key, l.first, l.next FROM own_look l JOIN shard h ON h.id = l.shard
WHERE l.log = (SELECT id FROM log WHERE name = $1) ORDER BY h.origin COLLATE "C", h.key_id, l.key`
)

// KeepLooks implements gateway.OwnLogs.
func (s *Store) KeepLooks(ctx context.Context, log string, looks []gateway.OwnLook) error {
	const doing = "noting how far logs were looked through"
	if err := store.CheckLooks(looks); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		own, err := t.readOwnLog(lockOwnLog, log)
		if err == nil && !own.same && !s.mistrusted.is(log, t.life) { // what was looked at was not this life of the database
			err = errOtherLife
		}
		if err != nil {
			return err
		}
		var b pgx.Batch
		for _, l := range looks {
			shard, err := s.shards.idOf(t, l.Shard)
			if err != nil {
				return err
			}
			b.Queue(keepLook, own.row, shard, l.Key[:], int64(l.From), int64(l.To))
		}
		return t.sendBatch(&b)
	})
}

// Looks implements gateway.OwnLogs.
func (s *Store) Looks(ctx context.Context, log string) (looks []gateway.OwnLook, err error) {
	err = s.readTx(ctx, "reading how far logs were looked through", func(t *tx) error {
		looks = nil
		return t.eachRow(selectLooks, []any{log}, func(scan func(...any) error) error {
			var l gateway.OwnLook
			var keyID, key []byte
			err := scan(&l.Shard.Origin, &keyID, &key, &l.From, &l.To)
			copy(l.Shard.KeyID[:], keyID)
			copy(l.Key[:], key)
			looks = append(looks, l)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return looks, nil
}
