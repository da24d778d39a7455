// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"log/slog"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Config is what a Delivery is made of.
type Config struct {
	Logs  []gateway.Log
	Store gateway.Work
	// Blobs has the artifacts with which entries are sent, for the time that this may take. Nil: there are none.
	Blobs gateway.Blobs
	// Changed is called with how far submissions are that have got on. It must not block.
	Changed func([]gateway.Progress)
	// Probe makes a new entry of no meaning for a log, which shows that the log still takes entries. Nil:
	// doubts wait for an entry of somebody's.
	Probe    func(ctx context.Context, log gateway.Log) (gateway.Prepared, error)
	Failover []Failover
	// Elsewhere are the IDs of logs that are not delivered to, and whose entries do not wait for that.
	Elsewhere []string
	Timing    Timing
	// Limits returns those of a log, by its ID. Nil: Timing's, and no others.
	Limits func(log string) Limits
	// Shared: processes share the limits, and this one keeps to what UseShares gives it of them.
	Shared  bool
	Metrics Metrics
	Logger  *slog.Logger
}

// Timing tunes the workers. What operators may set has its defaults in package config; the others are 0
// for the defaults given here.
type Timing struct {
	InFlight   int           // entries under way at once per log, over all processes; 0: a bound is found
	AddTimeout time.Duration // for one entry to be included, and gateway.SendTime more of one that is sent with its artifact
	Drain      time.Duration // how long entries under way may take at shutdown
	Lease      time.Duration // after which another process takes over from a dead one: gateway.SendLease
	Poll       time.Duration // how often to look for work that nobody announced: 1 s
	ProbeAfter time.Duration // how long a doubt waits for somebody's entry before a probe is sent: 10 s
	Idle       time.Duration // how often a log is read at least: 30 s
	Stalled    time.Duration // after which a log that includes nothing of what it is sent counts as one that stalls: 30 s
	Reopen     time.Duration // how long nothing is sent to a log that fails, before one entry is tried: 3 s
}

func (t Timing) withDefaults() Timing {
	if t.Lease == 0 {
		t.Lease = gateway.SendLease
	}
	if t.Poll == 0 {
		t.Poll = time.Second
	}
	if t.ProbeAfter == 0 {
		t.ProbeAfter = 10 * time.Second
	}
	if t.Idle == 0 {
		t.Idle = 30 * time.Second
	}
	if t.Stalled == 0 {
		t.Stalled = 30 * time.Second
	}
	if t.Reopen == 0 {
		t.Reopen = 3 * time.Second
	}
	return t
}

func (c Config) limitsOf(log string) Limits {
	if c.Limits == nil {
		return Limits{}
	}
	return c.Limits(log)
}

// Logged is the outcome of an attempt that ended well, as Metrics.Attempted is told of it.
const Logged = "logged"

// Metrics are what workers count; every field may be nil.
type Metrics struct {
	// Attempted counts an attempt to log an entry that ended; outcome is Logged or a gateway.Problem.
	Attempted func(log, outcome string, d time.Duration)
	// Halted reports whether submissions to the log are stopped because it is forked.
	Halted func(log string, halted bool)
	// Degraded: the log cannot be used, so that entries wait, or can again.
	Degraded func(log string, degraded bool)
	// InDoubt is how many entries are in doubt: in the log's shard, and in others, where this process
	// cannot settle them.
	InDoubt func(log string, here, elsewhere int)
	// Settled counts doubts that ended: found in the log, or proven absent and sent again.
	Settled func(log string, found, absent int)
	// Doubled counts entries that were met in the log a second time.
	Doubled func(log string, n int)
	// FailedOver counts submissions that were handed on from a log that could not be used.
	FailedOver func(from, to string, submissions int)
	// InFlight is how many entries may be under way to the log, and how many are.
	InFlight func(log string, bound, taken int)
	// Breaker is whether entries are sent to the log: "closed", they are; "open", nothing is, since it
	// fails; "half-open", one is tried.
	Breaker func(log, state string)
	// Throttled counts time in which nothing was sent to the log, and why: one of the constants named
	// after it. Entries may have been due, or not.
	Throttled func(log, why string, d time.Duration)
}

// withDefaults replaces fields that are nil.
func (m Metrics) withDefaults() Metrics {
	if m.Attempted == nil {
		m.Attempted = func(string, string, time.Duration) {}
	}
	if m.Halted == nil {
		m.Halted = func(string, bool) {}
	}
	if m.Degraded == nil {
		m.Degraded = func(string, bool) {}
	}
	if m.InDoubt == nil {
		m.InDoubt = func(string, int, int) {}
	}
	if m.Settled == nil {
		m.Settled = func(string, int, int) {}
	}
	if m.Doubled == nil {
		m.Doubled = func(string, int) {}
	}
	if m.FailedOver == nil {
		m.FailedOver = func(string, string, int) {}
	}
	if m.InFlight == nil {
		m.InFlight = func(string, int, int) {}
	}
	if m.Breaker == nil {
		m.Breaker = func(string, string) {}
	}
	if m.Throttled == nil {
		m.Throttled = func(string, string, time.Duration) {}
	}
	return m
}
