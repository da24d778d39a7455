// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	insertEntries = `
INSERT INTO entry (id, log, leaf_hash, kind, state, priority, tenant, bytes, queued_at, problem) OVERRIDING SYSTEM VALUE
SELECT d.id, d.log, d.leaf, d.kind, d.state, d.priority, d.tenant, d.bytes, $9, CASE WHEN d.state = 'FAILED' THEN '` + gateway.ProblemRetired + `' ELSE '' END
FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::text[], $5::text[], $6::integer[], $7::bigint[], $8::bigint[])
    AS d (id, log, leaf, kind, state, priority, tenant, bytes)
ORDER BY d.log, d.leaf ON CONFLICT (log, leaf_hash) DO NOTHING RETURNING id, fence`

	insertBodies = `INSERT INTO entry_blob (entry, body, signature) SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[])`

	// Entries by log and leaf, and by number.
	lockSharedEntries = `
SELECT id, log, leaf_hash, state, priority, bytes FROM entry WHERE id IN (
    SELECT e.id FROM unnest($1::bigint[], $2::bytea[]) AS k (log, leaf) JOIN entry e ON e.log = k.log AND e.leaf_hash = k.leaf
    UNION SELECT unnest($3::bigint[]))
ORDER BY id FOR UPDATE`

	// The fence of what is made pending again goes on where it was, and so do shard, sent_at_tree_size and absent_to: they
	// still bound where an earlier send may have landed. What was given up while it was in doubt is in doubt again.
	touchEntries = `
UPDATE entry e SET bytes = d.bytes, priority = d.priority,
    state = CASE WHEN d.revived THEN 'PENDING' ELSE e.state END, tenant = CASE WHEN d.revived THEN d.tenant ELSE e.tenant END,
    queued_at = CASE WHEN d.revived THEN $6 ELSE e.queued_at END, next_at = CASE WHEN d.revived THEN 0 ELSE e.next_at END,
    attempts = CASE WHEN d.revived THEN 0 ELSE e.attempts END, problem = CASE WHEN d.revived THEN '' ELSE e.problem END,
    in_doubt = CASE WHEN d.revived THEN e.problem = '` + gateway.ProblemRetired + `' AND e.sent_at_tree_size IS NOT NULL ELSE e.in_doubt END
FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bigint[], $5::boolean[]) AS d (id, bytes, priority, tenant, revived)
WHERE e.id = d.id`
)

// errChanged is returned when something that was read is gone once it is to be locked. The transaction is run again.
var errChanged = errors.New("another transaction has changed what this one works on")

// entryKey recognises an entry.
type entryKey struct {
	log  int64
	leaf gateway.LeafHash
}

// heldEntry is an entry that this transaction has inserted, or has locked.
type heldEntry struct {
	key      entryKey
	id       int64
	fence    int64             // of one that is inserted
	source   *gateway.NewEntry // of one that is inserted; nil of one that was there
	state    gateway.State
	priority gateway.Priority
	tenant   int64
	bytes    int64

	before  backlog // what of it was waiting before
	revived bool
	touched bool
}

// waiting returns what of the entry waits for its log.
func (h *heldEntry) waiting() backlog {
	if h.state != gateway.Pending {
		return backlog{}
	}
	return backlog{1, h.bytes}
}

// answerRequest makes a failed entry pending again if revive is set, as the tenant's own. If it is pending already, it
// raises its priority.
func (h *heldEntry) answerRequest(r request, revive bool) {
	switch {
	case h.state == gateway.Failed && revive:
		h.state, h.priority, h.tenant = gateway.Pending, r.priority, r.tenant
		h.revived, h.touched = true, true
	case h.state == gateway.Pending && h.priority < r.priority:
		h.priority, h.touched = r.priority, true
	}
}

// addBytes notes that so many more wait with the entry, unless it is logged.
func (h *heldEntry) addBytes(bytes int64) {
	if bytes > 0 && h.state != gateway.Logged {
		h.bytes += bytes
		h.touched = true
	}
}

// entryLink is an entry that a new submission has, by the place of the submission.
type entryLink struct {
	place, role, of int
	key             entryKey
}

// entrySet has all entries of one Enqueue.
type entrySet struct {
	byKey map[entryKey]*heldEntry
	byID  map[int64]*heldEntry // of those that were there
	added []*heldEntry         // those that were not
	links []entryLink
}

func newEntrySet() entrySet {
	return entrySet{byKey: make(map[entryKey]*heldEntry), byID: make(map[int64]*heldEntry)}
}

// storeEntries stores the entries of new submissions. For those that are there already, lockEntries does the rest.
func (e *enqueuing) storeEntries() error {
	set := &e.entries
	for _, i := range e.inserted {
		for role := range e.rows[i].Entries {
			e.linkEntry(i, role)
		}
	}
	if len(set.added) == 0 {
		return nil
	}
	fences := make(map[int64]int64, len(set.added))
	err := e.eachRow(insertEntries, set.entryColumns(e.now), func(scan func(...any) error) error {
		var id, fence int64
		err := scan(&id, &fence)
		fences[id] = fence
		return err
	})
	set.added = slices.DeleteFunc(set.added, func(h *heldEntry) bool {
		var ok bool
		if h.fence, ok = fences[h.id]; !ok {
			delete(set.byKey, h.key)
		}
		return !ok
	})
	return err
}

// linkEntry notes an entry of a new submission. The first that needs it makes it.
func (e *enqueuing) linkEntry(place, role int) {
	r := &e.rows[place]
	n := &r.Entries[role]
	key := entryKey{e.logs[n.Log], n.LeafHash}
	link := entryLink{place, role, n.Of, key}
	e.entries.links = append(e.entries.links, link)
	h := e.entries.byKey[key]
	if h == nil {
		h = &heldEntry{
			key: key, id: e.ids[0], source: n, state: gateway.Pending, priority: r.Priority, tenant: e.tenants[r.Tenant], bytes: store.WeighNew(*n),
		}
		if e.retired[key.log] {
			h.state = gateway.Failed
		}
		e.ids = e.ids[1:]
		e.entries.byKey[key] = h
		e.entries.added = append(e.entries.added, h)
	}
	e.answerLink(h, link)
}

// answerLink does to an entry what its being in a new submission asks for. The receipt waits with the first entry.
func (e *enqueuing) answerLink(h *heldEntry, l entryLink) {
	r := &e.rows[l.place]
	h.answerRequest(e.requestOf(l.place), !e.retired[h.key.log])
	if l.role == 0 {
		h.addBytes(int64(len(r.ReceiptBytes)))
	}
}

// requestOf returns who asks for the entries of a new submission, and how urgently: it may be in the batch twice.
func (e *enqueuing) requestOf(place int) request {
	r := &e.rows[place]
	return request{max(r.Priority, e.urgencyOf(e.seqs[place])), e.tenants[r.Tenant]}
}

// entryColumns are the arguments of insertEntries.
func (set *entrySet) entryColumns(now int64) []any {
	n := len(set.added)
	ids, logs, leaves, kinds, states := make([]int64, n), make([]int64, n), make([][]byte, n), make([]string, n), make([]string, n)
	priorities, tenants, bytes := make([]int32, n), make([]int64, n), make([]int64, n)
	for i, h := range set.added {
		ids[i], logs[i], leaves[i], kinds[i], states[i] = h.id, h.key.log, h.key.leaf[:], h.source.Kind, string(h.state)
		priorities[i], tenants[i], bytes[i] = int32(h.priority), h.tenant, h.bytes
	}
	return []any{ids, logs, leaves, kinds, states, priorities, tenants, bytes, now}
}

// lockEntries locks what was there: entries that new submissions share, and those that known ones have resumed.
func (e *enqueuing) lockEntries() error {
	set := &e.entries
	var logs []int64
	var leaves [][]byte
	var met []entryLink
	for _, l := range set.links {
		if set.byKey[l.key] == nil {
			met = append(met, l)
			logs, leaves = append(logs, l.key.log), append(leaves, l.key.leaf[:])
		}
	}
	if len(met)+len(e.resumed) == 0 {
		return nil
	}
	if err := e.eachRow(lockSharedEntries, []any{logs, leaves, e.resumed}, set.scanHeld); err != nil {
		return err
	}
	for _, l := range met {
		h := set.byKey[l.key]
		if h == nil { // it was moved away since
			return errChanged
		}
		e.answerLink(h, l)
	}
	return nil
}

// scanHeld reads a row of lockSharedEntries.
func (set *entrySet) scanHeld(scan func(...any) error) error {
	h := new(heldEntry)
	var leaf []byte
	if err := scan(&h.id, &h.key.log, &leaf, &h.state, &h.priority, &h.bytes); err != nil {
		return err
	}
	copy(h.key.leaf[:], leaf)
	h.before = h.waiting()
	set.byKey[h.key], set.byID[h.id] = h, h
	return nil
}

// queueBodies adds to a batch what new entries are sent with.
func (set *entrySet) queueBodies(b *pgx.Batch) {
	n := len(set.added)
	if n == 0 {
		return
	}
	ids, bodies, signatures := make([]int64, n), make([][]byte, n), make([][]byte, n)
	for i, h := range set.added {
		ids[i], bodies[i], signatures[i] = h.id, nonNil(h.source.Body), h.source.Signature
	}
	b.Queue(insertBodies, ids, bodies, signatures)
}

// queueRecords adds to a batch those new entries that are to get an index in a log of the gateway's own.
func (set *entrySet) queueRecords(b *pgx.Batch, own map[int64]bool) {
	var logs, ids []int64
	for _, h := range set.added {
		if own[h.key.log] {
			logs, ids = append(logs, h.key.log), append(ids, h.id)
		}
	}
	if len(ids) > 0 {
		b.Queue(insertQueued, logs, ids)
	}
}

// queueChanges adds to a batch what has become of entries that were there.
func (set *entrySet) queueChanges(b *pgx.Batch, now int64) {
	var ids, bytes, tenants []int64
	var priorities []int32
	var revived []bool
	for _, h := range set.byID {
		if h.touched {
			ids, bytes, tenants = append(ids, h.id), append(bytes, h.bytes), append(tenants, h.tenant)
			priorities, revived = append(priorities, int32(h.priority)), append(revived, h.revived)
		}
	}
	if len(ids) > 0 {
		b.Queue(touchEntries, ids, bytes, priorities, tenants, revived, now)
	}
}

// revived returns the entries that are pending again.
func (set *entrySet) revived() (ids []int64) {
	for _, h := range set.byID {
		if h.revived {
			ids = append(ids, h.id)
		}
	}
	return ids
}

// backlogs returns what waits more than before, by the rows of logs.
func (set *entrySet) backlogs() map[int64]backlog {
	changes := make(map[int64]backlog)
	for _, h := range set.byKey {
		now := h.waiting()
		changes[h.key.log] = changes[h.key.log].plus(backlog{now.entries - h.before.entries, now.bytes - h.before.bytes})
	}
	return changes
}
