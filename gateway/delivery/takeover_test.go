// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"strings"
	"testing"
	"time"
)

// TestTakeoversOf: with several sets of logs, of those that have a log the others take over, soonest after the shortest time.
func TestTakeoversOf(t *testing.T) {
	f := &failover{}
	f.sets.Store(&[]Failover{{}, {Logs: []string{"a", "b"}, After: time.Minute}, {Logs: []string{"c", "a", "b"}, After: time.Second}, {Logs: []string{"d", "e"}, After: time.Hour}})
	for log, want := range map[string]struct {
		others string
		after  time.Duration
	}{
		"a": {"b c", time.Second}, "b": {"a c", time.Second}, "c": {"a b", time.Second}, "d": {"e", time.Hour}, "x": {},
	} {
		others, after := f.takeoversOf(log)
		if strings.Join(others, " ") != want.others || after != want.after {
			t.Errorf("%s: %v after %v", log, others, after)
		}
	}
}
