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

const (
	insertSubmission = `
INSERT INTO submission (id, tenant, key, format, representation, state, priority, created_at, digests, signers, labels, receipt)
VALUES (?, ?, ?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?)
ON CONFLICT (tenant, key) DO NOTHING`

	insertDigest = `
INSERT INTO submission_digest (tenant, digest, created_at, submission) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`

	insertSigner = `
INSERT INTO submission_signer (tenant, signer, created_at, submission) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`

	insertEntry = `
INSERT INTO entry (log, leaf_hash, body, tenant, state, priority, queued_at) VALUES (?, ?, ?, ?, 'PENDING', ?, ?)
ON CONFLICT (log, leaf_hash) DO NOTHING RETURNING id`

	findEntry = `SELECT id FROM entry WHERE log = ? AND leaf_hash = ?`

	linkEntry = `INSERT INTO submission_entry (submission, role, entry) VALUES (?, ?, ?)`

	countPending = `SELECT COALESCE(SUM(pending), 0) FROM queue`
)

// Enqueue implements gateway.Store. The submissions it returns may share memory with subs.
func (s *Store) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Submission, error) {
	if len(subs) == 0 {
		return nil, nil
	}
	e := enqueuing{statements: &s.statements, subs: subs, added: make(map[string]int)}
	if err := e.encode(); err != nil {
		return nil, fmt.Errorf("enqueuing: %w", err)
	}
	err := s.write(ctx, "enqueuing", func(t *tx) error { return e.run(t, s.opts.MaxPending) })
	if err != nil {
		return nil, err
	}
	return e.results, nil
}

// enqueuing is one Enqueue on its way.
type enqueuing struct {
	statements *statements
	subs       []gateway.NewSubmission
	columns    []store.Columns

	results []gateway.Submission
	known   []int          // indexes of subs whose key exists
	sharing []string       // new submissions with an entry that existed
	revived []int64        // entries made pending again
	added   map[string]int // new pending entries by log
}

// encode does what can be done without the write lock.
func (e *enqueuing) encode() error {
	e.columns = make([]store.Columns, len(e.subs))
	for i := range e.subs {
		if len(e.subs[i].Entries) == 0 {
			return fmt.Errorf("submission %s has no entries", e.subs[i].ID)
		}
		var err error
		if e.columns[i], err = store.EncodeColumns(&e.subs[i].SubmissionFields); err != nil {
			return err
		}
	}
	return nil
}

func (e *enqueuing) run(t *tx, maxPending int) error {
	e.results = make([]gateway.Submission, len(e.subs))
	for i := range e.subs {
		if err := e.insert(t, i); err != nil {
			return err
		}
	}
	if err := e.resume(t); err != nil {
		return err
	}
	if _, err := t.refresh(e.sharing, e.revived); err != nil {
		return err
	}
	if err := e.bound(t, maxPending); err != nil {
		return err
	}
	return e.load(t)
}

// insert stores the i-th submission, or notes that its key is known.
func (e *enqueuing) insert(t *tx, i int) error {
	sub, c := &e.subs[i], &e.columns[i]
	at := store.Millis(sub.CreatedAt)
	n, err := t.change(e.statements.insertSubmission, sub.ID, sub.Tenant, sub.Key[:], sub.Format, string(sub.Representation),
		sub.Priority, at, c.Digests, c.Signers, c.Labels, c.Receipt)
	if err != nil {
		return err
	}
	if n == 0 {
		e.known = append(e.known, i)
		return nil
	}
	for _, d := range sub.Digests {
		if _, err := t.change(e.statements.insertDigest, sub.Tenant, d.String(), at, sub.ID); err != nil {
			return err
		}
	}
	for _, signer := range sub.Signers {
		if _, err := t.change(e.statements.insertSigner, sub.Tenant, signer[:], at, sub.ID); err != nil {
			return err
		}
	}
	return e.insertEntries(t, i)
}

func (e *enqueuing) insertEntries(t *tx, i int) error {
	sub := &e.subs[i]
	entries := make([]gateway.Entry, len(sub.Entries))
	shared := false
	for role, n := range sub.Entries {
		id, fresh, err := e.insertEntry(t, sub, n)
		if err != nil {
			return err
		}
		if _, err := t.change(e.statements.linkEntry, sub.ID, role, id); err != nil {
			return err
		}
		shared = shared || !fresh
		entries[role] = gateway.Entry{ID: id, Log: n.Log, LeafHash: n.LeafHash, Body: n.Body, State: gateway.Pending}
	}
	if shared {
		e.sharing = append(e.sharing, sub.ID)
		e.results[i].ID = sub.ID
		return nil
	}
	fields := sub.SubmissionFields
	fields.CreatedAt = store.FromMillis(store.Millis(fields.CreatedAt))
	e.results[i] = gateway.Submission{SubmissionFields: fields, State: gateway.Pending, Entries: entries}
	return nil
}

// insertEntry stores an entry and returns its row's ID, and whether the row is new.
func (e *enqueuing) insertEntry(t *tx, sub *gateway.NewSubmission, n gateway.NewEntry) (int64, bool, error) {
	var id int64
	at := store.Millis(sub.CreatedAt)
	err := t.stmt(e.statements.insertEntry).QueryRow(n.Log, n.LeafHash[:], n.Body, sub.Tenant, sub.Priority, at).Scan(&id)
	if err == nil {
		e.added[n.Log]++
		return id, true, nil
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return 0, false, err
	}
	if err := t.stmt(e.statements.findEntry).QueryRow(n.Log, n.LeafHash[:]).Scan(&id); err != nil {
		return 0, false, err
	}
	return id, false, e.touch(t, id, sub.Priority, sub.CreatedAt)
}

// bound refuses what would make the queue too long. What adds nothing is never refused.
func (e *enqueuing) bound(t *tx, maxPending int) error {
	if len(e.added) == 0 {
		return nil
	}
	if err := t.count(addPending, e.added); err != nil {
		return err
	}
	if maxPending <= 0 {
		return nil
	}
	var pending int
	if err := t.QueryRow(countPending).Scan(&pending); err != nil {
		return err
	}
	if pending > maxPending {
		return fmt.Errorf("%w: at most %d entries may be pending", gateway.ErrQueueFull, maxPending)
	}
	return nil
}

// load reads the results that are not wholly new.
func (e *enqueuing) load(t *tx) error {
	ids := append([]string(nil), e.sharing...)
	for _, i := range e.known {
		ids = append(ids, e.results[i].ID)
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := t.submissions(ids)
	if err != nil {
		return err
	}
	for i := range e.results {
		r := &e.results[i]
		if r.Entries != nil {
			continue
		}
		stored, ok := found[r.ID]
		if !ok {
			return fmt.Errorf("submission %s vanished", r.ID)
		}
		existing := r.Existing
		*r = stored
		r.Existing = existing
	}
	return nil
}
