// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// A lease that has expired and was not claimed again still counts: its fence is the entry's.
const (
	finishLogged = `
UPDATE entry SET state = 'LOGGED', log_index = ?, in_doubt = 0, leased_until = 0, next_at = 0, problem = ''
WHERE id = ? AND fence = ? AND leased_until > 0 RETURNING log, bytes`

	finishFailed = `
UPDATE entry SET state = 'FAILED', problem = ?, in_doubt = 0, leased_until = 0, next_at = 0
WHERE id = ? AND fence = ? AND leased_until > 0 RETURNING log, bytes`

	finishRetry = `
UPDATE entry SET next_at = ?1, in_doubt = ?2, last_sent_at = CASE WHEN ?2 THEN ?3 ELSE last_sent_at END, problem = ?4, leased_until = 0
WHERE id = ?5 AND fence = ?6 AND leased_until > 0 RETURNING log, bytes`

	keepInclusion = `UPDATE entry_blob SET inclusion_kind = ?, inclusion = ?, tokens = ? WHERE entry = ?`
)

// Finish implements gateway.Store. It returns the submissions of all entries that were
// logged or failed, other tenants' that share them included, also beside ErrLeaseLost.
func (s *Store) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	encoded, err := encodeOutcomes(outcomes)
	if err != nil {
		return nil, fmt.Errorf("finishing entries: %w", err)
	}
	var changed []gateway.Progress
	lost := 0
	err = s.writeTx(ctx, "finishing entries", func(t *tx) error {
		changed, lost, err = s.finishEncoded(t, encoded)
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

// encodedOutcome is an outcome with what is stored of it, encoded.
type encodedOutcome struct {
	gateway.Outcome
	index  int64
	tokens []byte
}

// encodeOutcomes checks all outcomes and encodes them, in the same order.
func encodeOutcomes(outcomes []gateway.Outcome) ([]encodedOutcome, error) {
	encoded := make([]encodedOutcome, len(outcomes))
	for i, o := range outcomes {
		if err := store.CheckOutcome(o); err != nil {
			return nil, err
		}
		e := &encoded[i]
		e.Outcome = o
		var err error
		if o.Inclusion != nil {
			if e.index, err = store.TreeSize(o.Inclusion.Index); err != nil {
				return nil, err
			}
		}
		if e.tokens, err = store.EncodeTokens(o.Tokens); err != nil {
			return nil, err
		}
	}
	return encoded, nil
}

func (s *Store) finishEncoded(t *tx, outcomes []encodedOutcome) (changed []gateway.Progress, lost int, err error) {
	now := s.now()
	ended := endedEntries{backlogs: make(map[int64]backlog)}
	next := map[int64][]string{} // by the row of the log
	for _, o := range outcomes {
		log, bytes, err := s.applyOutcome(t, o, now)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			lost++
		case err != nil:
			return nil, 0, err
		case !o.Retry:
			ended.addEntry(o.EntryID, log, bytes)
			if len(o.Next) > 0 {
				next[log] = o.Next
			}
		}
	}
	if changed, err = ended.updateSubmissions(t); err != nil {
		return nil, 0, err
	}
	for log, to := range next {
		passed, err := s.passOn(t, ended.ids, log, to)
		if err != nil {
			return nil, 0, err
		}
		changed = replaceProgress(changed, passed)
	}
	return changed, lost, nil
}

// replaceProgress returns all with those that have got on since.
func replaceProgress(all, later []gateway.Progress) []gateway.Progress {
	for _, p := range later {
		if i := slices.IndexFunc(all, func(before gateway.Progress) bool { return before.ID == p.ID }); i >= 0 {
			all[i] = p
		}
	}
	return all
}

// endedEntries are those that a transaction has logged or failed.
type endedEntries struct {
	ids      []int64
	backlogs map[int64]backlog // changes, by the row of the log
}

func (e *endedEntries) addEntry(id, log, bytes int64) {
	e.ids = append(e.ids, id)
	e.backlogs[log] = e.backlogs[log].plus(backlog{-1, -bytes})
}

// updateSubmissions brings up to date what follows from the entries, and returns how far their submissions are.
func (e *endedEntries) updateSubmissions(t *tx) ([]gateway.Progress, error) {
	if err := t.changeBacklog(e.backlogs); err != nil {
		return nil, err
	}
	return t.refreshStates(nil, e.ids)
}

// applyOutcome stores one outcome and returns the row of the entry's log, and the entry's bytes. The
// error is sql.ErrNoRows when the lease is lost.
func (s *Store) applyOutcome(t *tx, o encodedOutcome, now int64) (log, bytes int64, err error) {
	switch {
	case o.Inclusion != nil:
		err = t.bindStmt(s.statements.finishLogged).QueryRow(o.index, o.EntryID, o.Fence).Scan(&log, &bytes)
		if err == nil {
			_, err = t.execChange(s.statements.keepInclusion, o.Inclusion.Kind, o.Inclusion.Proof, o.tokens, o.EntryID)
		}
	case o.Fail:
		err = t.bindStmt(s.statements.finishFailed).QueryRow(o.Problem, o.EntryID, o.Fence).Scan(&log, &bytes)
	default:
		err = t.bindStmt(s.statements.finishRetry).QueryRow(now+o.RetryIn.Milliseconds(), o.InDoubt, now, o.Problem, o.EntryID, o.Fence).Scan(&log, &bytes)
	}
	return log, bytes, err
}
