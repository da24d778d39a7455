// SPDX-License-Identifier: Apache-2.0

package steady

import (
	"testing"
	"time"
)

// TestElapsed: the clock that says most counts, and nothing of the wall's where the machine tells of its boot.
func TestElapsed(t *testing.T) {
	if d := (Mark{}).Elapsed(); d < time.Hour || !(Mark{}).IsZero() {
		t.Errorf("zero: %v", d)
	}
	m := Now()
	if d := m.Elapsed(); d < 0 || d > time.Minute {
		t.Errorf("now: %v", d)
	}
	if d := m.Add(-time.Hour).Elapsed(); d < time.Hour || d > time.Hour+time.Minute {
		t.Errorf("an hour ago: %v", d)
	}
	if m.boot == 0 {
		return
	}
	slept := Mark{at: m.at, boot: m.boot - time.Hour}
	if d := slept.Elapsed(); d < time.Hour {
		t.Errorf("the machine slept: %v", d)
	}
	set := Mark{at: m.at.Round(0).Add(-time.Hour), boot: m.boot} // no monotonic reading: only the wall's clock was set
	if d := set.Elapsed(); d < time.Hour {
		t.Errorf("without a monotonic reading: %v", d)
	}
}
