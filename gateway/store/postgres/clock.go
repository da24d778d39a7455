// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"sync"
	"time"
)

// Leases and due times go by the database's clock, which all gateways have in common. It may be set, and another
// server's is another. What must hold all the same (for how long an entry is certainly not under way) counts from
// when this process began to see that clock go as its own monotonic one does.
const selectNow = `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, current_setting('` + lifeSetting + `')`

// The longest that a lease and a wait are taken for, in milliseconds: what seems to be much longer was stored by a clock that was
// ahead, another life's or this one's before it was set back.
const (
	longestLease = 60_000
	longestWait  = 600_000
)

// clockTolerance is by how much the database's clock may differ from one transaction to the next, in milliseconds. That is
// more than clocks are slewed by meanwhile.
const clockTolerance = 1000

// queueClock watches the database's clock. It is safe for concurrent use.
type queueClock struct {
	elapsed func() time.Duration // by a clock that nobody sets

	mu      sync.Mutex // guards what follows
	started bool
	since   int64 // what was before is a time that nobody can vouch for
	// The database's clock is ahead of elapsed by this, at least and at most: a reading takes its time.
	low, high int64
}

// newQueueClock returns a clock that has seen nothing. A clock in place of the database's is its own witness.
func newQueueClock(now func() time.Time) *queueClock {
	if now == nil {
		now = time.Now
	}
	opened := now()
	return &queueClock{elapsed: func() time.Duration { return now().Sub(opened) }}
}

// noteTime notes that the database's clock said now when elapsed was between these two.
func (c *queueClock) noteTime(now int64, before, after time.Duration) {
	low, high := now-after.Milliseconds()-1, now-before.Milliseconds()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.started || low > c.high+clockTolerance || high < c.low-clockTolerance { // it was set
		c.started, c.since, c.low, c.high = true, now, low, high
		return
	}
	if low > c.high || high < c.low {
		c.low, c.high = low, high
		return
	}
	c.low, c.high = max(c.low, low), min(c.high, high)
}

// measureSince returns how long ago at was when the database's clock said now, at least.
func (c *queueClock) measureSince(at, now int64) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at > now+2*longestLease { // it was before the clock was set back
		at = c.since
	}
	return time.Duration(max(0, now-max(at, c.since))) * time.Millisecond
}
