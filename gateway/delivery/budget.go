// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"cmp"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Limits are the bounds on what is sent to one log.
type Limits struct {
	InFlight int     // entries under way at once; 0: Timing's
	Rate     float64 // entries a second; 0: no limit
	Burst    int     // with Rate: entries that may be sent at once; 0: a quarter of a second's
	// Throttle learns how many entries a second the log takes. Nil: nothing is learned. It is the log's own.
	Throttle Throttle
}

// Why nothing is sent to a log although entries may be due, for Metrics.Throttled.
const (
	ThrottledBreaker    = "breaker"     // the log fails
	ThrottledRetryAfter = "retry_after" // the log said not to send before
	ThrottledRate       = "rate"        // as configured
	ThrottledRefusals   = "refusals"    // as the log's refusals have taught
	throttledInFlight   = ""            // as many are under way as may be; that is no throttling
)

// budget is what may be sent to one log. Whatever is written to it, retries and probes included, takes a slot of its budget
// first, so that nothing goes beyond it. It is safe for concurrent use.
type budget struct {
	id      string // the log's
	timing  Timing
	metrics Metrics
	flight  *flight
	breaker *gobreaker.TwoStepCircuitBreaker[any]

	mu     sync.Mutex // guards what follows; the breaker's lock and the flight's are taken within
	taken  int        // slots
	pace   *pace
	limits Limits // as configured
	share  *share // nil: all of those are this process's
	// keptUntil is until when a slot is kept for a probe.
	keptUntil time.Time
	// throttledAt is when something else than what is in flight last held back entries.
	throttledAt time.Time
}

// newBudget returns a budget within limits; where they are shared, nothing may be sent before useShare.
func newBudget(id string, limits Limits, timing Timing, metrics Metrics, shared bool) *budget {
	b := &budget{
		id: id, timing: timing, metrics: metrics,
		flight: newFlight(timing.AddTimeout), pace: &pace{throttle: limits.Throttle},
	}
	if shared {
		b.share = &share{}
	}
	b.setLimits(limits)
	b.breaker = newBreaker(timing.Reopen, func(to gobreaker.State) {
		if to == gobreaker.StateClosed {
			b.flight.rampUp()
		}
		metrics.Breaker(id, to.String())
	})
	metrics.Breaker(id, gobreaker.StateClosed.String())
	return b
}

// setLimits changes the limits; what was learned stays.
func (b *budget) setLimits(limits Limits) {
	limits.InFlight = cmp.Or(limits.InFlight, b.timing.InFlight)
	if limits.Burst == 0 {
		limits.Burst = max(1, int(limits.Rate/4))
	}
	b.flight.give(limits.InFlight)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limits = limits
	b.applyLimitsLocked(time.Now())
}

// slot is the right to one call to a log. It is either given back, or begun, ended, and freed.
type slot struct {
	budget  *budget
	done    func(error) // tells the breaker
	permit  *permit
	started time.Time
	large   bool // what is sent takes long by its size, which says nothing of how many entries the log bears
}

// takeSlots takes at most n slots. With none, why is one of the reasons above, and again is when to ask again at the latest.
func (b *budget) takeSlots(n int) (slots []*slot, why string, again time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := 0
	if time.Now().Before(b.keptUntil) {
		kept = 1
	}
	return b.takeLocked(n, kept)
}

// takeProbeSlot is takeSlots for a probe. Where as much is under way as may be, the next slot that comes free is kept for it until it comes again: whoever has an
// answer takes that slot at once else, for as long as there is a backlog.
func (b *budget) takeProbeSlot() []*slot {
	b.mu.Lock()
	defer b.mu.Unlock()
	slots, why, _ := b.takeLocked(1, 0)
	b.keptUntil = time.Time{}
	if len(slots) == 0 && why == throttledInFlight {
		b.keptUntil = time.Now().Add(2 * b.timing.Poll)
	}
	return slots
}

