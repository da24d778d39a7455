// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// An anchor that was sent before a store was put back may be in no log yet when that store is opened. So a log that is looked through then proves
// nothing: what was sent reaches it within a lease of the process that sent it, and is included within the log's integration delay. Only
// then does a look count, and nothing is sequenced before it. This is so where the store says that it may be an older copy (Doubted). Where it does not, since a whole
// machine was put back or all files of a store, nothing is held up, and two more looks find what was late: one before the first new anchor
// counts as logged, since what was sent before it stands before it as a rule, and one when that time is over.

// lookEvery is how often logs are looked through after that. How much is to be read after a restart does not grow beyond what they
// include in that time.
const lookEvery = 10 * time.Minute

// errLate: what was sent before the store was put back may still come.
var errLate = errors.New("the store may be older than what was anchored last, and what was sent then may not be in the logs yet")

// trust is what is known of whether the store is the latest state of the log.
type trust struct {
	begun   bool      // the store was asked what it is
	doubted bool      // it says that it may be an older copy
	anchor  string    // the newest anchor then, "" for none
	looked  bool      // the logs were looked through since
	proven  bool      // and once more when they had an anchor that was made since
	next    time.Time // when they are looked through again; first, when nothing can be late any more
}

// trustStore makes sure that the store is no older copy of the log. The error is ErrForgotten where it is one, ErrContradicted where a witness
// says so, errLate while that is not known yet, or what keeps it from being known.
func (l *Log) trustStore(ctx context.Context) error {
	t := &l.trust
	if err := l.beginTrust(ctx); err != nil {
		return err
	}
	if !t.looked || l.suspected.Load() || l.isDoubted() {
		if err := l.checkStore(ctx, true); err != nil {
			return err
		}
		t.looked = true
		l.suspected.Store(false)
	}
	if !t.doubted {
		return nil
	}
	state, err := l.cfg.Store.OwnLog(ctx, l.cfg.ID)
	if err != nil {
		return err
	}
	if !state.Doubted { // another process has seen to it
		t.doubted = false
		return nil
	}
	if l.cfg.Now().Before(t.next) {
		return fmt.Errorf("%w: nothing is recorded before %s", errLate, t.next.UTC().Format(time.TimeOnly+"Z"))
	}
	if err := l.checkStore(ctx, true); err != nil {
		return err
	}
	if _, err := l.cfg.Store.DoubtPending(ctx, l.cfg.ID, gateway.Shard{}); err != nil {
		return err
	}
	t.next = l.cfg.Now().Add(lookEvery)
	t.doubted = false
	return nil
}

// beginTrust asks the store what it is, once. What may be late is awaited from then on.
func (l *Log) beginTrust(ctx context.Context) error {
	t := &l.trust
	if t.begun {
		return nil
	}
	_, _, err := l.guard.askStore(ctx, 0)
	if err != nil && !errors.Is(err, gateway.ErrDoubtFirst) {
		return err
	}
	doubted := err != nil
	asked := l.cfg.Now()
	last, err := findLastAnchor(ctx, l.cfg.Store, l.cfg.ID)
	if err != nil {
		return err
	}
	late, err := l.lateTime()
	if err != nil {
		return err
	}
	*t = trust{begun: true, doubted: doubted, next: asked.Add(late)}
	if last != nil {
		t.anchor = last.ID
	}
	return nil
}

// lateTime is how long after the last moment in which another process may have used the store, an anchor of it may first be seen in a log.
func (l *Log) lateTime() (time.Duration, error) {
	shards, err := l.cfg.AnchorShards()
	if err != nil {
		return 0, err
	}
	delay := time.Duration(0)
	for _, s := range shards {
		delay = max(delay, s.Delay)
	}
	for _, log := range l.cfg.Anchors().List {
		delay = max(delay, log.Describe().IntegrationDelay)
	}
	return gateway.SendLease + delay, nil
}

// checkStore finds out whether the store is an older copy of itself, as far as the logs, and witnesses, can say. Where it fails it is not tried
// again at once, however often there is something to do.
func (l *Log) checkStore(ctx context.Context, askWitnesses bool) error {
	p, wait := &l.pacing, idleTime
	if errors.Is(p.unsure, ErrForgotten) || errors.Is(p.unsure, ErrContradicted) {
		wait = doubtTime
	}
	if p.unsure != nil && l.cfg.Now().Sub(p.unsureAt) < wait {
		return p.unsure
	}
	err := l.guard.checkAnchors(ctx)
	if errors.Is(err, gateway.ErrDoubtFirst) { // it went on in another way while the logs were read
		l.trust = trust{}
	}
	if err == nil && askWitnesses {
		err = l.checkWitnesses(ctx)
	}
	p.unsure, p.unsureAt = err, l.cfg.Now()
	return err
}

// proveAnchor looks through the logs once more before the first anchor counts as logged that was made since the store was asked: what was sent
// before that, by a process whose store this one is an older copy of, is there now.
func (l *Log) proveAnchor(ctx context.Context, last *gateway.Submission) error {
	t := &l.trust
	if t.proven || last == nil || last.State != gateway.Logged || last.ID == t.anchor {
		return nil
	}
	err := l.checkStore(ctx, false)
	if errors.Is(err, ErrForgotten) {
		l.suspected.Store(true)
	}
	t.proven = err == nil
	return err
}

// lookAgain has the logs looked through, beside all else, when it is time.
func (l *Log) lookAgain(ctx context.Context) {
	t, now := &l.trust, l.cfg.Now()
	if now.Before(t.next) || !l.looking.CompareAndSwap(false, true) {
		return
	}
	t.next = now.Add(lookEvery)
	l.looks.Go(func() {
		defer l.looking.Store(false)
		switch err := l.guard.checkAnchors(ctx); {
		case errors.Is(err, ErrForgotten):
			l.suspected.Store(true)
			l.Wake()
		case err != nil && ctx.Err() == nil:
			l.cfg.Logger.WarnContext(ctx, "the logs with the own log's anchors could not be looked through; that is tried again", "log", l.cfg.ID, "error", err)
		}
	})
}
