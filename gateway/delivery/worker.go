// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
)

// Bounds on one store transaction.
const (
	claimLimit  = 256 // entries claimed at once
	finishBatch = 256 // outcomes stored at once
)

// worker sends one log's pending entries to it. Workers of several processes may share one store.
type worker struct {
	log     gateway.Log
	store   gateway.Work
	timing  Timing
	now     func() time.Time
	logger  *slog.Logger
	metrics Metrics
	changed func(ids []string) // submissions that Finish changed

	woken    chan struct{}        // one waiting wake-up is enough
	outcomes chan gateway.Outcome // of every goroutine that sends or settles; closed once they have ended
	held     leases

	degraded atomic.Bool // the log did not let the last entry in that it decided on
}

func newWorker(log gateway.Log, cfg Config) *worker {
	timing := cfg.Timing.withDefaults()
	return &worker{
		log: log, store: cfg.Store, timing: timing, now: time.Now, metrics: cfg.Metrics, changed: cfg.Changed,
		logger: cfg.Logger.With("log", log.Describe().ID),
		woken:  make(chan struct{}, 1), outcomes: make(chan gateway.Outcome, timing.InFlight), held: newLeases(),
	}
}

// wakeWorker tells the worker that there may be work.
func (w *worker) wakeWorker() {
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

// finishGrace is how long outcomes may take to be stored once nothing is under way any more. Those that
// are not stored then, as when the store is locked, are settled as after a crash.
const finishGrace = 2 * time.Second

// runWorker works until ctx ends, then lets what is under way finish for at most Drain. What a
// crash interrupts is settled by the next run after the lease has expired.
func (w *worker) runWorker(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	storing, stopStoring := context.WithCancel(context.WithoutCancel(ctx))
	defer stopStoring()
	var sending, finishing sync.WaitGroup
	finishing.Go(func() { w.finishAll(storing) })
	extending, stopExtending := context.WithCancel(work)
	defer stopExtending()
	finishing.Go(func() { w.extendLeases(extending) })
	w.claimUntil(ctx, work, &sending)

	drained := make(chan struct{})
	go func() { sending.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(w.timing.Drain):
		cancel() // Adds under way end in doubt
	}
	late := time.AfterFunc(finishGrace, stopStoring)
	defer late.Stop()
	<-drained
	close(w.outcomes)
	stopExtending()
	finishing.Wait()
}

// claimUntil claims and sends until ctx ends. What it started runs under the context work.
func (w *worker) claimUntil(ctx, work context.Context, sending *sync.WaitGroup) {
	failures := 0
	for ctx.Err() == nil {
		claimed, err := w.claimDue(ctx)
		if err != nil {
			failures++
			w.waitAfterFailure(ctx, err, failures)
			continue
		}
		failures = 0
		w.startAll(work, claimed, sending)
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
	if errors.Is(err, gateway.ErrFork) {
		w.reportHalted(true)
		w.logger.Error("submissions to this log are stopped: it has forked; both checkpoints are kept as evidence")
	} else {
		w.logger.Warn("log or store is unavailable", "error", err, "failures", failures)
	}
	select {
	case <-ctx.Done():
	case <-time.After(min(retryDelay(failures), 15*time.Second)):
	}
}

func (w *worker) reportHalted(h bool) {
	if w.metrics.Halted != nil {
		w.metrics.Halted(w.log.Describe().ID, h)
	}
}

// claimDue leases due entries. The log's size is read first, so that it is recorded with an
// entry before the entry is first sent.
func (w *worker) claimDue(ctx context.Context) ([]gateway.Claimed, error) {
	stats, err := w.store.Stats(ctx)
	if err != nil {
		return nil, err
	}
	if stats.Pending[w.log.Describe().ID] == 0 {
		return nil, nil
	}
	size, err := w.log.Size(ctx)
	if err != nil {
		return nil, err
	}
	entries, err := w.store.Claim(ctx, gateway.ClaimParams{
		Log: w.log.Describe().ID, Lease: w.timing.Lease, Limit: claimLimit, InFlight: w.timing.InFlight,
		Shard: w.log.Describe().Shard, TreeSize: size,
	})
	if len(entries) > 0 {
		killpoint.Reach(killpoint.Claimed)
	}
	return w.held.addClaimed(entries), err
}

// startAll sends fresh entries, each on its own, and settles the doubtful ones together.
func (w *worker) startAll(ctx context.Context, claimed []gateway.Claimed, sending *sync.WaitGroup) {
	var doubtful []gateway.Claimed
	for _, e := range claimed {
		if e.InDoubt {
			doubtful = append(doubtful, e)
			continue
		}
		sending.Go(func() { w.outcomes <- w.sendEntry(ctx, e) })
	}
	if len(doubtful) > 0 {
		sending.Go(func() { w.settleAll(ctx, doubtful, sending) })
	}
}

// sendEntry adds one entry to the log and returns the outcome.
func (w *worker) sendEntry(ctx context.Context, e gateway.Claimed) gateway.Outcome {
	ctx, cancel := context.WithTimeout(ctx, w.timing.AddTimeout)
	defer cancel()
	started := time.Now()
	inclusion, err := w.log.Add(ctx, e.Prepared())
	killpoint.Reach(killpoint.Answered)
	o := decideOutcome(e, inclusion, err, retryDelay(e.Attempts))
	if err != nil {
		w.logger.Warn("entry not logged yet", "entry", e.ID, "attempt", e.Attempts, "problem", o.Problem, "error", err)
	}
	w.countAttempt(o, time.Since(started))
	w.noteDegraded(o)
	return o
}

// noteDegraded tells the operator when the log lets this gateway in no more, and when it does again.
// What does not reach the log says nothing of that.
func (w *worker) noteDegraded(o gateway.Outcome) {
	forbidden := o.Problem == gateway.ProblemForbidden
	if !forbidden && o.Inclusion == nil || w.degraded.Swap(forbidden) == forbidden {
		return
	}
	if forbidden {
		w.logger.Error("the log does not let this gateway in; entries wait", "remedy", "see to the gateway's credentials and to what stands before the log")
	} else {
		w.logger.Info("the log lets this gateway in again")
	}
	if w.metrics.Degraded != nil {
		w.metrics.Degraded(w.log.Describe().ID, forbidden)
	}
}

func (w *worker) countAttempt(o gateway.Outcome, d time.Duration) {
	if w.metrics.Attempted == nil {
		return
	}
	name := "logged"
	if o.Inclusion == nil {
		name = o.Problem
	}
	w.metrics.Attempted(w.log.Describe().ID, name, d)
}

// finishAll stores outcomes as they come, many in one transaction, until the channel closes.
func (w *worker) finishAll(ctx context.Context) {
	for o := range w.outcomes {
		batch := []gateway.Outcome{o}
		for len(batch) < finishBatch && len(w.outcomes) > 0 {
			batch = append(batch, <-w.outcomes)
		}
		w.storeOutcomes(ctx, batch)
	}
}

func (w *worker) storeOutcomes(ctx context.Context, batch []gateway.Outcome) {
	killpoint.Reach(killpoint.BeforeFinish)
	w.held.releaseOutcomes(batch)
	ids, err := w.store.Finish(ctx, batch)
	if err != nil {
		// Not stored: the leases run out and the entries are settled from the log's tiles.
		w.logger.Error("storing outcomes", "entries", len(batch), "error", err)
	}
	killpoint.Reach(killpoint.Finished)
	w.changed(ids)
	w.wakeWorker() // there is room in the in-flight bound again
}
