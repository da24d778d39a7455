// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// Two indexes have what is in doubt: one those that came back without an outcome, the other those
	// whose lease ran out.
	cameBack = `FROM entry d WHERE d.log = (SELECT id FROM log WHERE name = $1) AND d.in_doubt AND d.leased_until = 0`

	ranOut = `FROM entry d WHERE d.log = (SELECT id FROM log WHERE name = $1) AND d.leased_until > 0 AND d.leased_until <= $2 AND d.in_doubt`

	nextOfShard = ` AND d.id > $3 AND (d.shard = (SELECT id FROM shard WHERE origin = $4 AND key_id = $5) OR d.shard IS NULL AND $6) ORDER BY d.id LIMIT $7`

	selectDoubtful = `
SELECT ` + entryColumns + `, GREATEST(e.last_sent_at, e.leased_until) FROM entry e ` + entryNames + `
WHERE e.id IN ((SELECT d.id ` + cameBack + nextOfShard + `) UNION ALL (SELECT d.id ` + ranOut + nextOfShard + `))
ORDER BY e.id LIMIT $7`

	countDoubtful = `
SELECT COALESCE(h.origin, ''), h.key_id, COUNT(*)
FROM (SELECT d.shard ` + cameBack + ` UNION ALL SELECT d.shard ` + ranOut + `) c LEFT JOIN shard h ON h.id = c.shard GROUP BY h.id`

	lockEntries = `SELECT id, log, fence, state = 'PENDING' AND in_doubt, leased_until, bytes FROM entry WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE`

	settleFound = `
UPDATE entry e SET state = 'LOGGED', log_index = d.log_index, in_doubt = false, leased_until = 0, next_at = 0, problem = ''
FROM unnest($1::bigint[], $2::bigint[]) AS d (id, log_index) WHERE e.id = d.id`

	keepFound = `
UPDATE entry_blob b SET inclusion_kind = d.kind, inclusion = d.proof, tokens = NULL
FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS d (id, kind, proof) WHERE b.entry = d.id`

	// leased_until stays: who comes late with the outcome of a lease that ran out is still heard.
	settleAbsent = `
UPDATE entry e SET absent_to = GREATEST(e.absent_to, d.absent_to), in_doubt = NOT d.resend
FROM unnest($1::bigint[], $2::bigint[], $3::boolean[]) AS d (id, absent_to, resend) WHERE e.id = d.id`
)

