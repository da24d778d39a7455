// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	insertMirror = `INSERT INTO mirror (log) VALUES (?) ON CONFLICT DO NOTHING`

	// An anchor belongs to the tenant of an own log's anchors: whoever else sends what has the same body shares its entry.
	listMirrored = `
INSERT INTO mirror_due (log, entry) SELECT e.log, e.id FROM entry e
WHERE e.id IN (SELECT value FROM json_each(?1)) AND e.state = 'LOGGED' AND e.log IN (SELECT log FROM mirror)
AND e.tenant NOT IN (SELECT id FROM tenant WHERE substr(name, 1, length(?2)) = ?2) ON CONFLICT DO NOTHING`

	selectMirrored = `
SELECT d.entry, e.kind, b.body FROM mirror_due d CROSS JOIN entry e ON e.id = d.entry LEFT JOIN entry_blob b ON b.entry = d.entry
WHERE d.log = (SELECT id FROM log WHERE name = ?) ORDER BY d.entry LIMIT ?`

	dropMirrored = `
DELETE FROM mirror_due WHERE log = (SELECT id FROM log WHERE name = ?) AND entry IN (SELECT value FROM json_each(?))`
)

// AddMirror implements gateway.Mirrors.
func (s *Store) AddMirror(ctx context.Context, log string) error {
	return s.writeTx(ctx, "having entries listed", func(t *tx) error {
		row, err := s.logs.idOf(t, log)
		if err == nil {
			err = t.refuseOwn(row, log)
		}
		if err == nil {
			_, err = t.Exec(insertMirror, row)
		}
		return err
	})
}

// listMirrored lists those of the entries, which have ended, that are Logged and to be mirrored. The list is JSON.
func (t *tx) listMirrored(entries any) error {
	_, err := t.Exec(listMirrored, entries, gateway.AnchorTenant(""))
	return err
}

// errEnough ends what is done for each row.
var errEnough = errors.New("enough")

// Mirrored implements gateway.Mirrors.
func (s *Store) Mirrored(ctx context.Context, log string, limit, maxBytes int) (all []gateway.MirroredEntry, err error) {
	err = s.readTx(ctx, "reading listed entries", func(t *tx) error {
		all = nil
		size := 0
		err := t.eachRow(selectMirrored, []any{log, max(limit, 0)}, func(scan func(...any) error) error {
			var e gateway.MirroredEntry
			if err := scan(&e.ID, &e.Kind, &e.Body); err != nil {
				return err
			}
			all = append(all, e)
			if size += len(e.Body); size >= maxBytes {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ForgetMirrored implements gateway.Mirrors.
func (s *Store) ForgetMirrored(ctx context.Context, log string, ids []int64) error {
	arg, err := encodeList(ids)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "taking entries off the list", func(t *tx) error {
		_, err := t.Exec(dropMirrored, log, arg)
		return err
	})
}
