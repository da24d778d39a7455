// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// stall is whether a log that can be read includes nothing of what it is sent: one that is frozen, whose
// sequencing stands, or that cannot be reached where it is written to. It is safe for concurrent use.
type stall struct {
	after  time.Duration // Timing.Stalled
	trying atomic.Bool   // a probe is under way

	mu sync.Mutex // guards what follows
	// since is when the first attempt ended after which nothing was included; zero is none.
	since   time.Time
	problem string // of the last attempt
	told    bool   // the operator was told that the log stalls
}

// noteOutcome notes what came of an attempt.
func (s *stall) noteOutcome(o gateway.Outcome, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case o.Inclusion != nil || o.Fail: // it answers
		s.since = time.Time{}
	case s.since.IsZero():
		s.since = now
	}
	s.noteProblem(o.Problem == gateway.ProblemUnavailable)
}

// noteFailedProbe notes what a probe says of a log that stalls: while all that was sent is in doubt, nothing else is tried.
func (s *stall) noteFailedProbe(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.noteProblem(errors.Is(err, gateway.ErrNotSent))
}

// noteProblem notes how the last attempt failed. The caller holds mu.
func (s *stall) noteProblem(unreachable bool) {
	s.problem = gateway.ProblemStalled
	if unreachable {
		s.problem = gateway.ProblemUnavailable
	}
}

// noteIncluded notes that the log includes what it is sent.
func (s *stall) noteIncluded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = time.Time{}
}

// noteTold notes whether the operator is told that the log stalls, and reports whether that is news.
func (s *stall) noteTold(stalls bool) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	news = s.told != stalls
	s.told = stalls
	return news
}

// tellDegraded tells whether the log can be used: it can once neither of what may be wrong with it is.
func (w *worker) tellDegraded() {
	w.stall.mu.Lock()
	defer w.stall.mu.Unlock()
	w.metrics.Degraded(w.id, w.stall.told || w.health.currentProblem() != "")
}

// lasts returns for how long the log has stalled, and the problem that it is; 0 and "" where it does not.
func (s *stall) lasts(now time.Time) (time.Duration, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() {
		return 0, ""
	}
	if d := now.Sub(s.since); d >= s.after {
		return d, s.problem
	}
	return 0, ""
}

// isOnTrial reports whether a log that stalls is to be tried by what comes now. It stalls on until it includes something.
func (s *stall) isOnTrial(now time.Time) bool {
	d, _ := s.lasts(now)
	return d >= trialAfter && d%trialAfter < trialTime
}
