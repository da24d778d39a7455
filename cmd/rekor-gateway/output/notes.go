// SPDX-License-Identifier: Apache-2.0

package output

import (
	"io"
	"strings"
	"sync"
	"time"
)

// SayAfter is how long a command waits before it says what for.
const SayAfter = 2 * time.Second

// Notes are what a command says beside its result. They may come from several goroutines.
type Notes struct {
	mu   sync.Mutex // over what follows
	to   io.Writer
	why  string    // of the last SayRetrying that was printed, without its details
	when time.Time // that was printed; zero: none was
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

// Pauses between two lines that say why there has to be another try: for the same reason, and for another one, so that whoever waits for long
// learns what for now, and not only what it was at first.
const (
	sayAgainAfter = time.Minute
	sayOtherAfter = 10 * time.Second
)

// SayRetrying says why there has to be another try, unless that was said just now.
func (n *Notes) SayRetrying(err error, _ time.Duration) {
	text := OneLine(err.Error())
	why, _, _ := strings.Cut(text, ":") // a refusal begins with its reason
	n.mu.Lock()
	defer n.mu.Unlock()
	pause := sayOtherAfter
	if why == n.why {
		pause = sayAgainAfter
	}
	now := time.Now()
	if !n.when.IsZero() && now.Sub(n.when) < pause {
		return
	}
	n.why, n.when = why, now
	Line(n.to, "waiting: %s; trying again", text)
}
