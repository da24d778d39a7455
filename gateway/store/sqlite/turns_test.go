// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestAgedAmongManyTenants: backfill that is old moves up though there are thousands of tenants whose backfill is not, and
// each claim takes one entry.
func TestAgedAmongManyTenants(t *testing.T) {
	const tenants, claims = 2000, 200
	now := time.Unix(1_800_000_000, 0)
	s := open(t, "", Options{Now: func() time.Time { return now }})
	var aged, fresh []gateway.NewSubmission
	for i := range claims {
		aged = append(aged, backfillOf("old", i))
		fresh = append(fresh, storetest.NewSubmission("live", fmt.Sprint("live", i), "a"))
	}
	for i := range tenants {
		fresh = append(fresh, backfillOf(fmt.Sprint("fresh", i), 0))
	}
	old := map[gateway.LeafHash]bool{}
	for _, sub := range aged {
		old[sub.Entries[0].LeafHash] = true
	}
	enqueue := func(subs []gateway.NewSubmission) {
		t.Helper()
		if _, err := s.Enqueue(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
	}
	enqueue(aged)
	now = now.Add(2 * gateway.BackfillAge)
	enqueue(fresh)
	sent := 0
	for range claims {
		c, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "a", Lease: time.Minute, Limit: 1, InFlight: claims, TreeSize: 1})
		if err != nil || len(c) != 1 {
			t.Fatal(len(c), err)
		}
		if old[c[0].LeafHash] {
			sent++
		}
	}
	if sent < claims/gateway.BackfillShare/3 {
		t.Errorf("%d of %d sent are old backfill", sent, claims)
	}
}

func backfillOf(tenant string, i int) gateway.NewSubmission {
	s := storetest.NewSubmission(tenant, fmt.Sprint(tenant, " ", i), "a")
	s.Priority = gateway.Backfill
	return s
}
