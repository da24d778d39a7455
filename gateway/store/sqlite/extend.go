// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// A lease that has expired and was not claimed again is still its holder's.
const extendLeases = `
UPDATE entry SET leased_until = ?1, last_sent_at = ?2 FROM json_each(?3) AS held
WHERE entry.id = held.value->>0 AND entry.fence = held.value->>1 AND entry.leased_until > 0 RETURNING entry.id`

// Extend implements gateway.Store.
func (s *Store) Extend(ctx context.Context, leases []gateway.Lease, lease time.Duration) (lost []gateway.Lease, err error) {
	if len(leases) == 0 {
		return nil, nil
	}
	if lease < time.Millisecond {
		return nil, fmt.Errorf("extending leases: no lease for %v", lease)
	}
	pairs := make([][2]int64, len(leases))
	for i, l := range leases {
		pairs[i] = [2]int64{l.EntryID, l.Fence}
	}
	arg, err := encodeList(pairs)
	if err != nil {
		return nil, err
	}
	var extended []int64
	err = s.writeTx(ctx, "extending leases", func(t *tx) error {
		now := s.now()
		extended, err = collectColumn[int64](t, extendLeases, now+lease.Milliseconds(), now, arg)
		return err
	})
	if err != nil {
		return nil, err
	}
	return listLost(leases, extended), nil
}

// listLost returns those of leases whose entries are not among extended.
func listLost(leases []gateway.Lease, extended []int64) (lost []gateway.Lease) {
	held := make(map[int64]bool, len(extended))
	for _, id := range extended {
		held[id] = true
	}
	for _, l := range leases {
		if !held[l.EntryID] {
			lost = append(lost, l)
		}
	}
	return lost
}
