// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// They are variables so that a test can break each of them, and see it noticed.
var (
	keepContradiction = `
INSERT INTO own_contradiction (log, witness, size, lasted) VALUES (?, ?, ?, ?)
ON CONFLICT (log, witness) DO UPDATE SET size = excluded.size, lasted = excluded.lasted WHERE excluded.size <> size OR excluded.lasted > lasted`

	dropContradiction = `DELETE FROM own_contradiction WHERE log = (SELECT id FROM log WHERE name = ?) AND witness = ?`

	selectContradictions = `
SELECT witness, size, lasted FROM own_contradiction WHERE log = (SELECT id FROM log WHERE name = ?) ORDER BY witness`
)

// KeepContradiction implements gateway.OwnLogs.
func (s *Store) KeepContradiction(ctx context.Context, log string, c gateway.Contradiction) error {
	const doing = "noting what a witness says"
	if err := store.CheckContradiction(c); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		row, _, err := t.readOwnLog(log)
		if err != nil {
			return err
		}
		_, err = t.Exec(keepContradiction, row, c.Witness, c.Size, int64(c.Lasted/time.Second))
		return err
	})
}

// DropContradiction implements gateway.OwnLogs.
func (s *Store) DropContradiction(ctx context.Context, log, witness string) error {
	return s.writeTx(ctx, "noting what a witness says", func(t *tx) error {
		_, err := t.Exec(dropContradiction, log, witness)
		return err
	})
}

// Contradictions implements gateway.OwnLogs.
func (s *Store) Contradictions(ctx context.Context, log string) (all []gateway.Contradiction, err error) {
	err = s.readTx(ctx, "reading what witnesses say", func(t *tx) error {
		return t.eachRow(selectContradictions, []any{log}, func(scan func(...any) error) error {
			var c gateway.Contradiction
			var lasted int64
			err := scan(&c.Witness, &c.Size, &lasted)
			c.Lasted = time.Duration(lasted) * time.Second
			all = append(all, c)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
