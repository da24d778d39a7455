// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"sync"
	"sync/atomic"
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
)

// clockwork is the least time that an entry counts as having taken, where the bound is to be found. A log publishes what it has integrated about once a second, and looks about as often whether
// what it has to answer was published: up to so much says how its clocks lie to each other, which drifts for minutes, and not how many entries it bears.
const clockwork = 2500 * time.Millisecond

// rampTime bounds how long a log that comes back is sent less than a given bound.
const rampTime = time.Minute

// flight bounds the entries under way to a log. Without a given bound, it is what the library finds from the latencies of
// those that are logged: it grows while throughput does, and shrinks as latency rises without it, beyond clockwork. It is safe for concurrent use.
type flight struct {
	limiter adaptivelimiter.AdaptiveLimiter[any]
	given   atomic.Int64  // 0: to be found
	longest time.Duration // that a log should take for an entry
	latency atomic.Int64  // of the last one that counted: a time.Duration

	mu         sync.Mutex // guards what follows
	sending    int        // calls under way
	permits    int        // of the limiter's, each stands for flightStep of those; without a given bound, one is given back after clockwork at the earliest
	unmeasured int        // calls that began since one got a permit
	rampUntil  time.Time  // a given bound is not used up before
}

// newFlight returns a flight whose bound is to be found, so that a log answers well within addTimeout.
func newFlight(addTimeout time.Duration) *flight {
	f := &flight{longest: addTimeout / 4}
	// Windows end with samples, not with time: a log answers in bursts, one for each checkpoint. The baseline is an average
	// over 2000 samples, so over 128,000 entries.
	f.limiter = adaptivelimiter.NewBuilder[any]().
		WithLimits(1, MaxInFlight/flightStep, flightStart/flightStep).
		WithMaxLimitFunc(f.capLimit).
		WithRecentWindow(1, 1, 2).WithRecentQuantile(0.5).
		WithBaselineWindow(1000).WithCorrelationWindow(200).
		Build()
	return f
}

// capLimit returns the largest limit that the library may set with so many of its units under way: three times as many, and no
// more than the log gets done in time.
func (f *flight) capLimit(underWay int) float64 {
	inTime := float64(f.longest) / float64(max(1, f.latency.Load()))
	limit := float64(underWay) * min(3, inTime)
	if inTime > 1 { // one unit more is not too many, and a limit of one unit must not stay that for ever
		limit = max(limit, float64(underWay+1))
	}
	return limit
}

// bound returns how many entries may be under way.
func (f *flight) bound() int {
	found := f.limiter.Limit() * flightStep
	given := int(f.given.Load())
	if given == 0 {
		return found
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if time.Now().Before(f.rampUntil) && found < given {
		return found
	}
	f.rampUntil = time.Time{}
	return given
}

// give sets the bound, 0 for one that is to be found. What was learned under a given one took no account of clockwork.
func (f *flight) give(bound int) {
	if f.given.Swap(int64(bound)) != 0 && bound == 0 {
		f.limiter.Reset()
	}
}

// rampUp begins anew, after a time in which nothing was sent.
func (f *flight) rampUp() {
	f.limiter.Reset()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rampUntil = time.Now().Add(rampTime)
}

// begin notes a call, and returns the permit that the call ends with. It is nil for all but one of flightStep, so that what is measured is spread over all that
// a checkpoint answers.
func (f *flight) begin() adaptivelimiter.Permit {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sending++
	f.unmeasured++
	if f.permits > 0 && (f.sending <= f.permits*flightStep || f.unmeasured < flightStep) {
		return nil
	}
	permit, ok := f.limiter.TryAcquirePermit()
	if !ok {
		return nil
	}
	f.permits++
	f.unmeasured = 0
	return permit
}

// end notes the end of a call that took so long, which counts when measured is set.
func (f *flight) end(permit adaptivelimiter.Permit, took time.Duration, measured bool) {
	f.mu.Lock()
	f.sending--
	f.mu.Unlock()
	switch {
	case permit == nil:
	case !measured:
		f.giveBack(permit.Drop)
	case took >= clockwork || f.given.Load() != 0: // a log that comes back is soon sent as many as are given
		f.latency.Store(int64(took))
		f.giveBack(permit.Record)
	default:
		f.latency.Store(int64(took))
		time.AfterFunc(clockwork-took, func() { f.giveBack(permit.Record) })
	}
}

// giveBack gives back a permit by one of its methods.
func (f *flight) giveBack(by func()) {
	f.mu.Lock()
	f.permits--
	f.mu.Unlock()
	by()
}
