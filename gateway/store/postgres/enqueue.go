// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// Numbers are reserved, so that rows can be inserted in the order of their keys, and be numbered in that of
	// the call. What is not used of them is not used again.
	reserveSubmissions = `SELECT nextval('submission_seq_seq') FROM generate_series(1, $1)`

	reserveEntries = `SELECT nextval('entry_id_seq') FROM generate_series(1, $1)`

	insertSubmissions = `
INSERT INTO submission (seq, id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels, takeover, subject)
OVERRIDING SYSTEM VALUE
SELECT d.seq, d.id, d.tenant, d.key, d.format, 'PENDING', d.needed, d.priority, $12, d.digests, d.signatures, d.labels, d.takeover, d.subject
FROM unnest($1::bigint[], $2::uuid[], $3::bigint[], $4::bytea[], $5::text[], $6::integer[], $7::integer[], $8::bytea[], $9::bytea[],
    $10::text[], $11::bigint[], $13::text[])
    AS d (seq, id, tenant, key, format, needed, priority, digests, signatures, labels, takeover, subject)
ORDER BY d.tenant, d.key ON CONFLICT DO NOTHING RETURNING seq`

	insertReceipts = `INSERT INTO submission_blob (submission, receipt) SELECT * FROM unnest($1::bigint[], $2::bytea[])`

	insertDigests = `
INSERT INTO submission_digest (tenant, prefix, submission) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) ON CONFLICT DO NOTHING`

	insertSigners = `
INSERT INTO submission_signer (tenant, prefix, submission) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) ON CONFLICT DO NOTHING`

	linkEntries = `
INSERT INTO submission_entry (submission, role, entry, of) SELECT * FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::integer[])`
)

// Enqueue implements gateway.Store. The submissions it returns may share memory with subs.
func (s *Store) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	if len(subs) == 0 {
		return nil, nil
	}
	rows, refused := make([]store.NewRow, len(subs)), make([]gateway.Enqueued, len(subs))
	for i := range subs {
		var err error
		if rows[i], err = store.EncodeRow(&subs[i]); err != nil {
			refused[i].Err = fmt.Errorf("%w: %w", gateway.ErrUnstorable, err)
		}
	}
	var results []gateway.Enqueued
	err := s.writeTx(ctx, "enqueuing", func(t *tx) error {
		results = slices.Clone(refused)
		if err := t.refuseDoubted(rows, results); err != nil {
			return err
		}
		return newEnqueuing(t, rows, results).enqueueRows()
	})
	if err != nil {
		return nil, err
	}
	s.life.loss.noteStored(results)
	return results, nil
}

// refuseDoubted refuses anchors of own logs that may be older than what these were signed for: the database may be another one since.
func (t *tx) refuseDoubted(rows []store.NewRow, results []gateway.Enqueued) error {
	for i := range rows {
		if results[i].Err != nil {
			continue
		}
		log, ok := gateway.LogOfAnchors(rows[i].Tenant)
		if !ok {
			continue
		}
		l, err := t.readOwnLog(selectOwnLog, log)
		switch {
		case errors.Is(err, gateway.ErrNotFound):
		case err != nil:
			return err
		case l.Doubted:
			results[i].Err = fmt.Errorf("%w: own log %s", gateway.ErrDoubtFirst, log)
		}
	}
	return nil
}

// tenantKey is a submission's key with its tenant's row.
type tenantKey struct {
	tenant int64
	key    gateway.SubmissionKey
}

