// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"log/slog"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Config is what a Delivery is made of.
type Config struct {
	Logs  []gateway.Log
	Store gateway.Work
	// Changed is called with the IDs of submissions that were settled or changed. It must not block.
	Changed func(ids []string)
	Timing  Timing
	Metrics Metrics
	Logger  *slog.Logger
}

// Timing tunes the workers. What operators may set has its defaults in package config; Lease and
// Poll are 0 for the defaults given here.
type Timing struct {
	InFlight    int           // entries leased at once per log, over all processes
	AddTimeout  time.Duration // for one entry to be included
	SettleAfter time.Duration // after an unknown outcome, how long the log may still include it
	Drain       time.Duration // how long entries under way may take at shutdown
	Lease       time.Duration // after which another process takes over from a dead one: 15 s
	Poll        time.Duration // how often to look for work that nobody announced: 1 s
}

func (t Timing) withDefaults() Timing {
	if t.Lease == 0 {
		t.Lease = 15 * time.Second
	}
	if t.Poll == 0 {
		t.Poll = time.Second
	}
	return t
}

// Metrics are what workers count; every field may be nil.
type Metrics struct {
	// Attempted counts an attempt to log an entry that ended; outcome is "logged" or a gateway.Problem.
	Attempted func(log, outcome string, d time.Duration)
	// Halted reports whether submissions to the log are stopped because it is forked.
	Halted func(log string, halted bool)
	// Degraded: the log does not let this gateway in, so that entries wait, or does again.
	Degraded func(log string, degraded bool)
}
