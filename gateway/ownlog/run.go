// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
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
	// quietTime is how long no more records come before those that wait are anchored early, once.
	quietTime = 500 * time.Millisecond
	// spareAnchors bounds the anchors that may be made at once because they were not when they could have been.
	spareAnchors = 2
	// batchSize bounds the records of one transaction.
	batchSize = 4096
)

// pacing is what Run remembers from one turn to the next.
type pacing struct {
	newest   string    // the last anchor that was seen
	seenAt   time.Time // when
	busy     bool      // records wait for an anchor
	size     uint64    // of the tree, when it was last seen
	grownAt  time.Time // when it was first seen of that size
	cosigned uint64    // records of the last checkpoint that witnesses were to cosign
	unsure   error     // why checkStore has failed last; nil where it has not
	unsureAt time.Time // when
}

// Run sequences records, anchors checkpoints, and has witnesses cosign them, until ctx ends. What is left undone then goes on with the next
// Run.
func (l *Log) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	defer l.looks.Wait()
	for _, c := range l.cosigners {
		running.Go(func() { l.followAnchors(ctx, c) })
	}
	l.follow(ctx)
}

func (l *Log) follow(ctx context.Context) {
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
		timer.Reset(l.pause(time.Now()))
	}
}

// pause returns how long to wait for the next turn, unless something wakes it: no longer than until what waits may be anchored early.
func (l *Log) pause(now time.Time) time.Duration {
	if !l.pacing.busy {
		return idleTime
	}
	if quiet := quietTime - now.Sub(l.pacing.grownAt); quiet > 0 {
		return quiet
	}
	return pollTime
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
	case errors.Is(err, ErrContradicted):
		now = new(gateway.TroubleContradicted)
	case errors.Is(err, errLate):
		now = new(gateway.TroubleLate)
	case errors.Is(err, gateway.ErrOwnLogClosed):
		now = new(gateway.TroubleClosed)
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

// What a Log may be doing.
const (
	StateWorks   = "works"
	StateLooks   = "looks"   // whether the store is older than its anchors, or waits until it can see that; nothing is sequenced meanwhile
	StateWaits   = "waits"   // for the store, or a log with its anchors: Trouble says why
	StateRefuses = "refuses" // to write: ErrForgotten
)

// States returns all of them.
func States() []string { return []string{StateWorks, StateLooks, StateWaits, StateRefuses} }

// State returns what the log does now.
func (l *Log) State() string {
	switch trouble := l.Trouble(); {
	case trouble == gateway.TroubleForgotten:
		return StateRefuses
	case trouble == gateway.TroubleLate:
		return StateLooks
	case trouble != "":
		return StateWaits
	case !l.checked.Load():
		return StateLooks
	}
	return StateWorks
}

// work does all that can be done now.
func (l *Log) work(ctx context.Context) error {
	state, err := l.sequenceChecked(ctx)
	if err != nil {
		return err
	}
	l.lookAgain(ctx)
	l.wakeCosigners(state.Anchored)
	l.pacing.busy = state.Tree.Size > state.Logged
	if !l.pacing.busy {
		return nil
	}
	last, err := findLastAnchor(ctx, l.cfg.Store, l.cfg.ID)
	if err != nil {
		return err
	}
	if err := l.proveAnchor(ctx, last); err != nil {
		return err
	}
	k := keeper{Reader: l.Reader, store: l.cfg.Store, changed: l.cfg.Changed, logger: l.cfg.Logger}
	if state, err = k.keepAnchor(ctx, state, last); err != nil {
		return err
	}
	l.wakeCosigners(state.Anchored)
	if err := k.logAnchored(ctx, &state); err != nil {
		return err
	}
	l.pacing.busy = state.Tree.Size > state.Logged
	return l.anchorNext(ctx, state, last)
}

// sequenceChecked is sequenceRecords once the store is known not to be an older copy.
func (l *Log) sequenceChecked(ctx context.Context) (gateway.OwnLog, error) {
	if !l.checked.Load() || l.suspected.Load() || l.isDoubted() {
		l.checked.Store(false)
		l.pacing.busy = false
		if err := l.trustStore(ctx); err != nil {
			return gateway.OwnLog{}, err
		}
		l.checked.Store(true)
	}
	state, err := l.sequenceRecords(ctx)
	switch {
	case errors.Is(err, gateway.ErrDoubtFirst):
		l.checked.Store(false)
		l.trust, l.seen = trust{}, gateway.OwnLog{}
		err = cmp.Or(l.trustStore(ctx), err)
	case err == nil:
		err = l.noteState(state)
	}
	return state, err
}

// noteState refuses a state that is older than one that this process has seen: the store went back, and nothing else has told of it.
func (l *Log) noteState(now gateway.OwnLog) error {
	before := l.seen
	sameSize := now.Tree.Size == before.Tree.Size && before.Tree.Size > 0
	if now.Tree.Size < before.Tree.Size || now.Anchored.Size < before.Anchored.Size || sameSize && now.Tree.Root != before.Tree.Root {
		l.suspected.Store(true)
		return fmt.Errorf("%w: it has %d records, %d of them anchored, and had %d and %d", ErrForgotten,
			now.Tree.Size, now.Anchored.Size, before.Tree.Size, before.Anchored.Size)
	}
	l.seen = now
	return nil
}

// sequenceRecords gives all records that wait their indexes, and returns the state then.
func (l *Log) sequenceRecords(ctx context.Context) (gateway.OwnLog, error) {
	for {
		state, n, err := l.guard.askStore(ctx, batchSize)
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

// anchorNext makes the next anchor where it is time for one: when the one before has settled, and there are records that it does not
// have.
func (l *Log) anchorNext(ctx context.Context, state gateway.OwnLog, last *gateway.Submission) error {
	now := time.Now()
	if last != nil && l.pacing.newest != last.ID {
		l.noteAnchor(last, now)
	}
	l.noteSize(state.Tree.Size, now)
	if last != nil {
		recent := now.Sub(l.pacing.seenAt) < l.cfg.AnchorEvery && now.Sub(last.CreatedAt).Abs() < l.cfg.AnchorEvery
		if recent && !l.mayAnchorEarly(now) || !last.State.Settled() {
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
	l.noteAnchor(&stored, now)
	l.cfg.Stored(stored)
	return nil
}

// noteAnchor notes the newest anchor, whoever made it. Where there were others since the one that was seen last, and after a restart, nobody here knows how many
// could have been made and were not: none is spare then.
func (l *Log) noteAnchor(anchor *gateway.Submission, now time.Time) {
	taken := spareAnchors
	if anchor.Key == l.keyAfterID(l.pacing.newest) {
		taken = 1
	}
	for range taken {
		l.spare.AllowN(now, 1)
	}
	id := anchor.ID
	l.pacing.newest, l.pacing.seenAt = id, now
	l.awaited.Store(&id)
}

func (l *Log) noteSize(size uint64, now time.Time) {
	if size != l.pacing.size || l.pacing.grownAt.IsZero() {
		l.pacing.size, l.pacing.grownAt = size, now
	}
}

// mayAnchorEarly reports whether what waits need not wait for the end of the interval: no more comes that the next anchor could have as well, and an
// interval has passed without one.
func (l *Log) mayAnchorEarly(now time.Time) bool {
	return now.Sub(l.pacing.grownAt) >= quietTime && l.spare.TokensAt(now) >= 1
}