// enqueuing is one Enqueue on its way. Locks are taken in this order, which all transactions keep to: names, spooled artifacts, new
// submissions by key, new entries by log and leaf, entries by number, submissions by number. Numbers of submissions
// are those of their rows (seq).
type enqueuing struct {
	*tx
	rows    []store.NewRow
	results []gateway.Enqueued // one whose Err is set is passed over by all that follows

	tenants, logs map[string]int64    // rows, by name
	takeovers     []*int64            // rows, of each submission
	retired, own  map[int64]bool      // rows of logs; these are the gateway's own
	stored        map[tenantKey]int64 // submissions of those keys of the batch that are known
	seqs, ids     []int64             // reserved for submissions, and for entries

	inserted []int             // places of those that are new, and are stored
	fresh    map[int64]bool    // their numbers
	unread   map[int]int64     // results that are not wholly new, and their submissions
	urgency  map[int64]request // known submissions, and the most urgent request for them now
	resuming []int64           // of those, the ones of which an entry is to be touched
	resumed  []int64           // their entries
	room     room
	uses     *store.Uses // of quotas
	entries  entrySet

	sharing    []int64                    // new submissions with an entry that existed, or has failed at once
	priorities map[int64]gateway.Priority // that known submissions get
}

func newEnqueuing(t *tx, rows []store.NewRow, results []gateway.Enqueued) *enqueuing {
	return &enqueuing{
		tx: t, rows: rows, results: results, tenants: make(map[string]int64), logs: make(map[string]int64), takeovers: make([]*int64, len(rows)),
		retired: make(map[int64]bool), stored: make(map[tenantKey]int64), unread: make(map[int]int64), urgency: make(map[int64]request),
		own: make(map[int64]bool), fresh: make(map[int64]bool), entries: newEntrySet(), priorities: make(map[int64]gateway.Priority),
		uses: store.NewUses(t.now),
	}
}

// request is who needs an entry, and how urgently.
type request struct {
	priority gateway.Priority
	tenant   int64
}

