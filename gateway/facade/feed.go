// SPDX-License-Identifier: Apache-2.0

package facade

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// feedTime is how often the store is asked for what other processes have logged.
	feedTime = 5 * time.Second
	// feedBatch and feedBytes bound the leaves of one transaction, by their number and by the bodies that they are made of: a body is 64 KiB at most, and
	// what is held at once some four times as much, with the entry as it is read, its leaf, and that as it is stored.
	feedBatch = 512
	feedBytes = 2 << 20
	// maxWaiting is how many leaves may wait for an anchor, about: those of 10 s at some hundreds a second.
	maxWaiting = 8192
	// roomTime is how often it is asked whether there is room.
	roomTime = 200 * time.Millisecond
)

// NoteChanged has leaves made soon of what has become Logged.
func (f *Facade) NoteChanged(changed []gateway.Progress) {
	if slices.ContainsFunc(changed, func(p gateway.Progress) bool {
		return slices.ContainsFunc(p.Entries, func(e gateway.EntryProgress) bool { return e.Log == f.cfg.Source && e.State == gateway.Logged })
	}) {
		f.Wake()
	}
}

// Wake has leaves made soon.
func (f *Facade) Wake() {
	select {
	case f.wake <- struct{}{}:
	default: // it is to be done already
	}
}

// Run makes leaves of what is listed until ctx ends. What is left undone then goes on with the next Run.
func (f *Facade) Run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var told error
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-f.wake:
		}
		err := f.makeLeaves(ctx)
		if err != nil && ctx.Err() == nil && told == nil {
			f.cfg.Logger.ErrorContext(ctx, "the log for clients of Rekor v1 does not get on; it is tried again", "log", f.cfg.Current.Log, "error", err)
		}
		told = err
		timer.Reset(feedTime)
	}
}

// makeLeaves makes leaves of all that is listed. What there is no room for stays listed.
func (f *Facade) makeLeaves(ctx context.Context) error {
	for made := 0; ; {
		if err := f.checkRoom(ctx); errors.Is(err, gateway.ErrUnavailable) {
			return nil // it is told elsewhere why
		} else if err != nil {
			return err
		}
		n, err := f.makeBatch(ctx)
		if made += n; err != nil || n == 0 || made >= maxWaiting {
			return err
		}
	}
}

// checkRoom is gateway.ErrUnavailable while leaves would wait for something else than the next anchors. A leaf waits in the queue, whose bound is for all: a
// facade that does not get on must not shut out who submits to Rekor v2, which does.
func (f *Facade) checkRoom(ctx context.Context) error {
	if _, err := f.readStarts(ctx); err != nil {
		return err
	}
	if err := f.isCertain(); err != nil {
		return err
	}
	if trouble := f.cfg.Own.Trouble(); trouble != "" {
		return fmt.Errorf("%w: the log for clients of Rekor v1 does not get on: %s", gateway.ErrUnavailable, trouble)
	}
	state, err := f.cfg.Store.OwnLog(ctx, f.cfg.Current.Log)
	if err == nil && state.Tree.Size-state.Logged >= maxWaiting {
		err = fmt.Errorf("%w: %d entries wait for an anchor", gateway.ErrUnavailable, maxWaiting)
	}
	return err
}

// awaitRoom is checkRoom, which is waited for until ctx ends while nothing is amiss.
func (f *Facade) awaitRoom(ctx context.Context) error {
	for {
		err := f.checkRoom(ctx)
		if !errors.Is(err, gateway.ErrUnavailable) || f.cfg.Own.Trouble() != "" {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(roomTime):
		}
	}
}

// makeBatch makes leaves of what is listed first, and returns how much that was. It is taken off the list once the leaves are stored. What has no leaf
// by itself, since it is no entry that Rekor v1 has a form for, is told and taken off.
func (f *Facade) makeBatch(ctx context.Context) (n int, err error) {
	listed, err := f.cfg.Store.Mirrored(ctx, f.cfg.Source, feedBatch, feedBytes)
	if err != nil || len(listed) == 0 {
		return 0, err
	}
	var done []int64
	var leaves []leaf
	var ids []int64
	for _, e := range listed {
		l, err := newLeaf(e.Kind, e.Body)
		if err != nil {
			f.cfg.Logger.ErrorContext(ctx, "an entry has no form in Rekor v1, and clients of Rekor v1 will not see it", "log", f.cfg.Source, "entry", e.ID, "error", err)
			done = append(done, e.ID)
			continue
		}
		leaves, ids = append(leaves, l), append(ids, e.ID)
	}
	stored, err := f.storeLeaves(ctx, leaves)
	if err != nil {
		return 0, err
	}
	var failed error
	for i, s := range stored {
		if s.Err != nil {
			failed = errors.Join(failed, s.Err)
			continue
		}
		done = append(done, ids[i])
	}
	return len(listed), errors.Join(failed, f.cfg.Store.ForgetMirrored(ctx, f.cfg.Source, done))
}

// storeLeaves has leaves stored that are not yet, to be sequenced, and returns what became of each.
func (f *Facade) storeLeaves(ctx context.Context, leaves []leaf) ([]gateway.Enqueued, error) {
	if len(leaves) == 0 {
		return nil, nil
	}
	subs := make([]gateway.NewSubmission, len(leaves))
	for i, l := range leaves {
		var err error
		if subs[i], err = l.newSubmission(f.trees()[0].Log, f.cfg.Current.Log); err != nil {
			return nil, err
		}
	}
	stored, err := f.cfg.Store.Enqueue(ctx, subs)
	if err == nil {
		f.cfg.Own.Wake()
	}
	return stored, err
}
