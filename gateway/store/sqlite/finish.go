// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// A lease that has expired and was not claimed again still counts: its fence is the entry's.
const (
	finishLogged = `
UPDATE entry SET state = 'LOGGED', log_index = ?, in_doubt = 0, leased_until = 0, next_at = 0, problem = ''
WHERE id = ? AND fence = ? AND leased_until > 0`

	finishFailed = `
UPDATE entry SET state = 'FAILED', problem = ?, in_doubt = 0, leased_until = 0, next_at = 0
WHERE id = ? AND fence = ? AND leased_until > 0`

	finishRetry = `
UPDATE entry SET next_at = ?1, in_doubt = ?2, last_sent_at = CASE WHEN ?2 THEN ?3 ELSE last_sent_at END, problem = ?4, leased_until = 0, attempts = attempts - ?7
WHERE id = ?5 AND fence = ?6 AND leased_until > 0`

	logsOfEntries = `SELECT id, log, bytes FROM entry WHERE id IN (SELECT value FROM json_each(?))`

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
	var ended []int64
	next := map[int64][]string{} // by entry
	for _, o := range outcomes {
		applied, err := s.applyOutcome(t, o, now)
		switch {
		case err != nil:
			return nil, 0, err
		case !applied:
			lost++
		case !o.Retry:
			ended = append(ended, o.EntryID)
			if len(o.Next) > 0 {
				next[o.EntryID] = o.Next
			}
		}
	}
	logs, changed, err := t.endEntries(ended)
	if err != nil || len(next) == 0 {
		return changed, lost, err
	}
	nextOf := map[int64][]string{} // by the row of the log
	for id, to := range next {
		nextOf[logs[id]] = to
	}
	for log, to := range nextOf {
		passed, err := s.passOn(t, ended, log, to)
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

// endEntries brings up to date what follows from entries that this transaction has logged or failed. It returns the rows of
// their logs, by entry, and how far their submissions are.
func (t *tx) endEntries(ids []int64) (logs map[int64]int64, changed []gateway.Progress, err error) {
	if len(ids) == 0 {
		return nil, nil, nil
	}
	arg, err := encodeList(ids)
	if err != nil {
		return nil, nil, err
	}
	logs, backlogs := make(map[int64]int64, len(ids)), map[int64]backlog{}
	err = t.eachRow(logsOfEntries, []any{arg}, func(scan func(...any) error) error {
		var id, log, bytes int64
		err := scan(&id, &log, &bytes)
		logs[id], backlogs[log] = log, backlogs[log].plus(backlog{-1, -bytes})
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err := t.changeBacklog(backlogs); err != nil {
		return nil, nil, err
	}
	if err := t.listMirrored(arg); err != nil {
		return nil, nil, err
	}
	changed, err = t.refreshStates(nil, ids)
	return logs, changed, err
}

// applyOutcome stores one outcome, and reports whether its lease was not lost.
func (s *Store) applyOutcome(t *tx, o encodedOutcome, now int64) (applied bool, err error) {
	var n int64
	switch {
	case o.Inclusion != nil:
		n, err = t.execChange(s.statements.finishLogged, o.index, o.EntryID, o.Fence)
		if err == nil && n > 0 {
			_, err = t.execChange(s.statements.keepInclusion, o.Inclusion.Kind, o.Inclusion.Proof, o.tokens, o.EntryID)
		}
	case o.Fail:
		n, err = t.execChange(s.statements.finishFailed, o.Problem, o.EntryID, o.Fence)
	default:
		n, err = t.execChange(s.statements.finishRetry, now+o.RetryIn.Milliseconds(), o.InDoubt, now, o.Problem, o.EntryID, o.Fence, o.Untried)
	}
	return n > 0, err
}
