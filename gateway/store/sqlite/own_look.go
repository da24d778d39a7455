// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	keepLook = `
INSERT INTO own_look (log, shard, key, first, next) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (log, shard, key) DO UPDATE SET first = excluded.first, next = excluded.next
WHERE excluded.first < first OR excluded.first = first AND excluded.next > next`

	selectLooks = `
SELECT h.origin, h.key_id, l.key, l.first, l.next FROM own_look l JOIN shard h ON h.id = l.shard
WHERE l.log = (SELECT id FROM log WHERE name = ?) ORDER BY h.origin, h.key_id, l.key`
)

// KeepLooks implements gateway.OwnLogs.
func (s *Store) KeepLooks(ctx context.Context, log string, looks []gateway.OwnLook) error {
	const doing = "noting how far logs were looked through"
	if err := store.CheckLooks(looks); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		row, _, err := t.readOwnLog(log)
		if err != nil {
			return err
		}
		for _, l := range looks {
			shard, err := s.shards.idOf(t, l.Shard)
			if err != nil {
				return err
			}
			if _, err := t.Exec(keepLook, row, shard, l.Key[:], l.From, l.To); err != nil {
				return err
			}
		}
		return nil
	})
}

// Looks implements gateway.OwnLogs.
func (s *Store) Looks(ctx context.Context, log string) (looks []gateway.OwnLook, err error) {
	err = s.readTx(ctx, "reading how far logs were looked through", func(t *tx) error {
		return t.eachRow(selectLooks, []any{log}, func(scan func(...any) error) error {
			var l gateway.OwnLook
			var keyID, key sql.RawBytes
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
