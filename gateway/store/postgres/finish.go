// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// A lease that has expired and was not claimed again still counts: its fence is the entry's.
	finishEntries = `
UPDATE entry e SET state = d.state, log_index = d.log_index, problem = d.problem, next_at = d.next_at, in_doubt = d.in_doubt, leased_until = 0,
    last_sent_at = CASE WHEN d.in_doubt THEN $8 ELSE e.last_sent_at END,
    attempts = e.attempts - CASE WHEN d.untried THEN 1 ELSE 0 END
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::boolean[], $9::boolean[])
    AS d (id, fence, state, log_index, problem, next_at, in_doubt, untried)
WHERE e.id = d.id AND e.fence = d.fence AND e.leased_until > 0 RETURNING e.id, e.fence, e.log, e.bytes`

	keepInclusions = `
UPDATE entry_blob b SET inclusion_kind = d.kind, inclusion = d.proof, tokens = d.tokens
FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::bytea[]) AS d (id, kind, proof, tokens) WHERE b.entry = d.id`
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
	applied := 0
	err = s.writeTx(ctx, "finishing entries", func(t *tx) (err error) {
		changed, applied, err = t.finishOutcomes(encoded)
		return err
	})
	if err != nil {
		return nil, err
	}
	if lost := len(outcomes) - applied; lost > 0 {
		return changed, fmt.Errorf("finishing entries: %w: %d of %d", gateway.ErrLeaseLost, lost, len(outcomes))
	}
	return changed, nil
}

// encodedOutcome is an outcome with what is stored of it, encoded.
type encodedOutcome struct {
	gateway.Outcome
	index  *int64
	tokens []byte
}

// encodeOutcomes checks all outcomes and encodes them, by their leases. Of several with the same one the first counts.
func encodeOutcomes(outcomes []gateway.Outcome) (map[gateway.Lease]encodedOutcome, error) {
	encoded := make(map[gateway.Lease]encodedOutcome, len(outcomes))
	for _, o := range outcomes {
		if err := store.CheckOutcome(o); err != nil {
			return nil, err
		}
		e := encodedOutcome{Outcome: o}
		if o.Inclusion != nil {
			index, err := store.TreeSize(o.Inclusion.Index)
			if err != nil {
				return nil, err
			}
			e.index = &index
		}
		var err error
		if e.tokens, err = store.EncodeTokens(o.Tokens); err != nil {
			return nil, err
		}
		lease := gateway.Lease{EntryID: o.EntryID, Fence: o.Fence}
		if _, twice := encoded[lease]; !twice {
			encoded[lease] = e
		}
	}
	return encoded, nil
}

// finishOutcomes stores outcomes and returns how far the submissions of entries that have ended are, and how many
// outcomes were applied.
func (t *tx) finishOutcomes(outcomes map[gateway.Lease]encodedOutcome) (changed []gateway.Progress, applied int, err error) {
	var ended endedEntries
	ids, columns := outcomeColumns(outcomes, t.now)
	var b pgx.Batch
	b.Queue(lockByID, ids)
	queueEach(&b, finishEntries, columns, func(scan func(...any) error) error {
		var lease gateway.Lease
		var log, bytes int64
		if err := scan(&lease.EntryID, &lease.Fence, &log, &bytes); err != nil {
			return err
		}
		applied++
		if o := outcomes[lease]; !o.Retry {
			ended.addEntry(o, log, bytes)
		}
		return nil
	})
	if err := t.sendBatch(&b); err != nil {
		return nil, 0, err
	}
	if len(ended.ids) == 0 {
		return nil, applied, nil
	}
	if changed, err = ended.updateSubmissions(t); err != nil {
		return nil, 0, err
	}
	for log, to := range ended.next {
		passed, err := t.passOn(ended.ids, log, to)
		if err != nil {
			return nil, 0, err
		}
		changed = replaceProgress(changed, passed)
	}
	return changed, applied, nil
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

// outcomeColumns are the arguments of finishEntries, and the entries.
func outcomeColumns(outcomes map[gateway.Lease]encodedOutcome, now int64) (ids []int64, columns []any) {
	var fences, nextAt []int64
	var states, problems []string
	var indexes []*int64
	var inDoubt, untried []bool
	for _, o := range outcomes {
		state, problem, next, doubt := gateway.Logged, "", int64(0), false
		switch {
		case o.Fail:
			state, problem = gateway.Failed, o.Problem
		case o.Retry:
			state, problem, next, doubt = gateway.Pending, o.Problem, now+o.RetryIn.Milliseconds(), o.InDoubt
		}
		ids, fences, states, indexes = append(ids, o.EntryID), append(fences, o.Fence), append(states, string(state)), append(indexes, o.index)
		problems, nextAt, inDoubt = append(problems, problem), append(nextAt, next), append(inDoubt, doubt)
		untried = append(untried, o.Untried)
	}
	return ids, []any{ids, fences, states, indexes, problems, nextAt, inDoubt, now, untried}
}

// endedEntries are those that outcomes have logged or failed.
type endedEntries struct {
	ids      []int64
	backlogs map[int64]backlog  // changes, by the row of the log
	next     map[int64][]string // where submissions go, by the row of the log that refused them

	logged struct {
		ids            []int64
		kinds          []string
		proofs, tokens [][]byte
	}
}

func (e *endedEntries) addEntry(o encodedOutcome, log, bytes int64) {
	if e.backlogs == nil {
		e.backlogs, e.next = make(map[int64]backlog), make(map[int64][]string)
	}
	e.ids = append(e.ids, o.EntryID)
	e.backlogs[log] = e.backlogs[log].plus(backlog{-1, -bytes})
	if len(o.Next) > 0 {
		e.next[log] = o.Next
	}
	if o.Inclusion != nil {
		l := &e.logged
		l.ids, l.kinds = append(l.ids, o.EntryID), append(l.kinds, o.Inclusion.Kind)
		l.proofs, l.tokens = append(l.proofs, o.Inclusion.Proof), append(l.tokens, o.tokens)
	}
}

// updateSubmissions stores the inclusions and what follows from the entries, and returns how far their submissions are.
func (e *endedEntries) updateSubmissions(t *tx) ([]gateway.Progress, error) {
	var b pgx.Batch
	if l := &e.logged; len(l.ids) > 0 {
		b.Queue(keepInclusions, l.ids, l.kinds, l.proofs, l.tokens)
	}
	t.queueBacklog(&b, e.backlogs)
	queueMirrored(&b, e.logged.ids)
	states := queueStates(&b, nil, e.ids)
	if err := t.sendBatch(&b); err != nil {
		return nil, err
	}
	return t.writeStates(*states)
}
