// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// A lease that has expired and was not claimed again still counts: its fence is the entry's.
const (
	finishLogged = `
UPDATE entry SET state = 'LOGGED', inclusion = ?, in_doubt = 0, leased_until = 0, next_at = 0, problem = ''
WHERE id = ? AND fence = ? AND leased_until > 0 RETURNING log`

	finishFailed = `
UPDATE entry SET state = 'FAILED', problem = ?, in_doubt = 0, leased_until = 0, next_at = 0
WHERE id = ? AND fence = ? AND leased_until > 0 RETURNING log`

	finishRetry = `
UPDATE entry SET next_at = ?, in_doubt = ?, last_sent_at = COALESCE(?, last_sent_at), problem = ?, leased_until = 0
WHERE id = ? AND fence = ? AND leased_until > 0 RETURNING log`
)

// Finish implements gateway.Store. It returns the submissions of all entries that were
// logged or failed, other tenants' that share them included, also beside ErrLeaseLost.
func (s *Store) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]string, error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	inclusions, err := encodeOutcomes(outcomes)
	if err != nil {
		return nil, fmt.Errorf("finishing entries: %w", err)
	}
	var changed []string
	lost := 0
	err = s.write(ctx, "finishing entries", func(t *tx) error {
		changed, lost, err = s.finish(t, outcomes, inclusions)
		return err
	})
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		return changed, fmt.Errorf("finishing entries: %w: %d of %d", gateway.ErrLeaseLost, lost, len(outcomes))
	}
	return changed, nil
}

// encodeOutcomes checks all outcomes and encodes their inclusions, in the same order.
func encodeOutcomes(outcomes []gateway.Outcome) ([][]byte, error) {
	inclusions := make([][]byte, len(outcomes))
	for i, o := range outcomes {
		err := store.CheckOutcome(o)
		if err == nil && o.Inclusion != nil {
			inclusions[i], err = store.EncodeInclusion(o.Inclusion)
		}
		if err != nil {
			return nil, err
		}
	}
	return inclusions, nil
}

func (s *Store) finish(t *tx, outcomes []gateway.Outcome, inclusions [][]byte) (changed []string, lost int, err error) {
	settled := make(map[string]int)
	var entries []int64
	for i, o := range outcomes {
		var log string
		err := s.apply(t, o, inclusions[i]).Scan(&log)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			lost++
		case err != nil:
			return nil, 0, err
		case o.RetryAt.IsZero():
			settled[log]++
			entries = append(entries, o.EntryID)
		}
	}
	if err := t.count(takePending, settled); err != nil {
		return nil, 0, err
	}
	changed, err = t.refresh(nil, entries)
	return changed, lost, err
}

func (s *Store) apply(t *tx, o gateway.Outcome, inclusion []byte) *sql.Row {
	switch {
	case inclusion != nil:
		return t.stmt(s.statements.finishLogged).QueryRow(inclusion, o.EntryID, o.Fence)
	case o.Fail:
		return t.stmt(s.statements.finishFailed).QueryRow(o.Problem, o.EntryID, o.Fence)
	}
	var sentAt sql.NullInt64
	if o.InDoubt && !o.SentAt.IsZero() {
		sentAt = sql.NullInt64{Int64: store.Millis(o.SentAt), Valid: true}
	}
	return t.stmt(s.statements.finishRetry).QueryRow(store.Millis(o.RetryAt), o.InDoubt, sentAt, o.Problem, o.EntryID, o.Fence)
}
