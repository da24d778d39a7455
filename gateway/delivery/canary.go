// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// A canary is an entry that was never sent before and that the log has included. It shows that the log
// takes what it is sent: one that merely stalls has not lost what was sent before the canary, and must not
// make us send it twice. An entry in doubt is none, nor is one that was.
type canary struct {
	sentAt time.Time // its sending began then, by this process's monotonic clock
	index  uint64
	// coveredAt is the size of the first checkpoint that we saw to cover it; 0 is none yet.
	coveredAt uint64
}

// canaries are the latest canaries of a shard. They are safe for concurrent use.
type canaries struct {
	mu     sync.Mutex // guards what follows
	list   []canary   // in the order of their logging
	lastAt time.Time  // when an entry was last sent that may become one
	// probedAt is when a probe was last sent.
	probedAt time.Time
}

// Of the canaries one for each canaryStep of time is kept, and at most maxCanaries.
const (
	canaryStep  = time.Second
	maxCanaries = 512
)

// noteSent notes that an entry is being sent that may become a canary.
func (c *canaries) noteSent(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.lastAt) {
		c.lastAt = at
	}
}

// lastSent returns when an entry was last sent that may be, or become, a canary.
func (c *canaries) lastSent() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lastAt
}

// noteProbe is noteSent for a probe.
func (c *canaries) noteProbe(at time.Time) {
	c.noteSent(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.probedAt = at
}

// lastTold returns when something was last sent that became a canary, or a probe was.
func (c *canaries) lastTold() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.list); n > 0 && c.list[n-1].sentAt.After(c.probedAt) {
		return c.list[n-1].sentAt
	}
	return c.probedAt
}

// addLogged notes an entry, never sent before, whose sending began at sentAt.
func (c *canaries) addLogged(sentAt time.Time, index uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.list); n > 0 && sentAt.Sub(c.list[n-1].sentAt) < canaryStep && c.list[n-1].coveredAt == 0 {
		if sentAt.Before(c.list[n-1].sentAt) {
			return
		}
		c.list = c.list[:n-1] // a later one of this step counts for more doubts, and is not covered either
	}
	if len(c.list) == maxCanaries {
		c.list = append(c.list[:0], c.list[1:]...)
	}
	c.list = append(c.list, canary{sentAt: sentAt, index: index})
}

// noteSize notes the size of a checkpoint.
func (c *canaries) noteSize(size uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if c.list[i].coveredAt == 0 && c.list[i].index < size {
			c.list[i].coveredAt = size
		}
	}
}

// provesAbsence reports whether absence up to absentTo counts for an entry that was certainly not under way
// any more at since: a canary was sent after that, and absence reaches into a later checkpoint than
// the first that covers it.
func (c *canaries) provesAbsence(since time.Time, absentTo uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.list {
		if k.sentAt.After(since) && k.coveredAt > 0 && absentTo > k.coveredAt {
			return true
		}
	}
	return false
}

// sendProbe sends an entry of no meaning to a shard, the current one, as a canary. It is not stored: what becomes of it
// matters to nobody but the doubts that wait for it.
func (w *worker) sendProbe(ctx context.Context, shard gateway.Shard) {
	slots := w.budget.takeProbeSlot()
	if len(slots) == 0 {
		return // nothing may be sent now
	}
	slot := slots[0]
	ctx, cancel := context.WithTimeout(ctx, w.timing.AddTimeout)
	defer cancel()
	size, err := w.log.Size(ctx, shard)
	if err != nil {
		giveBackSlots(slots)
		return // whoever scans is told
	}
	p, err := w.probe(ctx, w.log)
	if err != nil {
		giveBackSlots(slots)
		w.logger.Error("making a probe for the log", "error", err)
		return
	}
	slot.begin()
	defer w.wakeWorker() // there is room for an entry again
	defer slot.free()
	started, canaries := slot.started, w.shards.canariesOf(shard)
	canaries.noteProbe(started)
	inclusion, err := w.log.Add(ctx, shard, p)
	slot.end(err)
	if err != nil {
		w.stall.noteFailedProbe(err)
		w.logger.Warn("the log has not included a probe, which entries in doubt wait for", "error", err)
		return
	}
	w.noteIncluded()
	if inclusion.Index >= size {
		canaries.addLogged(started, inclusion.Index)
	}
	w.logger.Info("a probe was logged for entries in doubt", "index", inclusion.Index)
}

// needsCanary reports whether a probe is to be sent now: nobody's entry may become a canary, or, for as long as one may be under
// way, none has: what is sent may all be refused, or be in the log already.
func (w *worker) needsCanary(lastSent, lastTold, now time.Time) bool {
	return w.probe != nil && w.health.currentProblem() == "" &&
		(now.Sub(lastSent) >= w.timing.ProbeAfter || now.Sub(lastTold) >= w.timing.AddTimeout+w.timing.ProbeAfter)
}
