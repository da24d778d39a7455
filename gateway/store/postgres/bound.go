// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const weighEntries = `
SELECT e.log, e.leaf_hash, e.state, e.bytes FROM unnest($1::bigint[], $2::bytea[]) AS k (log, leaf)
JOIN entry e ON e.log = k.log AND e.leaf_hash = k.leaf`

// room is how much more may wait, by what was pending when the transaction began. What others store meanwhile is not
// in it.
type room struct {
	opts    *Options
	before  backlog
	planned backlog           // what the submissions that fit add, or more
	entries map[entryKey]bool // of those
}

// queueCount adds to a batch the count of what is pending, where that is bounded.
func (r *room) queueCount(b *pgx.Batch, opts *Options) {
	r.opts, r.entries = opts, make(map[entryKey]bool)
	if r.bounded() {
		b.Queue(countPending).QueryRow(func(row pgx.Row) error { return row.Scan(&r.before.entries, &r.before.bytes) })
	}
}

func (r *room) bounded() bool { return r.opts.MaxPending > 0 || r.opts.MaxPendingBytes > 0 }

// fits reports whether the queue, that has grown already, may grow by more. What adds no entry is never refused.
func (r *room) fits(grown, more backlog) bool {
	if more.entries == 0 || !r.bounded() {
		return true
	}
	after := r.before.plus(grown).plus(more)
	return (r.opts.MaxPending <= 0 || after.entries <= r.opts.MaxPending) &&
		(r.opts.MaxPendingBytes <= 0 || after.bytes <= r.opts.MaxPendingBytes)
}

func (r *room) errFull() error {
	return fmt.Errorf("%w: at most %d entries and %d bytes may be pending", gateway.ErrQueueFull, r.opts.MaxPending, r.opts.MaxPendingBytes)
}

func sumOf(changes map[int64]backlog) (sum backlog) {
	for _, c := range changes {
		sum = sum.plus(c)
	}
	return sum
}

// keepFitting returns those of new submissions that there is room for, and refuses the others. The entries that
// are there already are looked up only where not all would fit with them.
func (e *enqueuing) keepFitting(places []int) ([]int, error) {
	if !e.room.bounded() {
		return places, nil
	}
	var all backlog
	for _, i := range places {
		all = all.plus(weighRow(&e.rows[i]))
	}
	if e.room.fits(e.room.planned, all) {
		e.room.planned = e.room.planned.plus(all)
		return places, nil
	}
	there, err := e.weighExisting(places)
	if err != nil {
		return nil, err
	}
	var fitting []int
	for _, i := range places {
		more, adds := e.weighAdded(i, there)
		if !e.room.fits(e.room.planned, more) && !gateway.IsAnchorTenant(e.rows[i].Tenant) {
			e.results[i].Err = e.room.errFull()
			continue
		}
		e.room.planned = e.room.planned.plus(adds)
		for _, n := range e.rows[i].Entries {
			e.room.entries[entryKey{e.logs[n.Log], n.LeafHash}] = true
		}
		fitting = append(fitting, i)
	}
	return fitting, nil
}

// weighRow returns what r adds to the queue when none of its entries is known.
func weighRow(r *store.NewRow) backlog {
	w := backlog{len(r.Entries), int64(len(r.ReceiptBytes))}
	for _, n := range r.Entries {
		w.bytes += store.WeighNew(n)
	}
	return w
}

// weighQuota returns the bytes that quotas count of r.
func weighQuota(r *store.NewRow) int64 { return weighRow(r).bytes + store.WeighBlobs(r.NewSubmission) }

// existingEntry is an entry that was there, with what is stored for it.
type existingEntry struct {
	state gateway.State
	bytes int64
}

func (e *enqueuing) weighExisting(places []int) (map[entryKey]existingEntry, error) {
	var logs []int64
	var leaves [][]byte
	for _, i := range places {
		for _, n := range e.rows[i].Entries {
			logs, leaves = append(logs, e.logs[n.Log]), append(leaves, n.LeafHash[:])
		}
	}
	there := make(map[entryKey]existingEntry)
	err := e.eachRow(weighEntries, []any{logs, leaves}, func(scan func(...any) error) error {
		var key entryKey
		var leaf []byte
		var x existingEntry
		err := scan(&key.log, &leaf, &x.state, &x.bytes)
		copy(key.leaf[:], leaf)
		there[key] = x
		return err
	})
	return there, err
}

// weighAdded returns what there has to be room for to store a new submission, and what it adds: nothing is pending
// for a log that is retired. A failed entry will be pending again.
func (e *enqueuing) weighAdded(place int, there map[entryKey]existingEntry) (more, adds backlog) {
	r := &e.rows[place]
	receipt := backlog{bytes: int64(len(r.ReceiptBytes))}
	more, adds = receipt, receipt
	seen := map[entryKey]bool{}
	for _, n := range r.Entries {
		key := entryKey{e.logs[n.Log], n.LeafHash}
		x, known := there[key]
		if known && x.state != gateway.Failed || e.room.entries[key] || seen[key] {
			continue
		}
		seen[key] = true
		w := backlog{1, store.WeighNew(n)}
		if known {
			w.bytes = x.bytes
		}
		more = more.plus(w)
		if !e.retired[key.log] {
			adds = adds.plus(w)
		}
	}
	return more, adds
}
