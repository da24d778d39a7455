// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestDegradedWhileStalled: a log that stalls counts as degraded until it does not any more, whatever else was wrong with it
// meanwhile.
func TestDegradedWhileStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		degraded := false
		w := retryWorker(nil)
		w.metrics.Degraded = func(_ string, now bool) { degraded = now }
		f := &failover{triedAt: map[string]time.Time{}}
		look := func(what string, want bool) {
			t.Helper()
			f.watchStall(t.Context(), w, time.Now())
			if degraded != want {
				t.Errorf("%s: degraded %t", what, degraded)
			}
		}
		w.stall.noteOutcome(gateway.Outcome{Retry: true}, time.Now())
		time.Sleep(w.timing.Stalled)
		look("stalls", true)
		w.noteReading(gateway.ErrUnavailable)
		look("stalls, and cannot be read", true)
		w.noteReading(nil)
		look("stalls still", true)
		w.noteReading(gateway.ErrUnavailable)
		w.stall.noteIncluded()
		look("cannot be read", true)
		w.noteReading(nil)
		look("works", false)
	})
}
