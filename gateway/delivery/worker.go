// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// worker sends one log's pending entries to it, and settles what is in doubt. Workers of several processes
// may share one store.
type worker struct {
	id        string // the log's
	log       gateway.Log
	store     gateway.Work
	blobs     gateway.Blobs // nil: none
	artifacts *artifactLine
	probe     func(context.Context, gateway.Log) (gateway.Prepared, error) // nil: none
	timing    Timing
	logger    *slog.Logger
	metrics   Metrics
	changed   func([]gateway.Progress) // what Finish or Settle returned
	next      func() []string          // logs to which goes what this one refuses

	woken    chan struct{}  // one waiting wake-up is enough
	outcomes chan *result   // of every goroutine that sends; closed once they have ended
	sending  sync.WaitGroup // all that may have outcomes yet
	held     *leases
	ahead    ahead
	budget   *budget
	size     knownSize
	health   health
	shards   shards
	stall    stall
	late     lateEntries

	// Owned by the goroutine that claims:
	settledPast bool          // what a former life may have sent is in doubt
	claimedAt   time.Time     // when the store was last asked for entries
	claimedFor  gateway.Shard // the one that it was asked for
	claimSize   int           // how many the next claim asks for
}

func newWorker(log gateway.Log, cfg Config) *worker {
	id := log.Describe().ID
	return &worker{
		id: id, log: log, store: cfg.Store, blobs: cfg.Blobs, artifacts: newArtifactLine(), probe: cfg.Probe,
		timing: cfg.Timing, metrics: cfg.Metrics, changed: cfg.Changed, logger: cfg.Logger.With("log", id),
		woken: make(chan struct{}, 1), outcomes: make(chan *result, MaxInFlight), held: newLeases(cfg.Timing.Lease), budget: newBudget(id, cfg.limitsOf(id), cfg.Timing, cfg.Metrics, cfg.Shared),
		size:   knownSize{idle: cfg.Timing.Idle},
		shards: newShards(), stall: stall{after: cfg.Timing.Stalled}, claimSize: claimLimit,
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
	var finishing, settling sync.WaitGroup
	finishing.Go(func() { w.finishAll(storing) })
	extending, stopExtending := context.WithCancel(work)
	defer stopExtending()
	finishing.Go(func() { w.extendLeases(extending) })
	settling.Go(func() { w.settleUntil(ctx) })
	w.claimUntil(ctx, work)
	w.ahead.close()
	w.returnAhead(0)
	w.artifacts.close()

	drained := make(chan struct{})
	go func() { w.sending.Wait(); close(drained) }()
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
	settling.Wait()
}
