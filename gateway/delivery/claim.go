// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

const (
	// claimLimit bounds the entries claimed in one store transaction.
	claimLimit = 1024
	// leastClaim is how many are asked for where few come: taking slots that nothing uses costs time, too.
	leastClaim = 256
	// claimPause is the least time between two claims, so that each brings many, and that nobody who wakes a worker all the time,
	// as anyone at the database can, keeps it and the store busy.
	claimPause = 10 * time.Millisecond
)

// claimUntil claims and sends until ctx ends. What it started runs under the context work.
func (w *worker) claimUntil(ctx, work context.Context) {
	failures := 0
	for ctx.Err() == nil {
		claimed, next, err := w.claimDue(ctx, work)
		if err != nil {
			failures++
			w.holdBack()
			w.waitAfterFailure(ctx, err, failures)
			continue
		}
		failures = 0
		for _, s := range claimed {
			w.sending.Go(func() { w.sendEntries(s) })
		}
		for s := w.nextAhead(); s != nil; s = w.nextAhead() { // a slot has come free before there was something for it
			w.sending.Go(func() { w.sendEntries(s) })
		}
		w.waitForWork(ctx, next)
	}
}

// pause is how long the next claim waits at most.
type pause struct {
	d time.Duration
	// why is one of Metrics.Throttled's reasons; "" is none, and then a wake-up ends the pause.
	why string
}

// waitForWork waits until there may be something to claim, and room for it.
func (w *worker) waitForWork(ctx context.Context, next pause) {
	woken := w.woken
	if next.why != "" {
		woken = nil
	}
	began := time.Now()
	timer := time.NewTimer(next.d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-woken:
	case <-timer.C:
	}
	if next.why != "" {
		w.metrics.Throttled(w.id, next.why, time.Since(began))
	}
	if d := claimPause - time.Since(w.claimedAt); d > 0 {
		time.Sleep(d)
	}
}

// waitAfterFailure logs why nothing can be claimed and waits before the next try.
func (w *worker) waitAfterFailure(ctx context.Context, err error, failures int) {
	if ctx.Err() != nil {
		return
	}
	w.logger.Warn("log or store is unavailable", "error", err, "failures", failures)
	select {
	case <-ctx.Done():
	case <-time.After(min(retryDelay(failures, longestRetry), 15*time.Second)):
	}
}

// claimDue leases due entries, as many as the budget has slots for and a part of that ahead, and returns those that have slots, under contexts that end with
// work or with their leases, and how long to wait then. A size of the log is recorded with an entry before it is first sent.
func (w *worker) claimDue(ctx, work context.Context) ([]*send, pause, error) {
	if err := w.settlePast(ctx); err != nil {
		return nil, pause{}, err
	}
	if !w.budget.hasShare() { // the next renewal wakes
		w.holdBack()
		return nil, pause{d: w.timing.Poll}, nil
	}
	info := w.log.Describe()
	if info.Shard != w.claimedFor { // nothing more is sent to the former one
		w.returnAhead(0)
		w.claimedFor = info.Shard
	}
	slots, wanted, why, again := w.takeRoom()
	defer func() { giveBackSlots(slots) }()
	size, err := w.readSize(ctx, info)
	if err != nil || wanted == 0 {
		return nil, pause{min(again, w.timing.Idle), why}, err
	}
	claimedAt := steady.Now() // before the store is asked: the lease counts from here on
	entries, err := w.store.Claim(ctx, gateway.ClaimParams{
		Log: w.id, Lease: w.timing.Lease, Limit: wanted, InFlight: w.budget.leasesOfAll(),
		Shard: info.Shard, TreeSize: size,
	})
	if errors.Is(err, gateway.ErrDoubtFirst) { // leases of before are worth nothing
		w.holdBack()
		err = w.putInDoubt(ctx)
	}
	if err != nil {
		return nil, pause{d: w.timing.Poll}, err
	}
	w.claimSize, w.claimedAt = nextClaimSize(len(entries), wanted), time.Now()
	if len(entries) == 0 {
		return nil, pause{d: w.timing.Poll}, nil
	}
	killpoint.Reach(killpoint.Claimed)
	w.ahead.add(w.held.addClaimed(work, entries, claimedAt))
	var due []*send
	due, slots = w.takeAhead(slots) // what waits there already is sent first
	next := pause{d: w.timing.Poll}
	if len(entries) == wanted { // there may be more
		next.d = 0
	}
	return due, next, nil
}

// takeRoom takes slots, and returns how many entries may be claimed: one for each of them, and so many ahead. With none, it returns why and again as
// takeSlots does. What is ahead beyond that goes back.
func (w *worker) takeRoom() (slots []*slot, wanted int, why string, again time.Duration) {
	room := min(w.claimSize, w.budget.leases()-w.held.count())
	slots, why, again = w.budget.takeSlots(room)
	lead := w.budget.lead()
	w.returnAhead(lead)
	if lead > 0 {
		return slots, max(room, 0), why, again
	}
	return slots, len(slots), why, again
}

// nextClaimSize returns how many entries to ask for after a claim that has brought so many of those wanted.
func nextClaimSize(brought, wanted int) int {
	if brought == wanted { // there may be any number more
		return claimLimit
	}
	return min(max(leastClaim, 2*brought), claimLimit)
}

// readSize returns a size of the shard that is written to now, and asks the log where none is known well enough.
func (w *worker) readSize(ctx context.Context, info gateway.LogInfo) (size uint64, err error) {
	now := time.Now()
	if size, ok := w.size.lookUp(info.Shard, now); ok && !info.Retired && w.health.canBeRead() {
		return size, nil
	}
	if err = errRetired; !info.Retired {
		size, err = w.log.Size(ctx, info.Shard)
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	w.noteReading(err)
	if err == nil {
		w.size.noteSize(info.Shard, size, now)
	}
	return size, err
}

// errRetired is why entries wait for a log whose key has ended, or has not begun, or is not vouched for any more.
var errRetired = fmt.Errorf("%w: the trusted root has no key of it that is in use now, or has expired", gateway.ErrUnavailable)

// settlePast puts in doubt, once, what a former life of the store may have sent: that this is a copy that
// was put back cannot always be told.
func (w *worker) settlePast(ctx context.Context) error {
	if w.settledPast {
		return nil
	}
	if err := w.putInDoubt(ctx); err != nil {
		return err
	}
	w.settledPast = true
	return nil
}

// putInDoubt puts in doubt what is pending, so that it is looked for before it is sent.
func (w *worker) putInDoubt(ctx context.Context) error {
	n, err := w.store.DoubtPending(ctx, w.id, w.log.Describe().Shard)
	if err != nil {
		return err
	}
	if n > 0 {
		w.shards.wakeScanners()
		w.logger.Info("what is pending is looked for in the log before it is sent", "entries", n)
	}
	return nil
}
