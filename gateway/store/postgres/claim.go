// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// "leased_until > 0" leads to the index of leased entries.
	countLeased = `SELECT COUNT(*) FROM entry WHERE log = $1 AND leased_until > $2 AND leased_until > 0`

	// What has waited for its time stands in its tenant's line again, from where it is claimed.
	endWaits = `
UPDATE entry SET next_at = 0 WHERE id = ANY (ARRAY(SELECT id FROM entry WHERE log = $1 AND priority = $2 AND state = 'PENDING' AND NOT in_doubt
    AND next_at > 0 AND next_at <= $3 ORDER BY next_at LIMIT $4 FOR UPDATE SKIP LOCKED))`

	// After a clock was set back, leases and waits would last until it has caught up. Those that cannot be as long as they seem last as
	// long as any can. "leased_until > 0" is as above.
	shortenLeases = `
UPDATE entry SET leased_until = $2::bigint + $3::bigint, last_sent_at = LEAST(last_sent_at, $2::bigint) WHERE id = ANY (ARRAY(SELECT id FROM entry
    WHERE log = $1 AND leased_until > $2::bigint + 2 * $3::bigint AND leased_until > 0 ORDER BY leased_until LIMIT $4 FOR UPDATE SKIP LOCKED))`

	shortenWaits = `
UPDATE entry SET next_at = $3::bigint + $4::bigint WHERE id = ANY (ARRAY(SELECT id FROM entry WHERE log = $1 AND priority = $2 AND state = 'PENDING' AND NOT in_doubt
    AND next_at > $3::bigint + 2 * $4::bigint ORDER BY next_at LIMIT $5 FOR UPDATE SKIP LOCKED))`

	// What is not in doubt is certainly not in the shard that it was sent to before, so that it may be sent to another.
	leaseEntries = `
UPDATE entry SET fence = fence + ` + fenceStep + `, attempts = attempts + 1, in_doubt = true, leased_until = $1, last_sent_at = $2,
    sent_at_tree_size = CASE WHEN shard IS NOT DISTINCT FROM $3 THEN COALESCE(sent_at_tree_size, $4) ELSE $4 END,
    absent_to = CASE WHEN shard IS NOT DISTINCT FROM $3 THEN absent_to ELSE 0 END, shard = $3
WHERE id = ANY($5::bigint[]) AND state = 'PENDING' AND NOT in_doubt AND next_at <= $2 RETURNING id, fence`

	bodiesOfEntries = `SELECT entry, body FROM entry_blob WHERE entry = ANY($1::bigint[])`
)

// errUnreadable is returned when none of several bodies can be read.
var errUnreadable = errors.New("no body can be read")

