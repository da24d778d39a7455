// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"math"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// share is what of a log's configured limits belongs to this process, where several share them. What is learned is each
// process's own.
type share struct {
	gateway.Share
	since    steady.Mark // zero: none was given yet
	replicas int         // as last known
}

// isLive reports whether the share is this process's still.
func (s *share) isLive() bool { return !s.since.IsZero() && s.since.Elapsed() < gateway.ReplicaLease }

// whole returns the configured limits as a Share; zero is none.
func (l Limits) whole() gateway.Share {
	s := gateway.Share{InFlight: int64(l.InFlight), Rate: int64(math.Round(l.Rate * 1000))}
	if s.Rate > 0 {
		s.Burst = int64(l.Burst)
	}
	return s
}

// Wholes returns the configured limits of each log that has some, by its ID.
func (d *Delivery) Wholes() map[string]gateway.Share {
	wholes := map[string]gateway.Share{}
	for id, w := range *d.workers.Load() {
		w.budget.mu.Lock()
		if whole := w.budget.limits.whole(); whole != (gateway.Share{}) {
			wholes[id] = whole
		}
		w.budget.mu.Unlock()
	}
	return wholes
}

// HeldShares returns what of them is in use here, at most, until UseShares changes that.
func (d *Delivery) HeldShares() map[string]gateway.Share {
	held := map[string]gateway.Share{}
	for id, w := range *d.workers.Load() {
		held[id] = w.budget.heldShare()
	}
	return held
}

// UseShares has the workers keep to these shares, by the log's ID, which were given no earlier than since, to one of so many
// processes.
func (d *Delivery) UseShares(shares map[string]gateway.Share, since steady.Mark, replicas int) {
	for id, w := range *d.workers.Load() {
		s, ok := shares[id]
		if ok && w.budget.useShare(share{Share: s, since: since, replicas: replicas}) {
			w.wakeWorker()
		}
	}
}

// useShare reports whether there is something to be sent within it that could not be before.
func (b *budget) useShare(s share) (more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.share == nil {
		return false // there is nobody to share with
	}
	more = !b.share.isLive() || s.Less(b.share.Share) != (gateway.Share{})
	*b.share = s
	b.applyLimitsLocked(time.Now())
	return more
}

// hasShare reports whether entries may be claimed: a process whose share has ended, since it was stopped or cannot reach the
// store, waits for its next renewal, as others may have taken it. A log without limits is not shared.
func (b *budget) hasShare() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.share == nil || b.limits.whole() == gateway.Share{} || b.share.isLive()
}

// heldShare returns what may be in use.
func (b *budget) heldShare() gateway.Share {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.share == nil || b.share.since.IsZero() {
		return gateway.Share{}
	}
	held := b.share.Share
	held.InFlight = max(held.InFlight, int64(b.taken))
	return held
}

// shareLocked returns what of the whole may be used now: an equal part where nothing is known for certain.
func (b *budget) shareLocked() gateway.Share {
	whole := b.limits.whole()
	switch {
	case b.share == nil:
		return whole
	case b.share.isLive():
		return whole.Min(b.share.Share)
	case b.share.replicas > 0:
		n := b.share.replicas
		return whole.Divide(n, n-1)
	}
	return gateway.Share{}
}

// applyLimitsLocked has the pace be that of the share.
func (b *budget) applyLimitsLocked(now time.Time) {
	if b.share == nil || b.limits.Rate == 0 {
		b.pace.setRate(now, b.limits.Rate, b.limits.Burst, false)
		return
	}
	s := b.shareLocked()
	b.pace.setRate(now, float64(s.Rate)/1000, int(s.Burst), true)
}

// boundLocked returns how many entries of this process may be under way.
func (b *budget) boundLocked() int {
	bound := b.flight.bound()
	if b.share != nil && b.limits.InFlight > 0 {
		bound = min(bound, int(b.shareLocked().InFlight))
	}
	return bound
}

// mayWait returns how many slots may wait for something else than the log: a quarter, and of a rate no more than a quarter of what may be sent at once, since
// each is promised a part of that.
func (b *budget) mayWait() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	most := b.boundLocked()
	if b.pace.limiter != nil {
		most = min(most, b.pace.limiter.Burst())
	}
	return most / 4
}

// boundOfAllLocked returns how many entries may be under way to the log, over all processes that share the store. Where shares see to
// that, a bound that this process has found says nothing of the others.
func (b *budget) boundOfAllLocked() int {
	switch {
	case b.share == nil:
		return b.flight.bound()
	case b.limits.InFlight > 0:
		return b.limits.InFlight
	}
	return math.MaxInt32
}
