// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// All leases less those that have ended: of thousands, each is looked at but for its log. "leased_until > 0" leads to the index of leased
	// entries. It comes first: behind the other one SQLite would have to look at the time to see that, and so would parse all again at each time.
	countLeased = `
SELECT COUNT(*) - (SELECT COUNT(*) FROM entry WHERE log = (SELECT id FROM log WHERE name = ?1) AND leased_until > 0 AND leased_until <= ?2)
FROM entry WHERE log = (SELECT id FROM log WHERE name = ?1) AND leased_until > 0`

	anyWaited = `
SELECT EXISTS (SELECT 1 FROM entry WHERE log = ?1 AND priority = ?2 AND state = 'PENDING' AND in_doubt = 0 AND next_at > 0 AND next_at <= ?3)`

	// What has waited for its time stands in its tenant's line again, from where it is claimed.
	endWaits = `
UPDATE entry SET next_at = 0 WHERE id IN (SELECT id FROM entry WHERE log = ?1 AND priority = ?2 AND state = 'PENDING' AND in_doubt = 0
    AND next_at > 0 AND next_at <= ?3 ORDER BY next_at LIMIT ?4)`

	// Whether an entry may be leased is asked again: the lease itself is the compare and
	// swap, whatever was read before. What is not in doubt is certainly not in the shard that it was
	// sent to before, so that it may be sent to another.
	leaseEntries = `
UPDATE entry SET fence = fence + 1, attempts = attempts + 1, in_doubt = 1, leased_until = ?1, last_sent_at = ?2,
    sent_at_tree_size = CASE WHEN shard IS ?3 THEN COALESCE(sent_at_tree_size, ?4) ELSE ?4 END,
    absent_to = CASE WHEN shard IS ?3 THEN absent_to ELSE 0 END, shard = ?3
WHERE id IN (SELECT value FROM json_each(?5)) AND state = 'PENDING' AND in_doubt = 0 AND next_at <= ?2`

	bodiesOfEntries = `SELECT entry, body FROM entry_blob WHERE entry IN (SELECT value FROM json_each(?))`
)

// It is a variable so that a test can break it, and see it noticed.
var writableLog = `SELECT id FROM log WHERE name = ? AND retired = 0 AND id NOT IN (SELECT log FROM own_log)`

// errUnreadable is returned when none of several bodies can be read.
var errUnreadable = errors.New("no body can be read")

// Claim implements gateway.Store.
func (s *Store) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	size, err := store.TreeSize(p.TreeSize)
	if err != nil {
		return nil, fmt.Errorf("claiming entries: %w", err)
	}
	if p.Lease < time.Millisecond {
		return nil, fmt.Errorf("claiming entries: no lease for %v", p.Lease)
	}
	var claimed []gateway.Claimed
	err = s.writeTx(ctx, "claiming entries", func(t *tx) error {
		now := s.now()
		var leased int
		if err := t.QueryRow(countLeased, p.Log, now).Scan(&leased); err != nil {
			return err
		}
		limit := min(p.Limit, p.InFlight-leased)
		if limit <= 0 {
			return nil
		}
		claimed, err = s.findClaimable(t, p.Log, now, limit)
		if err != nil || len(claimed) == 0 {
			return err
		}
		return s.leaseClaimed(ctx, t, p, now, size, claimed)
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// maxEndedWaits bounds the entries of a priority whose waiting one claim ends. It is more than a claim takes.
const maxEndedWaits = 1024

// findClaimable returns the entries to claim, as they are before, and without their bodies.
func (s *Store) findClaimable(t *tx, name string, now int64, limit int) ([]gateway.Claimed, error) {
	var log int64
	err := t.QueryRow(writableLog, name).Scan(&log)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, p := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
		var any bool
		if err := t.QueryRow(anyWaited, log, p, now).Scan(&any); err != nil {
			return nil, err
		}
		if !any {
			continue
		}
		if _, err := t.Exec(endWaits, log, p, now, maxEndedWaits); err != nil {
			return nil, err
		}
	}
	return s.pickEntries(t, log, now, limit)
}

// leaseClaimed leases all of claimed, and completes them.
func (s *Store) leaseClaimed(ctx context.Context, t *tx, p gateway.ClaimParams, now, size int64, claimed []gateway.Claimed) error {
	var shard *int64
	if p.Shard != (gateway.Shard{}) {
		id, err := s.shards.idOf(t, p.Shard)
		if err != nil {
			return err
		}
		shard = &id
	}
	ids := make([]int64, len(claimed))
	for i := range claimed {
		ids[i] = claimed[i].ID
	}
	arg, err := encodeList(ids)
	if err != nil {
		return err
	}
	r, err := t.Exec(leaseEntries, now+p.Lease.Milliseconds(), now, shard, size, arg)
	if err != nil {
		return err
	}
	if n, err := r.RowsAffected(); err != nil || n != int64(len(ids)) {
		return errors.Join(err, fmt.Errorf("%d of %d entries leased", n, len(ids)))
	}
	bodies, err := s.readBodies(ctx, ids)
	if err != nil {
		return err
	}
	if len(bodies) == 0 && len(ids) > 1 { // it is not these entries: the disk fails
		return errUnreadable
	}
	for i := range claimed {
		completeClaim(&claimed[i], p, bodies[claimed[i].ID])
	}
	return nil
}

// readBodies returns the bodies of entries. Those that SQLite finds damaged are left out: one damaged page must
// not keep all others from being sent. They are read beside the transaction that leases the entries, since one
// that has met a damaged page cannot be committed.
func (s *Store) readBodies(ctx context.Context, ids []int64) (map[int64][]byte, error) {
	arg, err := encodeList(ids)
	if err != nil {
		return nil, err
	}
	bodies := make(map[int64][]byte, len(ids))
	err = s.readTx(ctx, "reading bodies", func(t *tx) error {
		return t.eachRow(bodiesOfEntries, []any{arg}, func(scan func(...any) error) error {
			var id int64
			var body []byte
			err := scan(&id, &body)
			bodies[id] = nonNil(body)
			return err
		})
	})
	switch {
	case !isDamage(err):
		return bodies, err
	case len(ids) == 1:
		return nil, nil
	}
	half := len(ids) / 2
	bodies, err = s.readBodies(ctx, ids[:half])
	if err != nil {
		return nil, err
	}
	more, err := s.readBodies(ctx, ids[half:])
	all := make(map[int64][]byte, len(ids))
	maps.Copy(all, bodies)
	maps.Copy(all, more)
	return all, err
}

// completeClaim does to c what leaseEntries did to its row, InDoubt and LastSentAt aside.
func completeClaim(c *gateway.Claimed, p gateway.ClaimParams, body []byte) {
	c.Body = body
	c.Fence++
	c.Attempts++
	if c.Shard != p.Shard {
		c.Shard, c.SentAtTreeSize, c.AbsentTo = p.Shard, nil, 0
	}
	if c.SentAtTreeSize == nil {
		c.SentAtTreeSize = &p.TreeSize
	}
}
