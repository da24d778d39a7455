// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// WantSearched checks from where on what is in doubt of a log's shard is searched for, in its order.
func WantSearched(t testing.TB, s gateway.Work, log string, shard gateway.Shard, want ...uint64) {
	t.Helper()
	doubts, err := s.Doubtful(t.Context(), gateway.DoubtParams{Log: log, Shard: shard, Limit: len(want) + 1})
	if err != nil || len(doubts) != len(want) {
		t.Fatalf("in doubt: %+v, %v", doubts, err)
	}
	for i, d := range doubts {
		if d.SentAtTreeSize == nil || *d.SentAtTreeSize != want[i] {
			t.Errorf("in doubt: %+v, not to be searched for from %d on", d, want[i])
		}
	}
}
