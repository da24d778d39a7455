// SPDX-License-Identifier: Apache-2.0

package run

import (
	"fmt"
	"sync"
	"time"
)

// pace says when a run gives up: not while anything moves, however long one submission takes.
type pace struct {
	timeout time.Duration
	now     func() time.Time

	mu       sync.Mutex // over what follows
	accepted time.Time  // when the gateway accepted something last
	logged   time.Time  // when the log took something last
	under    int        // submissions that the log has to take
	waiting  time.Time  // since when the log is waited for, and has taken nothing
	stuck    bool       // it was waited for in vain, and has taken nothing since
}

func newPace(timeout time.Duration) *pace { return &pace{timeout: timeout, now: time.Now} }

// noteAccepted notes a submission that the log has to take, until noteEnded.
func (p *pace) noteAccepted() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.accepted = p.now()
	if p.under == 0 {
		p.waiting = p.accepted
	}
	p.under++
}

// noteEnded notes that the log has taken a submission, or that nobody waits for it any more.
func (p *pace) noteEnded(logged bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under--
	if logged {
		p.logged, p.waiting, p.stuck = p.now(), p.now(), false
	}
}

// mayTryAgain reports whether a call that was begun at started, and failed for now, is worth another try after the delay that
// the gateway asks for.
func (p *pace) mayTryAgain(started time.Time, delay time.Duration) bool {
	return p.quietSince(started)+delay < p.timeout
}

// quietSince returns for how long nothing was accepted or logged, since started at most.
func (p *pace) quietSince(started time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := started
	for _, t := range []time.Time{p.accepted, p.logged} {
		if t.After(last) {
			last = t
		}
	}
	return p.now().Sub(last)
}

// explainEnd says why a call that was begun at started is not tried again: nothing has moved for too long, or would have by the time that
// the gateway asks for.
func (p *pace) explainEnd(started time.Time, delay time.Duration, err error) error {
	quiet := p.quietSince(started)
	switch {
	case quiet >= p.timeout:
		return fmt.Errorf("giving up after %v in which nothing was accepted: %w", p.timeout, err)
	case delay >= p.timeout:
		return fmt.Errorf("giving up: the gateway asks to wait for %v, and --timeout is %v: %w", delay.Round(time.Second), p.timeout, err)
	}
	return fmt.Errorf("giving up: nothing was accepted for %v, the gateway asks to wait for %v more, and --timeout is %v: %w",
		quiet.Round(time.Second), delay.Round(time.Second), p.timeout, err)
}

// mayWait reports whether the log is worth waiting for. Once it has taken nothing for too long, nobody waits until it does again.
func (p *pace) mayWait() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stuck = p.stuck || !p.now().Before(p.waiting.Add(p.timeout))
	return !p.stuck
}
