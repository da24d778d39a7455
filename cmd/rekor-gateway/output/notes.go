// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"sync"
	"time"
)

// SayAfter is how long a command waits before it says what for.
const SayAfter = 2 * time.Second

// Notes are what a command says beside its result. They may come from several goroutines.
type Notes struct {
	mu      sync.Mutex
	to      io.Writer
	retried bool
}

// NewNotes returns notes that are printed to to.
func NewNotes(to io.Writer) *Notes { return &Notes{to: to} }

// Say prints a line.
func (n *Notes) Say(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	Line(n.to, format, args...)
}

// SayJSON prints v on a line.
func (n *Notes) SayJSON(v any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = JSON(n.to, v) // nobody is left to hear of it
}

// SayWaiting says what is waited for, unless done is called before that takes long.
func (n *Notes) SayWaiting(what string) (done func()) {
	timer := time.AfterFunc(SayAfter, func() { n.Say("waiting: %s", what) })
	return func() { timer.Stop() }
}

// SayRetrying says once why there has to be another try.
func (n *Notes) SayRetrying(err error, _ time.Duration) {
	n.mu.Lock()
	first := !n.retried
	n.retried = true
	n.mu.Unlock()
	if first {
		n.Say("waiting: %s; trying again", OneLine(err.Error()))
	}
}
