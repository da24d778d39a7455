// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"github.com/failsafe-go/failsafe-go/adaptivelimiter"
)

// Bounds on the entries under way to one log, where the bound is found and not given.
const (
	// MaxInFlight is the largest bound that is found.
	MaxInFlight = 4096
	// flightStep is the unit of the library's limit, and its least. The library moves its limit by a unit or two at a time,
	// and looks for a trend in a few units' latencies; single entries would take it minutes to get from 256 to 4096.
	flightStep = 64
	// flightStart is the bound that a log begins with, and begins with again when it comes back.
	flightStart = 256
	// largeStart is from where on a bound is large, and largeEnd until where it stays so.
	largeStart, largeEnd = 1024, 768
)

// clockwork is the least time that an entry counts as having taken under a large bound. A log publishes what it has integrated about once a second, and looks about as often
// whether what it has to answer was published: up to so much says how its clocks lie to each other, which drifts for minutes, and not how many entries it bears. A log that
// answers a thousand at once within that bears more. A small bound does without, since what counts as long is known late: it has to grow fast.
const clockwork = 2500 * time.Millisecond

// finder finds a bound within its own, from the latencies of some of the entries.
type finder struct {
	adaptivelimiter.AdaptiveLimiter[any]
	least time.Duration // that an entry counts as having taken
}

// newFinder returns a finder of bounds from least to most, which begins with start. maxLimit returns its largest limit with so many units under way.
func newFinder(least, start, most uint, maxLimit func(underWay int) float64) finder {
	// Windows end with samples, not with time: a log answers in bursts, one for each checkpoint. The baseline is an average
	// over 2000 samples, so over 128,000 entries.
	return finder{AdaptiveLimiter: adaptivelimiter.NewBuilder[any]().
		WithLimits(least/flightStep, most/flightStep, start/flightStep).
		WithMaxLimitFunc(maxLimit).
		WithRecentWindow(1, 1, 2).WithRecentQuantile(0.5).
		WithBaselineWindow(1000).WithCorrelationWindow(200).
		Build()}
}

// bound returns how many entries may be under way.
func (f *finder) bound() int { return f.Limit() * flightStep }

// tryAcquire returns a permit, or nil.
func (f *finder) tryAcquire() *permit {
	p, ok := f.TryAcquirePermit()
	if !ok {
		return nil
	}
	return &permit{p, f.least}
}

// permit is that of a call which is measured.
type permit struct {
	adaptivelimiter.Permit
	least time.Duration // that the call counts as having taken
}
