// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"errors"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

const (
	// gatherTime is how long records are gathered before they are sequenced: each time costs a transaction and the
	// tiles of the tree's right edge, whatever it adds.
	gatherTime = 200 * time.Millisecond
	// pollTime is how often the store is asked for what other processes have done, while an anchor is under way.
	pollTime = time.Second
	// idleTime is how often it is asked while nothing is.
	idleTime = 5 * time.Second
	// batchSize bounds the records of one transaction.
	batchSize = 4096
)

// pacing is what Run remembers from one turn to the next.
type pacing struct {
	newest string    // the last anchor that was seen
	seenAt time.Time // when
	busy   bool      // records wait for an anchor
	// checked: the store is known to be the latest state of the log, and not an older copy.
	checked bool
}

// Run sequences records and anchors checkpoints until ctx ends. What is left undone then goes on with the next Run.
func (l *Log) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-l.wake:
			if !sleep(ctx, gatherTime) {
				return
			}
		}
		err := l.work(ctx)
		if ctx.Err() == nil {
			l.noteTrouble(ctx, err)
		}
		timer.Reset(l.pause())
	}
}

func (l *Log) pause() time.Duration {
	if l.pacing.busy {
		return pollTime
	}
	return idleTime
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// noteTrouble tells the operator what keeps the log from getting on, once.
func (l *Log) noteTrouble(ctx context.Context, err error) {
	var now *string
	switch {
	case err == nil:
	case errors.Is(err, ErrForgotten):
		now = new(gateway.TroubleForgotten)
	default:
		now = new(gateway.TroubleOwnLog)
	}
	before := l.trouble.Swap(now)
	switch {
	case err != nil && (before == nil || *before != *now):
		l.cfg.Logger.ErrorContext(ctx, "the own log does not get on; what it was given waits", "log", l.cfg.ID, "trouble", *now, "error", err)
	case err == nil && before != nil:
		l.cfg.Logger.InfoContext(ctx, "the own log gets on again", "log", l.cfg.ID)
	}
}

// Trouble returns a gateway.Trouble that keeps the log from getting on, or "".
func (l *Log) Trouble() string {
	if t := l.trouble.Load(); t != nil {
		return *t
	}
	return ""
}

// work does all that can be done now.
func (l *Log) work(ctx context.Context) error {
	state, err := l.sequenceChecked(ctx)
	if err != nil {
		return err
	}
	l.pacing.busy = state.Tree.Size > state.Logged
	if !l.pacing.busy {
		return nil
	}
	last, err := l.findLastAnchor(ctx)
	if err != nil {
		return err
	}
	if state, err = l.keepAnchor(ctx, state, last); err != nil {
		return err
	}
	if err := l.logAnchored(ctx, &state); err != nil {
		return err
	}
	l.pacing.busy = state.Tree.Size > state.Logged
	return l.anchorNext(ctx, state, last)
}

// sequenceChecked is sequenceRecords once the store is known not to be an older copy.
func (l *Log) sequenceChecked(ctx context.Context) (gateway.OwnLog, error) {
	if !l.pacing.checked {
		if err := l.checkAnchors(ctx); err != nil {
			return gateway.OwnLog{}, err
		}
		if _, err := l.cfg.Store.DoubtPending(ctx, l.cfg.ID, gateway.Shard{}); err != nil {
			return gateway.OwnLog{}, err
		}
		l.pacing.checked = true
	}
	state, err := l.sequenceRecords(ctx)
	l.pacing.checked = !errors.Is(err, gateway.ErrDoubtFirst)
	return state, err
}

// sequenceRecords gives all records that wait their indexes, and returns the state then.
func (l *Log) sequenceRecords(ctx context.Context) (gateway.OwnLog, error) {
	for {
		state, n, err := l.cfg.Store.Sequence(ctx, l.cfg.ID, batchSize, growTree)
		if err != nil || n < batchSize {
			return state, err
		}
	}
}

// growTree implements gateway.GrowTree.
func growTree(old tiletree.Tree, leaves []gateway.LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
	hashes := make([][tiletree.HashSize]byte, len(leaves))
	for i, leaf := range leaves {
		hashes[i] = leaf
	}
	return tiletree.AppendRecords(old, hashes, read)
}

// keepAnchor notes that the last anchor is logged, where it is, and returns the state then.
func (l *Log) keepAnchor(ctx context.Context, state gateway.OwnLog, last *gateway.Submission) (gateway.OwnLog, error) {
	if last == nil || last.State != gateway.Logged {
		return state, nil
	}
	kept, err := l.readAnchor(ctx, last.ID)
	if err != nil {
		return state, err
	}
	if kept.tree.Size <= state.Anchored.Size {
		return state, nil
	}
	anchor := gateway.OwnAnchor{Tree: kept.tree, Submission: last.ID}
	if err := l.cfg.Store.KeepAnchor(ctx, l.cfg.ID, anchor); err != nil {
		return state, err
	}
	state.Anchored = anchor
	l.cfg.Logger.InfoContext(ctx, "anchored", "log", l.cfg.ID, "records", anchor.Size, "submission", anchor.Submission)
	return state, nil
}

// logAnchored has all Logged that is anchored.
func (l *Log) logAnchored(ctx context.Context, state *gateway.OwnLog) error {
	for state.Logged < state.Anchored.Size {
		changed, err := l.cfg.Store.LogAnchored(ctx, l.cfg.ID, batchSize)
		if err != nil {
			return err
		}
		l.cfg.Changed(l.withInclusions(changed))
		state.Logged = min(state.Logged+batchSize, state.Anchored.Size)
	}
	return nil
}

// withInclusions adds what a receipt needs of the records, so that it is not read from the store again.
func (l *Log) withInclusions(changed []gateway.Progress) []gateway.Progress {
	for _, p := range changed {
		for i := range p.Entries {
			if e := &p.Entries[i]; e.Log == l.cfg.ID && e.State == gateway.Logged && e.LogIndex != nil {
				e.Inclusion = &gateway.Inclusion{Kind: gateway.KindOwnRecord, Index: *e.LogIndex}
			}
		}
	}
	return changed
}

// anchorNext makes the next anchor where it is time for one: when the one before has settled, and there are records that it does not
// have.
func (l *Log) anchorNext(ctx context.Context, state gateway.OwnLog, last *gateway.Submission) error {
	now, before := time.Now(), ""
	if last != nil {
		before = last.ID
	}
	if l.pacing.newest != before {
		l.pacing.newest, l.pacing.seenAt = before, now
		l.awaited.Store(&before)
	}
	if last != nil {
		recent := now.Sub(l.pacing.seenAt) < l.cfg.AnchorEvery && now.Sub(last.CreatedAt).Abs() < l.cfg.AnchorEvery
		if recent || !last.State.Settled() {
			return nil
		}
	}
	if state.Tree.Size <= state.Anchored.Size {
		return nil
	}
	stored, err := l.storeAnchor(ctx, state.Tree, last)
	if errors.Is(err, gateway.ErrQueueFull) {
		return nil // as it is for everybody; later
	}
	if err != nil {
		return err
	}
	l.pacing.newest, l.pacing.seenAt = stored.ID, now
	l.awaited.Store(&stored.ID)
	l.cfg.Stored(stored)
	return nil
}