// Claim implements gateway.Store. What others are claiming at the same moment is passed over. p.InFlight bounds what
// this process claims beside what was leased before: several processes that claim at once may exceed it by a claim each.
func (s *Store) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	if _, err := store.TreeSize(p.TreeSize); err != nil {
		return nil, fmt.Errorf("claiming entries: %w", err)
	}
	if p.Lease < time.Millisecond {
		return nil, fmt.Errorf("claiming entries: no lease for %v", p.Lease)
	}
	if p.Limit <= 0 || p.InFlight <= 0 {
		return nil, ctx.Err()
	}
	release, err := s.claiming.waitTurn(ctx, p.Log)
	if err != nil {
		return nil, fmt.Errorf("claiming entries: %w", err)
	}
	defer release()
	var claimed []gateway.Claimed
	err = s.writeTx(ctx, "claiming entries", func(t *tx) (err error) {
		claimed, err = t.claimEntries(p)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// claimTurns has claims of one log by this process come one after the other, since each counts what the one before
// has leased.
type claimTurns struct {
	mu   sync.Mutex // guards logs
	logs map[string]chan struct{}
}

// waitTurn waits until no other claim of the log runs.
func (c *claimTurns) waitTurn(ctx context.Context, log string) (release func(), err error) {
	c.mu.Lock()
	if c.logs == nil {
		c.logs = make(map[string]chan struct{})
	}
	turn, ok := c.logs[log]
	if !ok {
		turn = make(chan struct{}, 1)
		c.logs[log] = turn
	}
	c.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// maxEndedWaits bounds the entries of a priority whose waiting one claim ends. It is more than a claim takes.
const maxEndedWaits = 1024

func (t *tx) claimEntries(p gateway.ClaimParams) ([]gateway.Claimed, error) {
	shard, err := t.resolveShard(p.Shard)
	if err != nil {
		return nil, err
	}
	log, err := t.findWritable(p.Log)
	if err != nil || log == 0 {
		return nil, err
	}
	var leased int
	var b pgx.Batch
	b.Queue(shortenLeases, log, t.now, longestLease, maxEndedWaits)
	b.Queue(countLeased, log, t.now).QueryRow(func(row pgx.Row) error { return row.Scan(&leased) })
	for _, priority := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
		b.Queue(shortenWaits, log, priority, t.now, longestWait, maxEndedWaits)
		b.Queue(endWaits, log, priority, t.now, maxEndedWaits)
	}
	if err := t.sendBatch(&b); err != nil {
		return nil, err
	}
	limit := min(p.Limit, p.InFlight-leased)
	if limit <= 0 {
		return nil, nil
	}
	claimed, err := t.pickEntries(log, limit)
	if err != nil || len(claimed) == 0 {
		return nil, err
	}
	return claimed, t.leaseClaimed(p, shard, claimed)
}

// resolveShard returns the row of a shard, nil of none.
func (t *tx) resolveShard(shard gateway.Shard) (*int64, error) {
	if shard == (gateway.Shard{}) {
		return nil, nil
	}
	id, err := t.store.shards.idOf(t, shard)
	return &id, err
}

// leaseClaimed leases all of claimed, which are locked, and completes them.
func (t *tx) leaseClaimed(p gateway.ClaimParams, shard *int64, claimed []gateway.Claimed) error {
	ids := make([]int64, len(claimed))
	for i := range claimed {
		ids[i] = claimed[i].ID
	}
	fences := make(map[int64]int64, len(ids))
	args := []any{t.now + p.Lease.Milliseconds(), t.now, shard, int64(p.TreeSize), ids}
	err := t.eachRow(leaseEntries, args, func(scan func(...any) error) error {
		var id, fence int64
		err := scan(&id, &fence)
		fences[id] = fence
		return err
	})
	if err != nil {
		return err
	}
	if len(fences) != len(ids) {
		return fmt.Errorf("%d of %d entries leased", len(fences), len(ids))
	}
	bodies, err := t.readBodies(ids)
	if err != nil {
		return err
	}
	if len(bodies) == 0 && len(ids) > 1 { // it is not these entries: the disk fails
		return errUnreadable
	}
	for i := range claimed {
		completeClaim(&claimed[i], p, fences[claimed[i].ID], bodies[claimed[i].ID])
	}
	return nil
}

// readBodies returns the bodies of entries. Those that the server finds damaged are left out: one damaged page must
// not keep all others from being sent. Behind a savepoint, since a statement that fails ends the transaction else.
func (t *tx) readBodies(ids []int64) (map[int64][]byte, error) {
	bodies := make(map[int64][]byte, len(ids))
	var b pgx.Batch
	b.Queue(`SAVEPOINT bodies`)
	queueEach(&b, bodiesOfEntries, []any{ids}, func(scan func(...any) error) error {
		var id int64
		var body []byte
		err := scan(&id, &body)
		bodies[id] = nonNil(body)
		return err
	})
	b.Queue(`RELEASE SAVEPOINT bodies`)
	err := t.sendBatch(&b)
	if !isDamage(err) {
		return bodies, err
	}
	if _, err := t.exec(`ROLLBACK TO SAVEPOINT bodies`); err != nil {
		return nil, err
	}
	if len(ids) == 1 {
		return nil, nil
	}
	half := len(ids) / 2
	bodies, err = t.readBodies(ids[:half])
	if err != nil {
		return nil, err
	}
	more, err := t.readBodies(ids[half:])
	all := make(map[int64][]byte, len(ids))
	maps.Copy(all, bodies)
	maps.Copy(all, more)
	return all, err
}

// isDamage reports whether the server found what it was to read not as it wrote it, or could not read it.
func isDamage(err error) bool {
	switch sqlState(err) {
	case "XX000", "XX001", "XX002", "58030": // internal_error (a chunk is missing), data_corrupted, index_corrupted, io_error
		return true
	}
	return false
}

// completeClaim does to c what leaseEntries did to its row, InDoubt and LastSentAt aside.
func completeClaim(c *gateway.Claimed, p gateway.ClaimParams, fence int64, body []byte) {
	c.Body = body
	c.Fence = fence
	c.Attempts++
	if c.Shard != p.Shard {
		c.Shard, c.SentAtTreeSize, c.AbsentTo = p.Shard, nil, 0
	}
	if c.SentAtTreeSize == nil {
		c.SentAtTreeSize = &p.TreeSize
	}
}
