// SPDX-License-Identifier: Apache-2.0

package postgres

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
INSERT INTO own_contradiction AS c (log, witness, size, lasted) VALUES ($1, $2, $3, $4)
ON CONFLICT (log, witness) DO UPDATE SET size = excluded.size, lasted = excluded.lasted WHERE excluded.size <> c.size OR excluded.lasted > c.lasted`

	dropContradiction = `DELETE FROM own_contradiction WHERE log = (SELECT id FROM log WHERE name = $1) AND witness = $2`

	selectContradictions = `
SELECT witness, size, lasted FROM own_contradiction WHERE log = (SELECT id FROM log WHERE name = $1) ORDER BY witness COLLATE "C"`
)

// KeepContradiction implements gateway.OwnLogs.
func (s *Store) KeepContradiction(ctx context.Context, log string, c gateway.Contradiction) error {
	const doing = "noting what a witness says"
	if err := store.CheckContradiction(c); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return s.writeTx(ctx, doing, func(t *tx) error {
		l, err := t.readOwnLog(selectOwnLog, log)
		if err != nil {
			return err
		}
		_, err = t.exec(keepContradiction, l.row, c.Witness, int64(c.Size), int64(c.Lasted/time.Second))
		return err
	})
}

// DropContradiction implements gateway.OwnLogs.
func (s *Store) DropContradiction(ctx context.Context, log, witness string) error {
	return s.writeTx(ctx, "noting what a witness says", func(t *tx) error {
		_, err := t.exec(dropContradiction, log, witness)
		return err
	})
}

// Contradictions implements gateway.OwnLogs.
func (s *Store) Contradictions(ctx context.Context, log string) (all []gateway.Contradiction, err error) {
	err = s.lookUpTx(ctx, "reading what witnesses say", func(t *tx) error {
		all = nil
		return t.eachRow(selectContradictions, []any{log}, func(scan func(...any) error) error {
			var c gateway.Contradiction
			var size, lasted int64
			err := scan(&c.Witness, &size, &lasted)
			c.Size, c.Lasted = uint64(max(size, 0)), time.Duration(lasted)*time.Second
			all = append(all, c)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
