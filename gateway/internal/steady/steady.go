// SPDX-License-Identifier: Apache-2.0

// Package steady tells how long something has lasted by clocks that nobody can set back, and that go on while this process is
// stopped, or its machine sleeps.
package steady

import "time"

// Mark is a moment. The zero Mark is long ago.
type Mark struct {
	at   time.Time     // monotonic, and of the wall
	boot time.Duration // since the machine's boot; 0 where it does not tell
}

// Now returns this moment.
func Now() Mark { return Mark{time.Now(), sinceBoot()} }

// Elapsed returns how long ago m was: the longest that any clock says, since one may stand still while the machine sleeps.
func (m Mark) Elapsed() time.Duration {
	if m.at.IsZero() {
		return 1<<63 - 1
	}
	now := Now()
	d := now.at.Sub(m.at)
	if m.boot > 0 {
		return max(d, now.boot-m.boot)
	}
	return max(d, now.at.Round(0).Sub(m.at.Round(0)))
}

// IsZero reports whether m was never set.
func (m Mark) IsZero() bool { return m.at.IsZero() }

// Time is m as a time of this process, for what is compared with other such times.
func (m Mark) Time() time.Time { return m.at }

// Add returns the moment d after m.
func (m Mark) Add(d time.Duration) Mark {
	n := Mark{at: m.at.Add(d)}
	if m.boot > 0 {
		n.boot = m.boot + d
	}
	return n
}
