// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestOldUsesGo: what was counted on days that are over goes as fast as it comes, however many signers there are.
func TestOldUsesGo(t *testing.T) {
	const days, perDay, perBatch = 6, 10, 200
	var now atomic.Int64 // milliseconds
	now.Store(1_800_000_000_000)
	s := open(t, newDatabase(t), Options{Now: func() time.Time { return time.UnixMilli(now.Load()) }})
	for i := range days * perDay {
		batch := make([]gateway.NewSubmission, perBatch)
		for j := range batch {
			name := fmt.Sprintf("%d of %d", j, i)
			batch[j] = storetest.NewSubmission("tenant", name, "log")
			batch[j].Quotas = []gateway.Quota{{Subject: "signer " + name, Submissions: 9}}
		}
		if _, err := s.Enqueue(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if i%perDay == perDay-1 {
			now.Add(24 * time.Hour.Milliseconds())
		}
	}
	var left int
	if err := s.pool.QueryRow(t.Context(), `SELECT COUNT(*) FROM quota_use`).Scan(&left); err != nil || left > 3*perDay*perBatch {
		t.Errorf("%d rows are left of %d, %v", left, days*perDay*perBatch, err)
	}
}
