// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// lateEntry is one that was under way here when its lease had ended, as when this process was stopped for longer than that.
// Somebody else may have sent it again by then, while what this process had handed to its connection reached the log all the
// same: so it may be in the log twice.
type lateEntry struct {
	leaf  gateway.LeafHash
	shard gateway.Shard
	from  uint64    // it is not in the shard before
	since time.Time // its call was over
}

// lateEntries are looked for once the log may have included them, so that what is doubled is counted. They are safe for
// concurrent use.
type lateEntries struct {
	mu   sync.Mutex // guards list
	list []lateEntry
}

const (
	maxLate      = 65_536      // that are remembered
	lateWindows  = 64          // of scanWindow, that are searched for them in one go
	forgetLate   = time.Hour   // in which the log could not be read
	lateTogether = time.Second // more, so that all of one stop are looked for in one go
)

func (l *lateEntries) noteLate(late []lateEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, late[:min(len(late), maxLate-len(l.list))]...)
}

// takeDue takes those out, of one shard, that are due at now, which is a while after each was over. They come together: those of one
// stop are over within a moment.
func (l *lateEntries) takeDue(now time.Time, delay time.Duration) (due []lateEntry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var left []lateEntry
	for _, e := range l.list {
		switch {
		case now.Sub(e.since) < delay+lateTogether || len(due) > 0 && due[0].shard != e.shard:
			left = append(left, e)
		default:
			due = append(due, e)
		}
	}
	l.list = left
	return due
}

// countLate looks for what may be in the log twice, and counts it.
func (w *worker) countLate(ctx context.Context, now time.Time) {
	due := w.late.takeDue(now, w.log.Describe().IntegrationDelay)
	if len(due) == 0 {
		return
	}
	doubled, err := w.countDoubled(ctx, due)
	switch {
	case err == nil:
		w.reportSettled(settleCounts{doubled: doubled}, 0, 0)
	case ctx.Err() == nil && now.Sub(due[0].since) < forgetLate:
		w.late.noteLate(due)
	case ctx.Err() == nil:
		w.logger.Warn("not known whether entries are logged twice that were under way when their leases ended", "entries", len(due), "error", err)
	}
}

// countDoubled returns how many entries, of one shard, stand in the log more than once, or how often more.
func (w *worker) countDoubled(ctx context.Context, late []lateEntry) (doubled int, err error) {
	tree, err := w.log.TreeOf(ctx, late[0].shard)
	if err != nil {
		return 0, err
	}
	size, err := w.log.Size(ctx, tree)
	if err != nil {
		return 0, err
	}
	leaves, from := []gateway.LeafHash{{}}, late[0].from // what no log has keeps a search from ending with the first find
	for _, e := range late {
		leaves, from = append(leaves, e.leaf), min(from, e.from)
	}
	from = max(from, size-min(size, lateWindows*scanWindow))
	met := map[gateway.LeafHash]bool{}
	for from < size {
		to := min(from+scanWindow, size)
		found, err := w.findWindow(ctx, tree, leaves, from, to)
		if err != nil {
			return 0, err
		}
		doubled += found.Doubled
		for leaf := range found.Inclusions {
			if met[leaf] {
				doubled++
			}
			met[leaf] = true
		}
		from = to
	}
	return doubled, nil
}

// findWindow is one window's Find, all of it or nothing.
func (w *worker) findWindow(ctx context.Context, tree gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (gateway.Found, error) {
	ctx, cancel := context.WithTimeout(ctx, w.timing.AddTimeout)
	defer cancel()
	found, err := w.log.Find(ctx, tree, leaves, from, to)
	if err == nil && found.AbsentTo < to {
		err = fmt.Errorf("%w: its size is less than %d", gateway.ErrUnavailable, to)
	}
	return found, err
}
