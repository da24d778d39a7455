// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// BenchmarkAddUrgent adds what is urgent to backfill that was claimed ahead: a quarter of worker.in_flight.
func BenchmarkAddUrgent(b *testing.B) {
	for _, ahead := range []int{64, 1000, 4096} {
		b.Run(fmt.Sprint(ahead), func(b *testing.B) { benchmarkAddUrgent(b, ahead) })
	}
}

func benchmarkAddUrgent(b *testing.B, waiting int) {
	var a ahead
	backfill, urgent := make([]*send, waiting), make([]*send, 256)
	for i := range backfill {
		backfill[i] = &send{Claimed: gateway.Claimed{Yields: true}, since: steady.Now()}
	}
	for i := range urgent {
		urgent[i] = &send{since: steady.Now()}
	}
	a.add(backfill)
	for b.Loop() {
		a.add(urgent)
		a.take(len(urgent))
	}
}
