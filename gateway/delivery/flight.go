// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"sync"
	"sync/atomic"
	"time"
)

// rampTime bounds how long a log that comes back is sent less than a given bound.
const rampTime = time.Minute

// flight bounds the entries under way to a log. Without a given bound, it is what finders find from the latencies of
// those that are logged: it grows while throughput does, and shrinks as latency rises without it. It is safe for concurrent use.
type flight struct {
	small, large finder
	given        atomic.Int64  // 0: to be found
	longest      time.Duration // that a log should take for an entry
	latency      atomic.Int64  // of the last one that counted: a time.Duration
	sending      atomic.Int64  // calls under way

	mu         sync.Mutex // guards what follows; the finders' locks are taken within
	finder     *finder    // that is in use: one of those
	permits    int        // of finders; each stands for flightStep calls
	unmeasured int        // calls that began since one got a permit
	rampUntil  time.Time  // a given bound is not used up before
}

// newFlight returns a flight whose bound is to be found, so that a log answers well within addTimeout.
func newFlight(addTimeout time.Duration) *flight {
	f := &flight{longest: addTimeout / 4}
	f.small, f.large = newFinder(flightStep, flightStart, largeStart, f.capLimit), newFinder(largeEnd, largeStart, MaxInFlight, f.capLimit)
	f.large.least = clockwork
	f.finder = &f.small
	return f
}

// capLimit returns the largest limit that a finder may set with so many of its units under way: three times as many, and no
// more than the log gets done in time.
func (f *flight) capLimit(underWay int) float64 {
	underWay = max(underWay, int(f.sending.Load())/flightStep) // what is under way may have begun before this finder was in use
	inTime := float64(f.longest) / float64(max(1, f.latency.Load()))
	limit := float64(underWay) * min(3, inTime)
	if inTime > 1 { // one unit more is not too many, and a limit of one unit must not stay that for ever
		limit = max(limit, float64(underWay+1))
	}
	return limit
}

// bound returns how many entries may be under way.
func (f *flight) bound() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chooseFinderLocked()
	found := f.finder.bound()
	given := int(f.given.Load())
	if given == 0 {
		return found
	}
	if time.Now().Before(f.rampUntil) && found < given {
		return found
	}
	f.rampUntil = time.Time{}
	return given
}

// chooseFinderLocked has the next finder in use where the bound is at the end of the one that is.
func (f *flight) chooseFinderLocked() {
	switch bound := f.finder.bound(); {
	case f.finder == &f.small && bound >= largeStart:
		f.large.Reset()
		f.finder = &f.large
	case f.finder == &f.large && bound <= largeEnd, f.finder == &f.small && bound <= flightStep && f.isQuick():
		f.findAnewLocked()
	}
}

// isQuick reports whether the log answers soon. At its least bound the library goes by what it saw in hundreds of answers before, which may have come when the log was slow.
func (f *flight) isQuick() bool { return time.Duration(f.latency.Load()) < clockwork }

// findAnewLocked has the bound begin with flightStart again.
func (f *flight) findAnewLocked() {
	f.small.Reset()
	f.finder = &f.small
}

// give sets the bound, 0 for one that is to be found. What was learned under a given one took no account of clockwork.
func (f *flight) give(bound int) {
	if f.given.Swap(int64(bound)) != 0 && bound == 0 {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.findAnewLocked()
	}
}

// rampUp begins anew, after a time in which nothing was sent.
func (f *flight) rampUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.findAnewLocked()
	f.rampUntil = time.Now().Add(rampTime)
}

// begin notes a call, and returns the permit that the call ends with. It is nil for all but one of flightStep, so that what is measured is spread over all that
// a checkpoint answers.
func (f *flight) begin() *permit {
	f.mu.Lock()
	defer f.mu.Unlock()
	sending := int(f.sending.Add(1))
	f.unmeasured++
	if f.permits > 0 && (sending <= f.permits*flightStep || f.unmeasured < flightStep) {
		return nil
	}
	p := f.finder.tryAcquire()
	if p == nil {
		return nil
	}
	f.permits++
	f.unmeasured = 0
	return p
}

// end notes the end of a call that took so long, which counts when measured is set.
func (f *flight) end(p *permit, took time.Duration, measured bool) {
	f.sending.Add(-1)
	if p == nil {
		return
	}
	if !measured {
		f.giveBack(p.Drop)
		return
	}
	f.latency.Store(int64(took))
	if took >= p.least || f.given.Load() != 0 { // a log that comes back is soon sent as many as are given
		f.giveBack(p.Record)
		return
	}
	time.AfterFunc(p.least-took, func() { f.giveBack(p.Record) })
}

// giveBack gives back a permit by one of its methods.
func (f *flight) giveBack(by func()) {
	f.mu.Lock()
	f.permits--
	f.mu.Unlock()
	by()
}
