// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"testing"
	"time"
)

// TestPause: the log looks again as soon as what waits may be anchored early, which nothing else wakes it for.
func TestPause(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		pacing pacing
		want   time.Duration
	}{
		"nothing waits":      {pacing{grownAt: now}, idleTime},
		"records came now":   {pacing{busy: true, grownAt: now}, quietTime},
		"records came then":  {pacing{busy: true, grownAt: now.Add(-quietTime / 4)}, quietTime - quietTime/4},
		"it is quiet":        {pacing{busy: true, grownAt: now.Add(-quietTime)}, pollTime},
		"it was never grown": {pacing{busy: true}, pollTime},
	} {
		l := &Log{pacing: c.pacing}
		if got := l.pause(now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
