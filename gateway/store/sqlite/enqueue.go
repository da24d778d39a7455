// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	insertSubmission = `
INSERT INTO submission (id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels, takeover, subject)
VALUES (?, ?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?, ?, ?)`

	insertReceipt = `INSERT INTO submission_blob (submission, receipt) VALUES (?, ?)`

	insertDigest = `INSERT INTO submission_digest (tenant, prefix, submission) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`

	insertSigner = `INSERT INTO submission_signer (tenant, prefix, submission) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`

	insertEntry = `
INSERT INTO entry (log, leaf_hash, kind, state, priority, tenant, queued_at, bytes) VALUES (?, ?, ?, 'PENDING', ?, ?, ?, ?)
ON CONFLICT (log, leaf_hash) DO NOTHING`

	insertBody = `INSERT INTO entry_blob (entry, body, signature) VALUES (?, ?, ?)`

	findEntry = `SELECT id FROM entry WHERE log = ? AND leaf_hash = ?`

	linkEntry = `INSERT INTO submission_entry (submission, role, entry, of) VALUES (?, ?, ?, ?)`

	addBytes = `UPDATE entry SET bytes = bytes + ? WHERE id = ? AND state <> 'LOGGED' RETURNING state = 'PENDING'`

	giveUpEntry = `UPDATE entry SET state = 'FAILED', problem = ? WHERE id = ?`
)

// Enqueue implements gateway.Store. The submissions it returns may share memory with subs.
func (s *Store) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	if len(subs) == 0 {
		return nil, nil
	}
	e := enqueuing{
		store: s, now: s.now(), createdAt: store.Millis(s.opts.Now()), rows: make([]newRow, len(subs)), results: make([]gateway.Enqueued, len(subs)),
		tenants: make(map[string]int64), logs: make(map[string]int64), stored: make(map[tenantKey]int64),
		unread: make(map[int]int64), urgency: make(map[int64]request), added: make(map[int64]backlog),
	}
	e.uses = store.NewUses(e.createdAt)
	st := &s.statements
	for i, insert := range []*bulkInsert{&st.insertDigest, &st.insertSigner, &st.insertReceipt, &st.insertBody, &st.linkEntry, &st.insertQueued} {
		e.listPending()[i].insert = insert
	}
	e.encodeRows(subs)
	if err := s.writeTx(ctx, "enqueuing", e.enqueueRows); err != nil {
		return nil, err
	}
	return e.results, nil
}

// newRow is a submission with what is stored of it, encoded.
type newRow struct {
	*gateway.NewSubmission
	id               uuid.UUID
	columns          store.Columns
	receipt          []byte
	digests, signers [][]byte // prefixes for searching
}

// encodeRows does what can be done without the write lock.
func (e *enqueuing) encodeRows(subs []gateway.NewSubmission) {
	for i := range subs {
		if err := e.rows[i].encodeRow(&subs[i]); err != nil {
			e.results[i].Err = fmt.Errorf("%w: %w", gateway.ErrUnstorable, err)
		}
	}
}

// eachRow calls f with the numbers of the rows that are not refused, until it fails.
func (e *enqueuing) eachRow(f func(i int) error) error {
	for i := range e.rows {
		if e.results[i].Err != nil {
			continue
		}
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}

func (r *newRow) encodeRow(sub *gateway.NewSubmission) (err error) {
	r.NewSubmission = sub
	if r.id, err = store.CheckNew(sub); err != nil {
		return err
	}
	if r.columns, err = store.EncodeColumns(&sub.SubmissionFields); err != nil {
		return err
	}
	if r.receipt, err = store.EncodeReceipt(sub.Receipt); err != nil {
		return err
	}
	r.digests, r.signers, err = encodePrefixes(&sub.SubmissionFields)
	return err
}

// encodePrefixes returns what the search indexes hold of f.
func encodePrefixes(f *gateway.SubmissionFields) (digests, signers [][]byte, err error) {
	for _, d := range f.Digests {
		prefix, err := store.DigestPrefix(d)
		if err != nil {
			return nil, nil, err
		}
		digests = append(digests, prefix)
	}
	for _, signer := range f.Signers() {
		signers = append(signers, store.SignerPrefix(signer))
	}
	return digests, signers, nil
}

// tenantKey is a submission's key with its tenant's row.
type tenantKey struct {
	tenant int64
	key    gateway.SubmissionKey
}

// enqueuing is one Enqueue on its way. Numbers of rows are those of submissions (seq), unless they
// are said to be others.
type enqueuing struct {
	store *Store
	now   int64 // by the clock of the queue
	// createdAt is by the clock that people set.
	createdAt int64
	rows      []newRow

	results       []gateway.Enqueued  // one whose Err is set is passed over by all that follows
	tenants, logs map[string]int64    // rows, by name
	stored        map[tenantKey]int64 // rows of those keys of the batch that are known
	unread        map[int]int64       // results that are not wholly new, and their rows
	urgency       map[int64]request   // rows of known submissions, and the most urgent request for them now
	sharing       []int64             // new submissions with an entry that existed
	revived       []int64             // entries made pending again
	before        *backlog            // what waited before this Enqueue; nil: not asked yet
	retired, own  map[int64]bool      // rows of logs
	added         map[int64]backlog   // what waits by it, by logs' rows
	addedInAll    backlog             // their sum
	uses          *store.Uses         // of quotas

	digests, signers, receipts, bodies, links, queued pendingRows // that belong to rows which are stored
}

// listPending returns the rows on their way into tables.
func (e *enqueuing) listPending() []*pendingRows {
	return []*pendingRows{&e.digests, &e.signers, &e.receipts, &e.bodies, &e.links, &e.queued}
}

// refuseDoubted refuses an anchor of an own log that may be older than what it was signed for.
func (e *enqueuing) refuseDoubted(t *tx, i int) error {
	log, ok := gateway.LogOfAnchors(e.rows[i].Tenant)
	if !ok {
		return nil
	}
	_, l, err := t.readOwnLog(log)
	if errors.Is(err, gateway.ErrNotFound) {
		return nil
	}
	if err == nil && l.Doubted {
		e.results[i].Err = fmt.Errorf("%w: own log %s", gateway.ErrDoubtFirst, log)
	}
	return err
}

func (e *enqueuing) enqueueRows(t *tx) error {
	if err := e.eachRow(func(i int) error { return e.refuseDoubted(t, i) }); err != nil {
		return err
	}
	if err := e.resolveNames(t); err != nil {
		return err
	}
	var err error
	if e.retired, err = t.readRetired(); err != nil {
		return err
	}
	if e.own, err = t.readOwn(); err != nil {
		return err
	}
	if err := e.findKnown(t); err != nil {
		return err
	}
	if err := e.attachBlobs(t); err != nil {
		return err
	}
	if err := e.eachRow(func(i int) error { return e.insertRow(t, i) }); err != nil {
		return err
	}
	for _, p := range e.listPending() {
		if err := p.insertRest(t); err != nil {
			return err
		}
	}
	if err := e.resumeKnown(t); err != nil {
		return err
	}
	if _, err := t.refreshStates(e.sharing, e.revived); err != nil {
		return err
	}
	if err := t.changeBacklog(e.added); err != nil {
		return err
	}
	if err := e.chargeQuotas(t); err != nil {
		return err
	}
	if err := e.insertAccepted(t); err != nil {
		return err
	}
	return e.loadResults(t)
}

// resolveNames finds the rows of all tenants and logs, or makes them.
func (e *enqueuing) resolveNames(t *tx) error {
	return e.eachRow(func(i int) error {
		if err := resolveName(t, e.store.tenants, e.tenants, e.rows[i].Tenant); err != nil {
			return err
		}
		for _, n := range e.rows[i].Entries {
			if err := resolveName(t, e.store.logs, e.logs, n.Log); err != nil {
				return err
			}
		}
		return nil
	})
}

func resolveName(t *tx, all *rowIDs[string], found map[string]int64, name string) error {
	if _, ok := found[name]; ok {
		return nil
	}
	id, err := all.idOf(t, name)
	found[name] = id
	return err
}

// insertRow stores the i-th submission, or notes that it is known or refused.
func (e *enqueuing) insertRow(t *tx, i int) error {
	r, tenant, s := &e.rows[i], e.tenants[e.rows[i].Tenant], &e.store.statements
	if seq, ok := e.lookUpKnown(r); ok {
		e.noteKnown(i, seq)
		return nil
	}
	if ok, err := e.hasRoom(t, r); err != nil {
		return err
	} else if !ok {
		e.results[i].Err = e.store.errFull()
		return nil
	}
	if refused, err := e.checkQuotas(t, r); err != nil || refused != nil {
		e.results[i].Err = refused
		return err
	}
	takeover, err := e.store.resolveTakeover(t, r.Takeover)
	if err != nil {
		return err
	}
	seq, err := t.execInsert(s.insertSubmission, r.id[:], tenant, r.Key[:], r.Format,
		r.Needed, r.Priority, e.createdAt, r.columns.Digests, r.columns.Signatures, r.columns.Labels, takeover, subjectOf(r))
	if isConstraint(err) { // an ID that is there already; SQLite has undone this statement alone, and it was the row's first
		e.results[i].Err = fmt.Errorf("%w: %w", gateway.ErrUnstorable, err)
		return nil
	}
	if err != nil {
		return err
	}
	e.stored[tenantKey{tenant, r.Key}] = seq
	e.uses.Charge(tenant, r.Quotas, r.weighQuota())
	for _, prefix := range r.digests {
		if err := e.digests.insertRow(t, tenant, prefix, seq); err != nil {
			return err
		}
	}
	for _, prefix := range r.signers {
		if err := e.signers.insertRow(t, tenant, prefix, seq); err != nil {
			return err
		}
	}
	if r.receipt != nil {
		if err := e.receipts.insertRow(t, seq, r.receipt); err != nil {
			return err
		}
	}
	return e.insertEntries(t, i, seq)
}

func (e *enqueuing) insertEntries(t *tx, i int, seq int64) error {
	r := &e.rows[i]
	entries := make([]gateway.Entry, len(r.Entries))
	shared := false
	for role, n := range r.Entries {
		bytes := int64(0) // of the receipt, which waits with the first entry
		if role == 0 {
			bytes = int64(len(r.receipt))
		}
		id, fresh, err := e.insertEntry(t, r, n, bytes)
		if err != nil {
			return err
		}
		if err := e.links.insertRow(t, seq, role, id, n.Of); err != nil {
			return err
		}
		shared = shared || !fresh
		entries[role] = gateway.Entry{ID: id, Log: n.Log, LeafHash: n.LeafHash, Kind: n.Kind, Of: n.Of, State: gateway.Pending}
	}
	if shared {
		e.sharing = append(e.sharing, seq)
		e.unread[i] = seq
		return nil
	}
	fields := r.SubmissionFields
	fields.ID = r.id.String()
	e.results[i].Submission = gateway.Submission{
		SubmissionFields: fields, Priority: r.Priority, CreatedAt: store.FromMillis(e.createdAt), State: gateway.Pending, Entries: entries,
	}
	return nil
}

// insertEntry stores an entry, with which bytes more wait, and returns its row's ID, and whether the
// row is new and waits.
func (e *enqueuing) insertEntry(t *tx, r *newRow, n gateway.NewEntry, bytes int64) (id int64, fresh bool, err error) {
	s, log := &e.store.statements, e.logs[n.Log]
	result, err := t.bindStmt(s.insertEntry).Exec(log, n.LeafHash[:], n.Kind, r.Priority, e.tenants[r.Tenant], e.now, bytes+weighNew(n))
	if err != nil {
		return 0, false, err
	}
	if inserted, err := result.RowsAffected(); err != nil {
		return 0, false, err
	} else if inserted == 0 {
		if err := t.bindStmt(s.findEntry).QueryRow(log, n.LeafHash[:]).Scan(&id); err != nil {
			return 0, false, err
		}
		if err := e.touchEntry(t, id, request{r.Priority, e.tenants[r.Tenant]}, true); err != nil {
			return 0, false, err
		}
		return id, false, e.addReceipt(t, id, log, bytes)
	}
	if id, err = result.LastInsertId(); err != nil {
		return 0, false, err
	}
	if err = e.bodies.insertRow(t, id, nonNil(n.Body), n.Signature); err != nil {
		return 0, false, err
	}
	if e.retired[log] {
		_, err := t.Exec(giveUpEntry, gateway.ProblemRetired, id)
		return id, false, err
	}
	e.addBacklog(log, backlog{1, bytes + weighNew(n)})
	if e.own[log] {
		err = e.queued.insertRow(t, log, id)
	}
	return id, true, err
}

// addReceipt notes that so many bytes more wait with an existing entry, unless it is logged.
func (e *enqueuing) addReceipt(t *tx, id, log, bytes int64) error {
	var pending bool
	err := t.bindStmt(e.store.statements.addBytes).QueryRow(bytes, id).Scan(&pending)
	if err == nil && pending {
		e.addBacklog(log, backlog{bytes: bytes})
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// request is who needs an entry, and how urgently.
type request struct {
	priority gateway.Priority
	tenant   int64
}

// touchEntry makes an existing entry pending again if it failed and revive is set, as the tenant's own. If it
// is pending already, it raises its priority.
func (e *enqueuing) touchEntry(t *tx, id int64, r request, revive bool) error {
	s := &e.store.statements
	if revive {
		var log, bytes int64
		err := t.bindStmt(s.reviveEntry).QueryRow(e.now, r.priority, r.tenant, id).Scan(&log, &bytes)
		if err == nil {
			e.addBacklog(log, backlog{1, bytes})
			e.revived = append(e.revived, id)
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
	}
	_, err := t.execChange(s.raiseEntry, r.priority, id)
	return err
}

// loadResults reads the results that are not wholly new.
func (e *enqueuing) loadResults(t *tx) error {
	if len(e.unread) == 0 {
		return nil
	}
	seqs := make([]int64, 0, len(e.unread))
	for _, seq := range e.unread {
		seqs = append(seqs, seq)
	}
	found, err := t.readSubmissions(seqs)
	if err != nil {
		return err
	}
	for i, seq := range e.unread {
		stored, ok := found[seq]
		if !ok {
			return fmt.Errorf("submission %d vanished", seq)
		}
		stored.Existing = e.results[i].Submission.Existing
		e.results[i].Submission = stored
	}
	return nil
}
