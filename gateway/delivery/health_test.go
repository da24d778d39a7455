// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestHealthWhileTheStoreFails: a log is not said to be out of reach, or to be back, since its checkpoint could not be kept.
func TestHealthWhileTheStoreFails(t *testing.T) {
	w := &worker{id: "a", metrics: Metrics{}.withDefaults(), logger: slog.New(slog.DiscardHandler)}
	failing := fmt.Errorf("keeping checkpoint: %w: disk I/O error", gateway.ErrStoreUnavailable)
	w.noteReading(failing)
	if got := w.health.describeProblem(); got != "" {
		t.Errorf("the log has the problem %s", got)
	}
	w.noteReading(gateway.ErrUnavailable)
	w.noteReading(failing)
	if got := w.health.describeProblem(); got != gateway.ProblemUnavailable {
		t.Errorf("the log that is out of reach has the problem %q", got)
	}
}
