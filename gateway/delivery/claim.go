// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
)

// claimLimit bounds the entries claimed in one store transaction.
const claimLimit = 256

// idleCheck is how often a log is read that nothing waits for, so that it is known whether it can be used.
const idleCheck = 30 * time.Second

// claimUntil claims and sends until ctx ends. What it started runs under the context work.
func (w *worker) claimUntil(ctx, work context.Context, sending *sync.WaitGroup) {
	failures := 0
	for ctx.Err() == nil {
		claimed, err := w.claimDue(ctx, work)
		if err != nil {
			failures++
			w.waitAfterFailure(ctx, err, failures)
			continue
		}
		failures = 0
		for _, s := range claimed {
			sending.Go(func() { w.outcomes <- w.sendEntry(s) })
		}
		if len(claimed) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.woken:
		case <-time.After(w.timing.Poll):
		}
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
	case <-time.After(min(retryDelay(failures), 15*time.Second)):
	}
}

// claimDue leases due entries and returns those to send, under contexts that end with work or with their
// leases. The log's size is read first, so that it is recorded with an entry before the entry is first
// sent to it.
func (w *worker) claimDue(ctx, work context.Context) ([]send, error) {
	if err := w.settlePast(ctx); err != nil {
		return nil, err
	}
	stats, err := w.store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	waiting := stats.Pending[w.id] > 0
	if !waiting && time.Since(w.checkedAt) < w.timing.Idle {
		return nil, nil
	}
	info := w.log.Describe()
	size, err := w.readSize(ctx, info)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	w.noteReading(err)
	w.checkedAt = time.Now()
	if err != nil || !waiting {
		return nil, err
	}
	claimedAt := time.Now()
	entries, err := w.store.Claim(ctx, gateway.ClaimParams{
		Log: w.id, Lease: w.timing.Lease, Limit: claimLimit, InFlight: w.timing.InFlight,
		Shard: info.Shard, TreeSize: size,
	})
	if len(entries) > 0 {
		killpoint.Reach(killpoint.Claimed)
	}
	return w.held.addClaimed(work, entries, claimedAt), err
}

// readSize returns the size of the shard that is written to now.
func (w *worker) readSize(ctx context.Context, info gateway.LogInfo) (uint64, error) {
	if info.Retired {
		return 0, errRetired
	}
	return w.log.Size(ctx, info.Shard)
}

// errRetired is why entries wait for a log whose key has ended, or has not begun.
var errRetired = fmt.Errorf("%w: the trusted root has no key of it that is in use now", gateway.ErrUnavailable)

// settlePast puts in doubt, once, what a former life of the store may have sent: that this is a copy that
// was put back cannot always be told.
func (w *worker) settlePast(ctx context.Context) error {
	if w.settledPast {
		return nil
	}
	n, err := w.store.DoubtPending(ctx, w.id, w.log.Describe().Shard)
	if err != nil {
		return err
	}
	w.settledPast = true
	if n > 0 {
		w.shards.wakeScanners()
		w.logger.Info("what is pending is looked for in the log before it is sent", "entries", n)
	}
	return nil
}
