// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// EndingConfig is what an Ending is made of. Every field is needed, Counted aside.
type EndingConfig struct {
	Log   string // the ID of the own log that ends
	To    *Log   // the one that takes over
	Store interface {
		Store
		Stats(ctx context.Context) (gateway.Stats, error)
	}
	// AnchorShards returns where anchors of the log that ends are.
	AnchorShards func() ([]AnchorShard, error)
	// Counted: indexes of the one that takes over begin where the log ends. It does not end then while its end may not be what was shown of it.
	Counted bool
	// Changed is called with what has become Logged, or has gone over. It must not block.
	Changed func([]gateway.Progress)
	Logger  *slog.Logger
}

// Ending ends an own log for which another one has taken over: its last anchor is awaited, since what that covers is logged, and looked at as
// keepLast says; then it is closed,
// and what waits for it goes over. No key of the log is needed for that. Other gateways on the store may still record in it until then,
// and be sent more for it after: that goes over, too.
type Ending struct {
	keeper
	cfg     EndingConfig
	guard   guard
	trouble atomic.Pointer[string] // a gateway.Trouble, nil for none
	unknown atomic.Bool            // the store has no such log, which was said
	told    bool                   // what keeps it from ending, which was said; of Run alone
}

// NewEnding returns one in which nothing happens until Run.
func NewEnding(cfg EndingConfig) *Ending {
	e := &Ending{cfg: cfg, keeper: keeper{Reader: NewReader(cfg.Store, cfg.Log), store: cfg.Store, changed: cfg.Changed, logger: cfg.Logger}}
	e.guard.id, e.guard.store, e.guard.shards, e.guard.anchors, e.guard.logger = cfg.Log, cfg.Store, cfg.AnchorShards, cfg.To.cfg.Anchors, cfg.Logger
	return e
}

// closeSize bounds the entries that go over in one transaction.
const closeSize = 1024

// Run ends the log, and has go over what comes for it, until ctx ends.
func (e *Ending) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		done, err := e.work(ctx)
		if ctx.Err() == nil {
			e.noteTrouble(ctx, done, err)
		}
		switch {
		case isOlder(err):
			timer.Reset(doubtTime)
		case done:
			timer.Reset(idleTime)
		default:
			timer.Reset(pollTime)
		}
	}
}

// Trouble returns gateway.TroubleClosing while anything waits for the log, or "".
func (e *Ending) Trouble() string {
	if t := e.trouble.Load(); t != nil {
		return *t
	}
	return ""
}

// ID returns that of the log that ends.
func (e *Ending) ID() string { return e.cfg.Log }

func (e *Ending) noteTrouble(ctx context.Context, done bool, err error) {
	var now *string
	if !done {
		now = new(gateway.TroubleClosing)
	}
	e.trouble.Store(now)
	told := e.told
	if e.told = err != nil; e.told && !told {
		e.logger.ErrorContext(ctx, "what waits for a former own log does not go over; it is tried again", "log", e.cfg.Log, "to", e.cfg.To.id, "error", err)
	}
}

// work does what can be done now, and reports whether nothing is left to do.
func (e *Ending) work(ctx context.Context) (done bool, err error) {
	state, err := e.store.OwnLog(ctx, e.cfg.Log)
	if errors.Is(err, gateway.ErrNotFound) { // nothing was ever recorded in it
		if !e.unknown.Swap(true) {
			e.logger.WarnContext(ctx, "own_log.closed names a log that this store has never had, so that nothing waits for it; see whether its origin is spelled as it was", "log", e.cfg.Log)
		}
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if state.Closed {
		stats, err := e.cfg.Store.Stats(ctx)
		if err != nil || stats.Pending[e.cfg.Log] == 0 {
			return err == nil, err
		}
	}
	last, err := findLastAnchor(ctx, e.store, e.cfg.Log)
	if err != nil || !state.Closed && last != nil && !last.State.Settled() {
		return false, err
	}
	if !state.Closed {
		if state, err = e.keepLast(ctx, state, last); err != nil {
			return false, err
		}
	}
	if err := e.logAnchored(ctx, &state); err != nil {
		return false, err
	}
	return e.moveWaiting(ctx, state)
}

// keepLast is keepAnchor of a log that is no older copy of itself. Of one that may be, nothing counts that is not anchored by the store already:
// its last anchor may be of a second history, of which nobody has seen anything yet. What that covers goes over.
func (e *Ending) keepLast(ctx context.Context, state gateway.OwnLog, last *gateway.Submission) (gateway.OwnLog, error) {
	if e.cfg.Counted {
		if err := e.checkEnd(ctx, state); err != nil {
			return state, err
		}
	}
	if last == nil || last.State != gateway.Logged {
		return state, nil
	}
	if a, err := e.readAnchor(ctx, last.ID); err != nil || a.tree.Size <= state.Anchored.Size {
		return state, err
	}
	err := errOlderCopy
	if !state.Doubted {
		err = e.guard.checkAnchors(ctx)
	}
	kept := state
	if err == nil {
		kept, err = e.keepAnchor(ctx, state, last)
	}
	if isOlder(err) && !e.cfg.Counted {
		e.logger.WarnContext(ctx, "a former own log ends where the store knows it to be anchored: what is anchored beyond that may be another history",
			"log", e.cfg.Log, "records", state.Anchored.Size, "error", err)
		return state, nil
	}
	return kept, err
}

// errOlderCopy says to the operator why a log is Doubted.
var errOlderCopy = fmt.Errorf("%w: the store was put back, or its database was restarted or taken over from", gateway.ErrDoubtFirst)

// isOlder reports whether an error says that the store is, or may be, an older copy of the log.
func isOlder(err error) bool {
	return errors.Is(err, ErrForgotten) || errors.Is(err, gateway.ErrDoubtFirst) || errors.Is(err, gateway.ErrOtherAnchor)
}

// checkEnd refuses to end a log of which more may have been shown than the store knows: the one that takes over would count from there again.
func (e *Ending) checkEnd(ctx context.Context, state gateway.OwnLog) error {
	if state.Doubted {
		return fmt.Errorf("%w: the log cannot end, and another one count on from there; put its key back into use until it gets on", gateway.ErrDoubtFirst)
	}
	err := e.guard.checkAnchors(ctx)
	if errors.Is(err, ErrForgotten) {
		err = fmt.Errorf("%w; no other log can count on from its end: begin one anew, with no former keys", err)
	}
	return err
}

// moveWaiting closes the log, and has all go over that waits for it.
func (e *Ending) moveWaiting(ctx context.Context, state gateway.OwnLog) (done bool, err error) {
	submissions := 0
	for {
		m, err := e.store.CloseOwnLog(ctx, gateway.CloseParams{Log: e.cfg.Log, To: e.cfg.To.id, Limit: closeSize})
		if err != nil {
			return false, err
		}
		submissions += m.Submissions
		e.changed(m.Changed)
		e.cfg.To.Wake()
		if !m.More || m.Entries == 0 {
			if submissions > 0 || !state.Closed {
				e.logger.WarnContext(ctx, "a former own log is closed; what waited for it is recorded in the one that takes over",
					"log", e.cfg.Log, "records", state.Anchored.Size, "to", e.cfg.To.id, "submissions", submissions)
			}
			return m.Kept == 0, nil
		}
	}
}
