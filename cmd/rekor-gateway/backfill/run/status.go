// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
)

// runStatus tells how far a run is: by a bar on a terminal, else by lines of JSON.
type runStatus struct {
	flags    *Options
	out      io.Writer // for results
	told     *output.Notes
	terminal io.Writer // nil: there is none
	counts   *counts
	started  time.Time

	mu    sync.Mutex // over what follows, and what is printed
	bar   *progressbar.ProgressBar
	total int64 // of signatures; 0 before it is known
}

// How often the state is told.
const (
	barInterval  = 200 * time.Millisecond
	lineInterval = 10 * time.Second
)

func (f *Options) newStatus(out io.Writer, told *output.Notes, terminal io.Writer, c *counts) *runStatus {
	return &runStatus{flags: f, out: out, told: told, terminal: terminal, counts: c, started: time.Now()}
}

// start tells the state now and then, until stop is called.
func (s *runStatus) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var under sync.WaitGroup
	interval := lineInterval
	if s.terminal != nil {
		interval = barInterval
		s.bar = progressbar.NewOptions64(-1,
			progressbar.OptionSetWriter(s.terminal), progressbar.OptionSetDescription(describeBar(0)), progressbar.OptionShowCount(), progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("signatures"), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(barInterval),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetRenderBlankState(true),
		)
		if s.flags.Manifest != StandardInput { // which can be read once
			under.Go(func() { s.countAll(ctx) })
		}
	}
	under.Go(func() {
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks.C:
				s.show()
			}
		}
	})
	return func() {
		cancel()
		under.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bar != nil {
			_ = s.bar.Finish() // only drawn
		}
	}
}

// countAll finds out how many signatures there are, beside the run: without that nobody can say how long it takes.
func (s *runStatus) countAll(ctx context.Context) {
	everything, closeItems, err := s.flags.list(ctx)
	if err != nil {
		return // the run says so
	}
	defer closeItems()
	total := int64(0)
	for _, err := range everything {
		if err != nil || ctx.Err() != nil {
			return
		}
		total++
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = total
	s.bar.ChangeMax64(max(total, 1))
}

// statusLine is the state as JSON.
type statusLine struct {
	MessageType      string  `json:"messageType"` // "status", or "summary" at the end
	SecondsElapsed   float64 `json:"secondsElapsed"`
	SecondsRemaining float64 `json:"secondsRemaining"` // 0: not known
	Total            int64   `json:"total"`            // 0: not known
	Handled          int64   `json:"handled"`
	Logged           int64   `json:"logged"`
	Done             int64   `json:"done"`
	Refused          int64   `json:"refused"`
	Pending          int64   `json:"pending"`
	Unsent           int64   `json:"unsent"`
	Waiting          int64   `json:"waiting"` // accepted, and waits for the log: not handled yet
	Rate             float64 `json:"rate"`    // signatures handled a second, since the start
	Report           string  `json:"report,omitempty"`
}

func (s *runStatus) line(kind string) statusLine {
	c := s.counts
	l := statusLine{
		MessageType: kind, SecondsElapsed: time.Since(s.started).Seconds(), Total: s.total, Handled: c.total(),
		Logged: c.logged.Load(), Done: c.done.Load(), Refused: c.refused.Load(), Pending: c.pending.Load(), Unsent: c.unsent.Load(),
		Waiting: c.waiting.Load(),
	}
	if l.SecondsElapsed > 0 {
		l.Rate = float64(l.Handled) / l.SecondsElapsed
	}
	if l.Rate > 0 && l.Total > l.Handled {
		l.SecondsRemaining = float64(l.Total-l.Handled) / l.Rate
	}
	return l
}

// show tells the state.
func (s *runStatus) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.bar != nil:
		s.bar.Describe(describeBar(s.counts.waiting.Load()))
		_ = s.bar.Set64(s.counts.total()) // only drawn
	case s.flags.JSON:
		_ = output.JSON(s.out, s.line("status")) // nobody is left to hear of it
	case !s.flags.Quiet:
		s.told.SayJSON(s.line("status"))
	}
}

// describeBar returns what stands before the bar, which stands still while a log has all that was accepted and no receipts yet.
func describeBar(waiting int64) string {
	if waiting == 0 {
		return "signatures"
	}
	return fmt.Sprintf("signatures (%d wait for the log)", waiting)
}

// errorLine says of a signature why it is not logged, as JSON.
type errorLine struct {
	MessageType string `json:"messageType"` // "error"
	outcome
}

// tell says what became of a signature that is not logged.
func (s *runStatus) tell(o outcome) {
	if o.State != stateRefused {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bar != nil {
		_ = s.bar.Clear() // only drawn
	}
	if s.flags.JSON {
		_ = output.JSON(s.out, errorLine{"error", o}) // nobody is left to hear of it
		return
	}
	s.told.Say("%s: %s: %s", o.Name, o.Reason, o.Message)
	if o.Hint != "" {
		s.told.Say("  hint: %s", o.Hint)
	}
}

// summarize prints what became of all.
func (s *runStatus) summarize(report string, failed error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.line("summary")
	l.Total, l.SecondsRemaining, l.Report = l.Handled, 0, report
	if s.flags.JSON {
		if failed == nil {
			return output.JSON(s.out, l)
		}
		raw, err := json.Marshal(l)
		if err != nil {
			return err
		}
		return fault.NewWithResult(failed, raw)
	}
	if s.flags.Quiet {
		return failed
	}
	output.Line(s.out, "%d signatures: %d logged, %d done before, %d refused, %d not logged yet, %d not sent", l.Handled, l.Logged, l.Done, l.Refused, l.Pending, l.Unsent)
	if report != "" {
		output.Line(s.out, "report in %s", report)
	}
	return failed
}
