// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"slices"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// leadPart is what part of the entries under way may be claimed ahead. A log answers all that a checkpoint includes one after the other, so that more must be at
// hand than is answered in the time that outcomes and a claim take the store; what is claimed ahead is in doubt, too, after a crash.
const leadPart = 4

// ahead are entries that were claimed ahead of the slots for them: who has an answer sends the next one at once, and not after a claim. Their
// leases run meanwhile. It is safe for concurrent use.
type ahead struct {
	mu     sync.Mutex // guards what follows
	waits  []*send    // those to send first first
	closed bool       // none of them is sent any more
}

// add adds entries. What yields is sent after what does not, until it has done so for gateway.BackfillAge.
func (a *ahead) add(sends []*send) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := len(a.waits) // looked for once: a thousand that yield, each asked for its age again for each of hundreds, would take longer than a claim
	for at > 0 && a.waits[at-1].stillYields() {
		at--
	}
	for _, s := range sends {
		if s.Yields {
			a.waits = append(a.waits, s)
			continue
		}
		a.waits = slices.Insert(a.waits, at, s)
		at++
	}
}

func (s *send) stillYields() bool { return s.Yields && s.since.Elapsed() < gateway.BackfillAge }

// close has what waits here, and what may still come, be not sent.
func (a *ahead) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

// isEmpty reports whether no entry waits here.
func (a *ahead) isEmpty() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waits) == 0
}

// isFor reports whether what is sent next is for a shard.
func (a *ahead) isFor(shard gateway.Shard) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waits) > 0 && a.waits[0].Shard == shard
}

// take takes out up to n entries, those to send next.
func (a *ahead) take(n int) []*send {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	n = min(n, len(a.waits))
	next := slices.Clone(a.waits[:n])
	clear(a.waits[:n])
	a.waits = a.waits[n:]
	return next
}

// cut takes out all but n entries, those to send last.
func (a *ahead) cut(n int) []*send {
	a.mu.Lock()
	defer a.mu.Unlock()
	n = min(n, len(a.waits))
	rest := slices.Clone(a.waits[n:])
	clear(a.waits[n:])
	a.waits = a.waits[:n]
	return rest
}

// takeAhead takes out entries to send next, each with one of slots, and returns the slots that are left over.
func (w *worker) takeAhead(slots []*slot) (next []*send, left []*slot) {
	next = w.ahead.take(len(slots))
	for i, s := range next {
		s.slot = slots[i]
	}
	return next, slots[len(next):]
}

// nextAhead returns the entry to send next of those that were claimed ahead, with its slot; nil: there is none, or it may not be sent now.
func (w *worker) nextAhead() *send {
	if !w.ahead.isFor(w.log.Describe().Shard) || !w.budget.hasShare() || !w.health.canBeRead() {
		return nil
	}
	slots, _, _ := w.budget.takeSlots(1)
	next, left := w.takeAhead(slots)
	giveBackSlots(left)
	if len(next) == 0 {
		return nil
	}
	return next[0]
}

// returnAhead has all that was claimed ahead but so many entries wait in its line again, as if it had not been claimed. So whatever keeps a log from being sent to
// finds no more under leases than what was sent. It does not wait for the store, which may take none of it.
func (w *worker) returnAhead(but int) {
	rest := w.ahead.cut(but)
	if len(rest) == 0 {
		return
	}
	w.sending.Go(func() {
		for _, s := range rest {
			w.outcomes <- untried(s, 0)
		}
	})
}

// holdBack returns all that was claimed ahead, of a log that is not to be sent to now. Nothing is claimed ahead for a while then, so that a log of which that is
// so now and then does not have entries come and go.
func (w *worker) holdBack() {
	if !w.ahead.isEmpty() {
		w.budget.noteHeldBack()
	}
	w.returnAhead(0)
}
