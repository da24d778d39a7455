// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestCancelledCalls: callers who hang up do not cost a connection each, which all others would wait for.
func TestCancelledCalls(t *testing.T) {
	s := open(t, newDatabase(t), Options{})
	stored, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "one", "log")})
	if err != nil {
		t.Fatal(err)
	}
	cancelled := 0
	for i := 0; cancelled < 100; i++ { // at all stages of a call, on any machine
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+i%20)*50*time.Microsecond)
		if _, err := s.Get(ctx, "tenant", stored[0].Submission.ID); err != nil {
			cancelled++
		}
		cancel()
	}
	if made := s.pool.Stat().NewConnsCount(); made > 20 {
		t.Errorf("%d connections were made for %d calls that were cancelled", made, cancelled)
	}
}
