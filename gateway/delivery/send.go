// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
)

// result is an outcome, with what the operator is told of it.
type result struct {
	gateway.Outcome
	leaf    gateway.LeafHash
	attempt int
	err     error // nil: logged, or not tried
}

// sendEntries sends an entry, and then what was claimed ahead, for as long as the log answers: where it does not, what that means for others is seen first.
func (w *worker) sendEntries(s *send) {
	for s != nil {
		r := w.sendEntry(s)
		if s = nil; r.Inclusion != nil {
			s = w.nextAhead()
		}
		w.outcomes <- r
	}
}

// sendEntry adds one entry to the log and returns the outcome. Thousands wait here at once for their log to answer, so that what the stack of one
// takes counts: what is large is passed by reference, and what becomes of the answer is decided elsewhere.
func (w *worker) sendEntry(s *send) *result {
	slot := s.slot
	defer slot.free()
	more, done, pause := w.takeTurn(s)
	if pause > 0 {
		slot.skip()
		return untried(s, pause)
	}
	defer done()
	slot.large = more >= time.Second
	ctx, cancel := context.WithTimeout(s.ctx, w.timing.AddTimeout+more)
	defer cancel()
	slot.begin()
	if s.LastSentAt.IsZero() {
		w.shards.canariesOf(s.Shard).noteSent(slot.started)
	}
	inclusion, err := w.addEntry(ctx, s)
	return w.noteAnswer(s, inclusion, err)
}

// untried is what becomes of an entry that was not sent, and may be after a pause.
func untried(s *send, pause time.Duration) *result {
	return &result{
		Outcome: gateway.Outcome{EntryID: s.ID, Fence: s.Fence, Retry: true, RetryIn: pause, Untried: true, Problem: s.Problem}, leaf: s.LeafHash, attempt: s.Attempts,
	}
}

// noteAnswer returns what becomes of an entry that was sent, and notes what its answer says of the log.
func (w *worker) noteAnswer(s *send, inclusion *gateway.Inclusion, err error) *result {
	slot := s.slot
	started := slot.started
	ofEntry := errors.Is(err, gateway.ErrUnreadable) || errors.Is(err, gateway.ErrOtherKind) || errors.Is(err, gateway.ErrTooLarge) // that says nothing of the log
	if s.ctx.Err() != nil || ofEntry {
		slot.end(errGivenUp)
	} else {
		slot.end(err)
	}
	killpoint.Reach(killpoint.Answered)
	if err == nil && s.LastSentAt.IsZero() && inclusion.Index >= *s.SentAtTreeSize {
		w.shards.canariesOf(s.Shard).addLogged(started, inclusion.Index)
	}
	delay := retryDelay(s.Attempts, w.longestRetry(time.Now()))
	r := &result{Outcome: decideOutcome(&s.Claimed, inclusion, err, delay), leaf: s.LeafHash, attempt: s.Attempts, err: err}
	w.countAttempt(r.Outcome, time.Since(started))
	if !ofEntry {
		w.size.noteOutcome(s.Shard, r.Outcome)
		w.noteWriting(r.Outcome, err)
		w.stall.noteOutcome(r.Outcome, time.Now())
	}
	if !r.Retry {
		r.Next = w.next()
	}
	return r
}

func (w *worker) addEntry(ctx context.Context, s *send) (*gateway.Inclusion, error) {
	ctx = gateway.WithSendCheck(ctx, func() error { return w.held.checkLease(s) })
	if err := gateway.CheckSend(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", gateway.ErrNotSent, err)
	}
	if s.Body == nil {
		return nil, gateway.ErrUnreadable
	}
	inclusion, err := w.log.Add(ctx, s.Shard, s.Prepared())
	if err != nil {
		return nil, err
	}
	return inclusion, gateway.CheckInclusion(inclusion)
}

func (w *worker) countAttempt(o gateway.Outcome, d time.Duration) {
	name := Logged
	if o.Inclusion == nil {
		name = o.Problem
	}
	w.metrics.Attempted(w.id, name, d)
}
