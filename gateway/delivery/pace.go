// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"time"

	"golang.org/x/time/rate"
)

// Throttle learns from a log's refusals how many entries a second the log takes. Until the first one there is no limit.
// Methods are called by one goroutine at a time.
type Throttle interface {
	// TryTake reports whether one more entry may be sent now, and takes the right to it.
	TryTake() bool
	// NoteSent notes that an entry is being sent.
	NoteSent()
	// NoteRefused notes that the log has refused an entry for being busy.
	NoteRefused()
}

// pace is how fast entries may be sent to a log: as configured, as its refusals have taught, and not before it said. Its
// owner guards it.
type pace struct {
	limiter  *rate.Limiter // nil: not configured
	throttle Throttle      // nil: none
	none     bool          // no part of the configured rate is this process's now

	promised int       // of the limiter's tokens, to slots that are not used yet
	spare    int       // of the throttle's, given back
	spareAt  time.Time // when the last one was
	until    time.Time // the log said not to send before
	cutAt    time.Time // when the throttle was last told of a refusal
}

// Times of a pace.
const (
	sharePause    = time.Second            // between looks whether a part of the rate has come
	throttlePause = 25 * time.Millisecond  // between looks whether the throttle lets more through
	spareTime     = 100 * time.Millisecond // for which what was given back to it may be used
	maxDrain      = 65536                  // of the throttle's tokens dropped after the log said not to send
)

// setRate allows perSecond entries, 0 for no limit, of which at most burst come at once. A part of a limit is not saved up from the
// start on: somebody else may just have used it. No part of one is nothing at all.
func (p *pace) setRate(now time.Time, perSecond float64, burst int, part bool) {
	p.none = part && (perSecond <= 0 || burst <= 0)
	switch {
	case p.none && p.limiter != nil:
		p.limiter.SetLimitAt(now, 0)
	case p.none:
	case perSecond == 0:
		p.limiter = nil
	case p.limiter == nil:
		p.limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
		if part {
			p.limiter.AllowN(now, burst)
		}
	case p.limiter.Limit() != rate.Limit(perSecond) || p.limiter.Burst() != burst:
		p.limiter.SetLimitAt(now, rate.Limit(perSecond))
		p.limiter.SetBurstAt(now, burst)
	}
}

// take returns how many entries, of n, may be sent now. Each is then either used or given back. With none, why is one of
// Metrics.Throttled's, and again is when to ask again.
func (p *pace) take(now time.Time, n int) (granted int, why string, again time.Duration) {
	if d := p.until.Sub(now); d > 0 {
		return 0, ThrottledRetryAfter, d
	}
	if !p.until.IsZero() {
		p.until = time.Time{}
		p.drainThrottle()
	}
	if p.none {
		return 0, ThrottledRate, sharePause
	}
	if p.limiter != nil {
		tokens := p.limiter.TokensAt(now) - float64(p.promised)
		n = min(n, int(tokens))
		if n <= 0 {
			enough := float64(max(1, p.limiter.Burst()/2))
			missing := (enough - tokens) / float64(p.limiter.Limit())
			return 0, ThrottledRate, max(time.Millisecond, time.Duration(missing*float64(time.Second)))
		}
	}
	if n = p.takeThrottle(now, n); n == 0 {
		return 0, ThrottledRefusals, throttlePause
	}
	p.promised += n
	return n, "", 0
}

func (p *pace) takeThrottle(now time.Time, n int) int {
	if p.throttle == nil {
		return n
	}
	if now.Sub(p.spareAt) > spareTime {
		p.spare = 0
	}
	granted := min(p.spare, n)
	p.spare -= granted
	for granted < n && p.throttle.TryTake() {
		granted++
	}
	return granted
}

// drainThrottle drops what the throttle has saved up while nothing was sent, so that it does not go out at once.
func (p *pace) drainThrottle() {
	p.spare = 0
	for range maxDrain {
		if p.throttle == nil || !p.throttle.TryTake() {
			return
		}
	}
}

// use notes that one of those that were taken is being sent.
func (p *pace) use(now time.Time) {
	p.promised--
	if p.limiter != nil {
		p.limiter.AllowN(now, 1) // take has left room for it
	}
	if p.throttle != nil {
		p.throttle.NoteSent()
	}
}

// giveBack notes that one of those that were taken will not be sent.
func (p *pace) giveBack(now time.Time) {
	p.promised--
	if p.throttle != nil {
		p.spare++
		p.spareAt = now
	}
}

// refused notes that the log was too busy for an entry whose sending began at started, and for how long it wants none. Of
// the refusals of one round trip the throttle learns once.
func (p *pace) refused(now, started time.Time, retryAfter time.Duration) {
	if until := now.Add(retryAfter); retryAfter > 0 && until.After(p.until) {
		p.until = until
	}
	if p.throttle != nil && started.After(p.cutAt) {
		p.cutAt = now
		p.throttle.NoteRefused()
	}
}
