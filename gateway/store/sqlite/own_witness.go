// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	// It changes nothing where a newer one is there.
	keepCosignature = `
INSERT INTO own_cosignature (log, size, witness, time, line) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (log, size, witness) DO UPDATE SET time = excluded.time, line = excluded.line WHERE excluded.time >= time`

	selectCosignatures = `
SELECT witness, time, line FROM own_cosignature WHERE log = (SELECT id FROM log WHERE name = ?) AND size = ? ORDER BY witness`

	isAnchored = `SELECT EXISTS (SELECT 1 FROM own_anchor WHERE log = ? AND size = ?)`
)

// KeepCosignature implements gateway.OwnLogs.
func (s *Store) KeepCosignature(ctx context.Context, log string, size uint64, c gateway.Cosignature) error {
	const doing = "keeping a cosignature"
	if err := store.CheckCosignature(size, c); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		row, _, err := t.readOwnLog(log)
		if err != nil {
			return err
		}
		var anchored bool
		if err := t.QueryRow(isAnchored, row, size).Scan(&anchored); err != nil {
			return err
		}
		if !anchored {
			return fmt.Errorf("%w: nothing of %d records is anchored of %s", gateway.ErrNotFound, size, log)
		}
		_, err = t.Exec(keepCosignature, row, size, c.Witness, c.Time.Unix(), c.Line)
		return err
	})
}

// Cosignatures implements gateway.OwnLogs.
func (s *Store) Cosignatures(ctx context.Context, log string, size uint64) (all []gateway.Cosignature, err error) {
	if size > math.MaxInt64 {
		return nil, errors.New("reading cosignatures: no log is that large")
	}
	err = s.readTx(ctx, "reading cosignatures", func(t *tx) error {
		return t.eachRow(selectCosignatures, []any{log, size}, func(scan func(...any) error) error {
			var c gateway.Cosignature
			var at int64
			err := scan(&c.Witness, &at, &c.Line)
			c.Time = time.Unix(at, 0).UTC()
			all = append(all, c)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