// Doubtful implements gateway.Store.
func (s *Store) Doubtful(ctx context.Context, p gateway.DoubtParams) (doubts []gateway.Doubt, err error) {
	err = s.readTx(ctx, "reading what is in doubt", func(t *tx) error {
		doubts = nil
		args := []any{p.Log, t.now, p.After, p.Shard.Origin, p.Shard.KeyID[:], p.Unknown, p.Limit}
		return t.eachRow(selectDoubtful, args, func(scan func(...any) error) error {
			var until int64
			e, err := scanEntry(scan, &until)
			doubts = append(doubts, gateway.Doubt{Entry: e, SentAgo: s.clock.measureSince(until, t.now)})
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return doubts, nil
}

// CountDoubtful implements gateway.Store.
func (s *Store) CountDoubtful(ctx context.Context, log string) (counts map[gateway.Shard]int, err error) {
	err = s.readTx(ctx, "counting what is in doubt", func(t *tx) error {
		counts = map[gateway.Shard]int{}
		return t.eachRow(countDoubtful, []any{log, t.now}, func(scan func(...any) error) error {
			var shard gateway.Shard
			var keyID []byte
			var n int
			err := scan(&shard.Origin, &keyID, &n)
			copy(shard.KeyID[:], keyID)
			counts[shard] = n
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return counts, nil
}

// Settle implements gateway.Store.
func (s *Store) Settle(ctx context.Context, settlements []gateway.Settlement) (changed []gateway.Progress, err error) {
	if len(settlements) == 0 {
		return nil, nil
	}
	for _, e := range settlements {
		if err := checkSettlement(e); err != nil {
			return nil, fmt.Errorf("settling doubts: %w", err)
		}
	}
	lost := 0
	err = s.writeTx(ctx, "settling doubts", func(t *tx) error {
		changed, lost, err = settleEntries(t, settlements)
		return err
	})
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		return changed, fmt.Errorf("settling doubts: %w: %d of %d", gateway.ErrLeaseLost, lost, len(settlements))
	}
	return changed, nil
}

func checkSettlement(e gateway.Settlement) error {
	if err := store.CheckSettlement(e); err != nil {
		return err
	}
	size := e.AbsentTo
	if e.Inclusion != nil {
		size = e.Inclusion.Index
	}
	_, err := store.TreeSize(size)
	return err
}

// lockedEntry is what a settlement is compared with.
type lockedEntry struct {
	log, fence, leasedUntil, bytes int64
	inDoubt                        bool
}

// settling is a Settle on its way: what becomes of the entries, in columns.
type settling struct {
	found struct {
		ids, indexes []int64
		kinds        []string
		proofs       [][]byte
	}
	absent struct {
		ids, to []int64
		resend  []bool
	}
	backlogs map[int64]backlog // changes, by the row of the log
}

// settleEntries locks all entries first, and so sees what nobody changes meanwhile.
func settleEntries(t *tx, settlements []gateway.Settlement) (changed []gateway.Progress, lost int, err error) {
	entries, err := lockSettled(t, settlements)
	if err != nil {
		return nil, 0, err
	}
	v := settling{backlogs: map[int64]backlog{}}
	last := map[int64]int{} // where an entry's absence stands
	for _, e := range settlements {
		l := entries[e.EntryID]
		if l == nil || l.fence != e.Fence || !l.inDoubt || l.leasedUntil > t.now {
			lost++
			continue
		}
		v.add(e, l, last)
	}
	if err := v.store(t); err != nil {
		return nil, 0, err
	}
	changed, err = t.refreshStates(nil, v.found.ids)
	return changed, lost, err
}

func lockSettled(t *tx, settlements []gateway.Settlement) (map[int64]*lockedEntry, error) {
	ids := make([]int64, len(settlements))
	for i, e := range settlements {
		ids[i] = e.EntryID
	}
	entries := make(map[int64]*lockedEntry, len(ids))
	err := t.eachRow(lockEntries, []any{ids}, func(scan func(...any) error) error {
		var id int64
		l := new(lockedEntry)
		err := scan(&id, &l.log, &l.fence, &l.inDoubt, &l.leasedUntil, &l.bytes)
		entries[id] = l
		return err
	})
	return entries, err
}

// add notes what becomes of an entry, which several settlements may be of.
func (v *settling) add(e gateway.Settlement, l *lockedEntry, last map[int64]int) {
	if e.Inclusion != nil {
		l.inDoubt = false
		v.found.ids, v.found.indexes = append(v.found.ids, e.EntryID), append(v.found.indexes, int64(e.Inclusion.Index))
		v.found.kinds, v.found.proofs = append(v.found.kinds, e.Inclusion.Kind), append(v.found.proofs, e.Inclusion.Proof)
		v.backlogs[l.log] = v.backlogs[l.log].plus(backlog{-1, -l.bytes})
		return
	}
	l.inDoubt = !e.Resend
	to := int64(e.AbsentTo)
	if i, ok := last[e.EntryID]; ok {
		v.absent.to[i], v.absent.resend[i] = max(v.absent.to[i], to), e.Resend
		return
	}
	last[e.EntryID] = len(v.absent.ids)
	v.absent.ids, v.absent.to, v.absent.resend = append(v.absent.ids, e.EntryID), append(v.absent.to, to), append(v.absent.resend, e.Resend)
}

func (v *settling) store(t *tx) error {
	var b pgx.Batch
	if len(v.absent.ids) > 0 {
		b.Queue(settleAbsent, v.absent.ids, v.absent.to, v.absent.resend)
	}
	if len(v.found.ids) > 0 {
		b.Queue(settleFound, v.found.ids, v.found.indexes)
		b.Queue(keepFound, v.found.ids, v.found.kinds, v.found.proofs)
		queueMirrored(&b, v.found.ids)
	}
	t.queueBacklog(&b, v.backlogs)
	return t.sendBatch(&b)
}

const (
	logToDoubt = `
SELECT id, incarnation = ` + lifeMark + `, id IN (SELECT log FROM own_log) FROM log WHERE name = $1 AND NOT retired FOR NO KEY UPDATE`

	// In this life a checkpoint may have been kept already.
	searchedFrom = `SELECT COALESCE(doubt_from, size) FROM checkpoint WHERE origin = $1 AND key_id = $2`

	doubtStored = `
UPDATE checkpoint SET doubt_from = NULL, life = ` + lifeMark + `
WHERE origin = $1 AND key_id = $2 AND (doubt_from IS NOT NULL OR life IS DISTINCT FROM ` + lifeMark + `)`

	anyLeased = `SELECT EXISTS (SELECT 1 FROM entry WHERE log = $1 AND leased_until > 0 AND leased_until > $2 AND leased_until <= $3)`

	pendingPage = `
SELECT queued_at, id FROM entry WHERE log = $1 AND state = 'PENDING' AND (queued_at, id) > ($2, $3) ORDER BY queued_at, id LIMIT $4`

	// Entries are locked in their order, as everywhere.
	lockPending = `WITH locked AS (SELECT id FROM entry WHERE id = ANY($1::bigint[]) AND state = 'PENDING' ORDER BY id FOR UPDATE) `

	doubtPending = lockPending + `
UPDATE entry e SET in_doubt = true, leased_until = 0, shard = COALESCE(e.shard, $2), sent_at_tree_size = COALESCE(e.sent_at_tree_size, $3),
    fence = e.fence + ` + fenceStep + `
FROM locked WHERE e.id = locked.id AND NOT e.in_doubt AND (e.shard IS NULL OR e.shard = $2) AND (e.sent_at_tree_size IS NOT NULL OR $3::bigint IS NOT NULL)`

	// What the life before has leased and stored, and this one knows nothing of, may be under way for as long as a lease.
	// Its fences may be any, so that all get others: no late outcome or settlement of that life meets one of this life.
	doubtFormer = lockPending + `
UPDATE entry e SET in_doubt = true, leased_until = 0, shard = CASE WHEN ` + ofShard + ` THEN COALESCE(e.shard, $2) ELSE $2 END,
    sent_at_tree_size = CASE WHEN ` + ofShard + ` THEN COALESCE(e.sent_at_tree_size, $3) ELSE $3 END,
    absent_to = CASE WHEN ` + ofShard + ` THEN e.absent_to ELSE 0 END,
    fence = e.fence + ` + fenceStep + `, last_sent_at = $4::bigint + $5::bigint, next_at = LEAST(e.next_at, $4::bigint + $6::bigint)
FROM locked WHERE e.id = locked.id AND (e.in_doubt OR $3::bigint IS NOT NULL OR ` + ofShard + ` AND e.sent_at_tree_size IS NOT NULL)`

	// What is not in doubt is certainly not in another shard, to which it was sent before, but may have been sent to this one since.
	ofShard = `(e.in_doubt OR e.shard IS NULL OR e.shard = $2)`

	// What waits for other logs may come over later, and may have been here in the life before. As long as some of that waits, it may be so of lives
	// before that one.
	noteSentSince = `
UPDATE log l SET sent_shard = $2,
    sent_from = CASE WHEN l.sent_shard = $2 AND EXISTS (SELECT 1 FROM log o WHERE o.id <> l.id AND EXISTS (
        SELECT 1 FROM entry e WHERE e.log = o.id AND e.state = 'PENDING' AND e.queued_at <= l.sent_until)) THEN LEAST(l.sent_from, $3) ELSE $3 END,
    sent_until = (SELECT max(e.queued_at) FROM log o, LATERAL (
        SELECT queued_at FROM entry WHERE log = o.id AND state = 'PENDING' ORDER BY queued_at DESC LIMIT 1) e WHERE o.id <> l.id)
WHERE l.id = $1`

	// fenceStep is by how much a fence grows. Nobody can know the next one: a copy of the database that goes on by itself, or
	// an older one that was put back and gives the number of a lost entry once more, gives others.
	fenceStep = `(1 + floor(random() * 1000000000)::bigint)`
)

// doubtPage bounds the entries that are put in doubt in one transaction. Tests make it smaller.
var doubtPage = 5000

// DoubtPending implements gateway.Store. In a life of the database in which that was not done yet, which Claim says,
// it is done by the first gateway that calls; others that call meanwhile find it done. Until the last page is
// committed nobody claims. What a crash leaves half done is done again from the beginning.
func (s *Store) DoubtPending(ctx context.Context, log string, shard gateway.Shard) (n int, err error) {
	d := doubting{log: log, shard: shard}
	for !d.done {
		next := d
		err := s.writeTx(ctx, "putting in doubt what is pending", func(t *tx) (err error) {
			next = d
			return next.doubtPage(t)
		})
		if err != nil {
			return 0, err
		}
		d = next
	}
	return d.n, nil
}

// doubting is a DoubtPending on its way.
type doubting struct {
	log   string
	shard gateway.Shard

	life  string // in which it began
	first bool   // nobody has done it in this life
	after gateway.QueuePlace
	n     int
	done  bool
}

func (d *doubting) doubtPage(t *tx) error {
	var log int64
	var same, own, leased bool
	err := t.scanRow(logToDoubt, []any{d.log}, &log, &same, &own)
	if errors.Is(err, pgx.ErrNoRows) { // nothing is pending for it
		d.done = true
		return d.endSearchedFrom(t)
	}
	if err != nil {
		return err
	}
	if own { // nothing of it is sent anywhere
		d.done = true
		return t.trustOwn(d.log, log)
	}
	if d.life != t.life {
		d.life, d.first, d.after = t.life, !same, gateway.QueuePlace{}
	}
	if same {
		if err := d.endSearchedFrom(t); err != nil {
			return err
		}
	}
	longest := int64(1<<62) - 1
	if d.first { // leases of another clock may seem never to end
		longest = t.now + longestLease
	}
	if err := t.scanRow(anyLeased, []any{log, t.now, longest}, &leased); err != nil {
		return err
	}
	if d.done = leased || d.first && same; d.done { // the latter: another gateway has done it meanwhile
		return nil
	}
	return d.doubtNext(t, log)
}

// doubtNext puts the next page in doubt.
func (d *doubting) doubtNext(t *tx, log int64) error {
	shard, err := t.store.shards.idOf(t, d.shard)
	if err != nil {
		return err
	}
	var size *int64 // nil: no checkpoint is kept
	err = t.scanRow(searchedFrom, []any{d.shard.Origin, d.shard.KeyID[:]}, &size)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	var ids []int64
	err = t.eachRow(pendingPage, []any{log, d.after.QueuedAt, d.after.EntryID, doubtPage}, func(scan func(...any) error) error {
		err := scan(&d.after.QueuedAt, &d.after.EntryID)
		ids = append(ids, d.after.EntryID)
		return err
	})
	if err != nil {
		return err
	}
	query, args := doubtPending, []any{ids, shard, size}
	if d.first {
		query, args = doubtFormer, append(args, t.now, longestLease, longestWait)
	}
	changed, err := t.exec(query, args...)
	if err != nil {
		return err
	}
	d.n += int(changed)
	if d.done = len(ids) < doubtPage; !d.done || !d.first {
		return nil
	}
	_, markErr := t.exec(markLog, log)
	_, sentErr := t.exec(noteSentSince, log, shard, size)
	return errors.Join(markErr, sentErr, d.endSearchedFrom(t))
}

// endSearchedFrom forgets what the shard's size was before this life: all that was pending then is in doubt.
func (d *doubting) endSearchedFrom(t *tx) error {
	_, err := t.exec(doubtStored, d.shard.Origin, d.shard.KeyID[:])
	return err
}
