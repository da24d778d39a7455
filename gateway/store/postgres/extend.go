// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// lockByID locks entries in the order that all transactions keep to.
	lockByID = `SELECT FROM entry WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE`

	// A lease that has expired and was not claimed again is still its holder's.
	extendLeases = `
UPDATE entry e SET leased_until = $3, last_sent_at = $4 FROM unnest($1::bigint[], $2::bigint[]) AS held (id, fence)
WHERE e.id = held.id AND e.fence = held.fence AND e.leased_until > 0 RETURNING e.id, e.fence`
)

// Extend implements gateway.Store.
func (s *Store) Extend(ctx context.Context, leases []gateway.Lease, lease time.Duration) (lost []gateway.Lease, err error) {
	if len(leases) == 0 {
		return nil, nil
	}
	if lease < time.Millisecond {
		return nil, fmt.Errorf("extending leases: no lease for %v", lease)
	}
	ids, fences := make([]int64, len(leases)), make([]int64, len(leases))
	for i, l := range leases {
		ids[i], fences[i] = l.EntryID, l.Fence
	}
	var held map[gateway.Lease]bool
	err = s.writeTx(ctx, "extending leases", func(t *tx) error {
		held = make(map[gateway.Lease]bool, len(leases))
		var b pgx.Batch
		b.Queue(lockByID, ids)
		queueEach(&b, extendLeases, []any{ids, fences, t.now + lease.Milliseconds(), t.now}, func(scan func(...any) error) error {
			var l gateway.Lease
			err := scan(&l.EntryID, &l.Fence)
			held[l] = true
			return err
		})
		return t.sendBatch(&b)
	})
	if err != nil {
		return nil, err
	}
	for _, l := range leases {
		if !held[l] {
			lost = append(lost, l)
		}
	}
	return lost, nil
}