// takeLocked is takeSlots, but for so many slots that are kept.
func (b *budget) takeLocked(n, kept int) (slots []*slot, why string, again time.Duration) {
	defer b.reportTaken()
	now := time.Now()
	b.applyLimitsLocked(now)
	if n = min(n, b.boundLocked()-b.taken-kept); n <= 0 {
		return nil, throttledInFlight, b.timing.AddTimeout
	}
	wanted := n
	defer func() {
		if len(slots) < wanted {
			b.throttledAt = now
		}
	}()
	switch b.breaker.State() {
	case gobreaker.StateOpen:
		return nil, ThrottledBreaker, min(b.timing.Reopen, breakerPause)
	case gobreaker.StateHalfOpen:
		n = 1
	case gobreaker.StateClosed:
	}
	n, why, again = b.pace.take(now, n)
	for i := range n {
		done, err := b.breaker.Allow()
		if err != nil { // it has opened meanwhile, or its trial is under way
			for range n - i {
				b.pace.giveBack(now)
			}
			why, again = ThrottledBreaker, min(b.timing.Reopen, breakerPause)
			break
		}
		slots = append(slots, &slot{budget: b, done: done})
	}
	b.taken += len(slots)
	return slots, why, again
}

// reportTaken tells the metrics how many slots are taken. The budget's lock is held.
func (b *budget) reportTaken() { b.metrics.InFlight(b.id, b.boundLocked(), b.taken) }

// breakerPause is the longest time between looks whether an open breaker lets a call through.
const breakerPause = time.Second

// giveBackSlots gives back slots of one budget that were not begun.
func giveBackSlots(slots []*slot) {
	if len(slots) == 0 {
		return
	}
	b, now := slots[0].budget, time.Now()
	b.mu.Lock()
	for range slots {
		b.pace.giveBack(now)
	}
	b.taken -= len(slots)
	b.reportTaken()
	b.mu.Unlock()
	for _, s := range slots {
		s.done(errGivenUp)
	}
}

// begin is called when the slot's call begins.
func (s *slot) begin() {
	b := s.budget
	s.started = time.Now()
	b.mu.Lock()
	b.pace.use(s.started)
	b.mu.Unlock()
	s.permit = b.flight.begin()
}

// end is called with what came of the call: nil, an error of gateway.Log's Add, or errGivenUp.
func (s *slot) end(err error) {
	b, now := s.budget, time.Now()
	var overload *gateway.OverloadError
	if errors.As(err, &overload) {
		b.mu.Lock()
		b.pace.refused(now, s.started, overload.RetryAfter)
		b.mu.Unlock()
	}
	took := now.Sub(s.started)
	b.flight.end(s.permit, took, !s.large && (err == nil || took >= b.timing.AddTimeout))
	s.done(err)
}

// skip is called in place of begin and end where nothing is sent.
func (s *slot) skip() {
	b := s.budget
	b.mu.Lock()
	b.pace.giveBack(time.Now())
	b.mu.Unlock()
	s.done(errGivenUp)
}

// free is called when the slot's call is over.
func (s *slot) free() {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.taken--
	s.budget.reportTaken()
}

// leadAfter is for how long nothing but what is in flight must have held back entries before some are claimed ahead.
const leadAfter = time.Minute

// noteHeldBack notes that entries are held back by what the budget does not know of.
func (b *budget) noteHeldBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.throttledAt = time.Now()
}

func (b *budget) leadsLocked() bool { return time.Since(b.throttledAt) >= leadAfter }

// lead returns how many entries may be claimed ahead.
func (b *budget) lead() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.leadsLocked() {
		return 0
	}
	return b.boundLocked() / leadPart
}

// leases returns how many entries this process may have under leases: what may be under way, and a part of that ahead.
func (b *budget) leases() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	bound := b.boundLocked()
	if !b.leadsLocked() {
		return bound
	}
	return withLead(bound)
}

// leasesOfAll is leases for all processes that share the store. Of those, others may claim ahead while this one does not, and it has its part all the same.
func (b *budget) leasesOfAll() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	bound := b.boundOfAllLocked()
	if b.share == nil && !b.leadsLocked() {
		return bound
	}
	return withLead(bound)
}

func withLead(bound int) int { return min(bound+bound/leadPart, math.MaxInt32) }
