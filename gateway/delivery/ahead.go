// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"slices"
	"sync"
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

// add adds entries. What yields is sent after what does not.
func (a *ahead) add(sends []*send) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range sends {
		at := len(a.waits)
		if !s.Yields {
			for at > 0 && a.waits[at-1].Yields {
				at--
			}
		}
		a.waits = slices.Insert(a.waits, at, s)
	}
}

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

// next takes out the entry to send next; nil: none waits here.
func (a *ahead) next() *send {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || len(a.waits) == 0 {
		return nil
	}
	s := a.waits[0]
	a.waits[0] = nil
	a.waits = a.waits[1:]
	return s
}

// takeAll takes out all entries.
func (a *ahead) takeAll() []*send {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.waits
	a.waits = nil
	return all
}

// keepAhead keeps those of sends that have no slot, and returns the others.
func (w *worker) keepAhead(sends []*send) []*send {
	n := 0
	for n < len(sends) && sends[n].slot != nil {
		n++
	}
	w.ahead.add(sends[n:])
	return sends[:n]
}

// nextAhead returns the entry to send next of those that were claimed ahead, with its slot; nil: there is none, or it may not be sent now.
func (w *worker) nextAhead() *send {
	if w.ahead.isEmpty() || !w.budget.hasShare() || !w.health.canBeRead() {
		return nil
	}
	slots, _, _ := w.budget.takeSlots(1)
	if len(slots) == 0 {
		return nil
	}
	s := w.ahead.next()
	if s == nil {
		giveBackSlots(slots)
		return nil
	}
	s.slot = slots[0]
	return s
}

// returnAhead has what was claimed ahead wait in its line again, as if it had not been claimed. So whatever keeps a log from being sent to finds no more under
// leases than what was sent.
func (w *worker) returnAhead() {
	for _, s := range w.ahead.takeAll() {
		w.outcomes <- untried(s, 0)
	}
}