func (e *enqueuing) enqueueRows() error {
	for _, step := range []func() error{
		e.resolveNames, e.attachBlobs, e.readBefore, e.storeSubmissions, e.chooseResumed, e.storeEntries, e.lockEntries, e.resumeKnown, e.noteNew, e.writeRest, e.loadResults,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// places returns those of the submissions that are not refused.
func (e *enqueuing) places() []int {
	all := make([]int, 0, len(e.rows))
	for i := range e.rows {
		if e.results[i].Err == nil {
			all = append(all, i)
		}
	}
	return all
}

// resolveNames finds the rows of all tenants, logs and takeovers, or makes them.
func (e *enqueuing) resolveNames() error {
	for _, i := range e.places() {
		e.tenants[e.rows[i].Tenant] = 0
		for _, n := range e.rows[i].Entries {
			e.logs[n.Log] = 0
		}
	}
	if err := resolveAll(e.tx, e.store.tenants, e.tenants); err != nil {
		return err
	}
	if err := resolveAll(e.tx, e.store.logs, e.logs); err != nil {
		return err
	}
	places := e.places()
	slices.SortStableFunc(places, func(a, b int) int { return slices.Compare(e.rows[a].Takeover, e.rows[b].Takeover) })
	for _, i := range places {
		var err error
		if e.takeovers[i], err = e.store.resolveTakeover(e.tx, e.rows[i].Takeover); err != nil {
			return err
		}
	}
	return nil
}

// resolveAll gives the names their rows, in the order of the names.
func resolveAll(t *tx, all *rowIDs[string], names map[string]int64) error {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		id, err := all.idOf(t, name)
		if err != nil {
			return err
		}
		names[name] = id
	}
	return nil
}

// readBefore reads what the batch meets, in one round trip.
func (e *enqueuing) readBefore() error {
	var b pgx.Batch
	logs := slices.Sorted(maps.Values(e.logs))
	queueRetired(&b, logs, e.retired)
	queueOwn(&b, logs, e.own)
	entries, places := 0, e.places()
	for _, i := range places {
		entries += len(e.rows[i].Entries)
	}
	e.queueKnown(&b, places)
	queueNumbers(&b, reserveSubmissions, len(e.rows), &e.seqs)
	queueNumbers(&b, reserveEntries, entries, &e.ids)
	e.room.queueCount(&b, &e.store.opts)
	e.queueUses(&b, places)
	return e.sendBatch(&b)
}

func queueNumbers(b *pgx.Batch, query string, n int, into *[]int64) {
	queueEach(b, query, []any{n}, func(scan func(...any) error) error {
		var number int64
		err := scan(&number)
		*into = append(*into, number)
		return err
	})
}

// storeSubmissions stores those submissions that are new, and notes those that are known or refused. Of several with
// the same key, or the same ID, the first goes first.
func (e *enqueuing) storeSubmissions() error {
	for left := e.places(); len(left) > 0; {
		var now, later []int // later: those that the ones before may turn out to be
		keys, ids := map[tenantKey]bool{}, map[uuid.UUID]bool{}
		for _, i := range left {
			r := &e.rows[i]
			seq, known := e.lookUpKnown(i)
			switch {
			case known:
				e.noteKnown(i, seq)
			case slices.ContainsFunc(e.keysOf(i), func(k tenantKey) bool { return keys[k] }) || ids[r.RowID]:
				later = append(later, i)
			default:
				keys[tenantKey{e.tenants[r.Tenant], r.Key}], ids[r.RowID] = true, true
				now = append(now, i)
			}
		}
		if err := e.insertRows(now); err != nil {
			return err
		}
		left = later
	}
	slices.Sort(e.inserted)
	return nil
}

// insertRows stores submissions that are not known, as far as there is room for them.
func (e *enqueuing) insertRows(places []int) error {
	places, err := e.keepFitting(e.keepWithinQuotas(places))
	if err != nil || len(places) == 0 {
		return err
	}
	stored, err := collectColumn[int64](e.tx, insertSubmissions, e.submissionColumns(places)...)
	if err != nil {
		return err
	}
	slices.Sort(stored)
	var met []int // somebody else has stored them meanwhile, or has their IDs
	for _, i := range places {
		if _, ok := slices.BinarySearch(stored, e.seqs[i]); !ok {
			met = append(met, i)
			continue
		}
		e.stored[tenantKey{e.tenants[e.rows[i].Tenant], e.rows[i].Key}] = e.seqs[i]
		e.inserted = append(e.inserted, i)
	}
	if len(met) == 0 {
		return nil
	}
	var b pgx.Batch
	e.queueKnown(&b, met)
	if err := e.sendBatch(&b); err != nil {
		return err
	}
	for _, i := range met {
		if seq, ok := e.lookUpKnown(i); ok {
			e.noteKnown(i, seq)
		} else {
			e.results[i].Err = fmt.Errorf("%w: another submission has the ID %s", gateway.ErrUnstorable, e.rows[i].RowID)
		}
	}
	return nil
}

// submissionColumns are the arguments of insertSubmissions.
func (e *enqueuing) submissionColumns(places []int) []any {
	n := len(places)
	seqs, ids, tenants, keys, formats := make([]int64, n), make([]uuid.UUID, n), make([]int64, n), make([][]byte, n), make([]string, n)
	needed, priorities, takeovers := make([]int32, n), make([]int32, n), make([]*int64, n)
	digests, signatures, labels, subjects := make([][]byte, n), make([][]byte, n), make([]string, n), make([]*string, n)
	for at, i := range places {
		r := &e.rows[i]
		seqs[at], ids[at], tenants[at], keys[at], formats[at] = e.seqs[i], r.RowID, e.tenants[r.Tenant], r.Key[:], r.Format
		needed[at], priorities[at], takeovers[at] = int32(r.Needed), int32(r.Priority), e.takeovers[i]
		digests[at], signatures[at], labels[at] = r.Columns.Digests, r.Columns.Signatures, r.Columns.Labels
		if q := store.PendingOf(r.Quotas); q != nil {
			subjects[at] = &q.Subject
		}
	}
	return []any{seqs, ids, tenants, keys, formats, needed, priorities, digests, signatures, labels, takeovers, e.now, subjects}
}

// noteNew makes the results of submissions that are wholly new; the others are read when all is stored.
func (e *enqueuing) noteNew() error {
	links := e.entries.links
	for _, i := range e.inserted {
		r := &e.rows[i]
		fresh, entries := true, make([]gateway.Entry, len(r.Entries))
		for role, n := range r.Entries {
			h := e.entries.byKey[links[role].key]
			fresh = fresh && h.source != nil && h.state == gateway.Pending && h.source.Kind == n.Kind
			entries[role] = gateway.Entry{ID: h.id, Log: n.Log, LeafHash: n.LeafHash, Kind: n.Kind, Of: n.Of, State: gateway.Pending, Fence: h.fence}
		}
		links = links[len(r.Entries):]
		if !fresh {
			e.sharing = append(e.sharing, e.seqs[i])
			e.unread[i] = e.seqs[i]
			continue
		}
		fields := r.SubmissionFields
		fields.ID = r.RowID.String()
		e.results[i].Submission = gateway.Submission{
			SubmissionFields: fields, Priority: e.requestOf(i).priority, CreatedAt: store.FromMillis(e.now), State: gateway.Pending, Entries: entries,
		}
	}
	return nil
}

// writeRest writes what follows from the submissions and entries, and then, in a later statement, reads what the
// states of submissions follow from.
func (e *enqueuing) writeRest() error {
	var b pgx.Batch
	e.queueLinks(&b)
	e.queuePrefixes(&b)
	e.entries.queueBodies(&b)
	e.entries.queueRecords(&b, e.own)
	e.entries.queueChanges(&b, e.now)
	e.queueBacklog(&b, e.entries.backlogs())
	e.queueCharges(&b)
	e.queueAccepted(&b)
	prioritised := slices.Sorted(maps.Keys(e.priorities))
	states := queueStates(&b, slices.Concat(e.sharing, prioritised), e.entries.revived())
	if len(prioritised) > 0 {
		to := make([]int32, len(prioritised))
		for i, seq := range prioritised {
			to[i] = int32(e.priorities[seq])
		}
		b.Queue(setPriorities, prioritised, to)
	}
	if err := e.sendBatch(&b); err != nil {
		return err
	}
	_, err := e.writeStates(*states)
	return err
}

// queueLinks adds to a batch the entries that new submissions have.
func (e *enqueuing) queueLinks(b *pgx.Batch) {
	var seqs, ids []int64
	var roles, of []int32
	for _, l := range e.entries.links {
		seqs, ids = append(seqs, e.seqs[l.place]), append(ids, e.entries.byKey[l.key].id)
		roles, of = append(roles, int32(l.role)), append(of, int32(l.of))
	}
	if len(seqs) > 0 {
		b.Queue(linkEntries, seqs, roles, ids, of)
	}
}

// queuePrefixes adds to a batch what new submissions are searched by, and their receipts.
func (e *enqueuing) queuePrefixes(b *pgx.Batch) {
	var digests, signers prefixRows
	var seqs []int64
	var receipts [][]byte
	for _, i := range e.inserted {
		r := &e.rows[i]
		digests.add(e.tenants[r.Tenant], r.DigestPrefixes, e.seqs[i])
		signers.add(e.tenants[r.Tenant], r.SignerPrefixes, e.seqs[i])
		if r.ReceiptBytes != nil {
			seqs, receipts = append(seqs, e.seqs[i]), append(receipts, r.ReceiptBytes)
		}
	}
	digests.queue(b, insertDigests)
	signers.queue(b, insertSigners)
	if len(seqs) > 0 {
		b.Queue(insertReceipts, seqs, receipts)
	}
}

// prefixRows are rows of a search index.
type prefixRows struct {
	tenants, seqs []int64
	prefixes      [][]byte
}

func (p *prefixRows) add(tenant int64, prefixes [][]byte, seq int64) {
	for _, prefix := range prefixes {
		p.tenants, p.prefixes, p.seqs = append(p.tenants, tenant), append(p.prefixes, prefix), append(p.seqs, seq)
	}
}

func (p *prefixRows) queue(b *pgx.Batch, insert string) {
	if len(p.seqs) > 0 {
		b.Queue(insert, p.tenants, p.prefixes, p.seqs)
	}
}

// loadResults reads the results that are not wholly new.
func (e *enqueuing) loadResults() error {
	if len(e.unread) == 0 {
		return nil
	}
	found, err := e.readSubmissions(slices.Compact(slices.Sorted(maps.Values(e.unread))))
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
