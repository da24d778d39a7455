// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

const (
	// "leased_until > 0" leads to the index of leased entries.
	countLeased = `SELECT COUNT(*) FROM entry WHERE log = ? AND leased_until > ? AND leased_until > 0`

	claimable = `
SELECT ` + entryColumns + ` FROM entry e
WHERE log = ?1 AND state = 'PENDING' AND next_at <= ?2 AND leased_until <= ?2
ORDER BY priority DESC, queued_at, id LIMIT ?3`

	// Whether an entry may be leased is asked again: the lease itself is the compare and
	// swap, whatever was read before.
	leaseEntries = `
UPDATE entry SET fence = fence + 1, attempts = attempts + 1, in_doubt = 1, leased_until = ?1, last_sent_at = ?2,
    sent_at_tree_size = COALESCE(sent_at_tree_size, ?3)
WHERE id IN (SELECT value FROM json_each(?4)) AND state = 'PENDING' AND next_at <= ?2 AND leased_until <= ?2`
)

// Claim implements gateway.Store. A lease is over at p.Now + p.Lease, by whichever clock
// the next Claim goes.
func (s *Store) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Entry, error) {
	size, err := store.TreeSize(p.TreeSize)
	if err != nil {
		return nil, fmt.Errorf("claiming entries: %w", err)
	}
	if p.Now.IsZero() || store.Millis(p.Now.Add(p.Lease)) <= store.Millis(p.Now) {
		return nil, fmt.Errorf("claiming entries: no lease from %v for %v", p.Now, p.Lease)
	}
	var claimed []gateway.Entry
	err = s.write(ctx, "claiming entries", func(t *tx) error {
		var leased int
		if err := t.QueryRow(countLeased, p.Log, store.Millis(p.Now)).Scan(&leased); err != nil {
			return err
		}
		limit := min(p.Limit, p.InFlight-leased)
		if limit <= 0 {
			return nil
		}
		claimed, err = t.claim(p, limit, size)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

func (t *tx) claim(p gateway.ClaimParams, limit int, size int64) ([]gateway.Entry, error) {
	now := store.Millis(p.Now)
	var claimed []gateway.Entry
	var ids []int64
	err := t.each(claimable, []any{p.Log, now, limit}, func(scan func(...any) error) error {
		e, err := scanEntry(scan)
		claimed, ids = append(claimed, e), append(ids, e.ID)
		return err
	})
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	arg, err := list(ids)
	if err != nil {
		return nil, err
	}
	r, err := t.Exec(leaseEntries, store.Millis(p.Now.Add(p.Lease)), now, size, arg)
	if err != nil {
		return nil, err
	}
	if n, err := r.RowsAffected(); err != nil || n != int64(len(ids)) {
		return nil, errors.Join(err, fmt.Errorf("%d of %d entries leased", n, len(ids)))
	}
	for i := range claimed {
		lease(&claimed[i], p.TreeSize)
	}
	return claimed, nil
}

// lease does to e what leaseEntries did to its row, InDoubt and LastSentAt aside.
func lease(e *gateway.Entry, size uint64) {
	e.Fence++
	e.Attempts++
	if e.SentAtTreeSize == nil {
		e.SentAtTreeSize = &size
	}
}
