// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Delivery has one worker for each log. Methods are safe for concurrent use.
type Delivery struct {
	cfg     Config
	workers atomic.Pointer[map[string]*runningWorker] // by log ID; replaced as a whole, under mu

	mu      sync.Mutex      // guards what follows, and the replacing of workers
	ctx     context.Context // of Run; nil while it does not run
	running sync.WaitGroup  // workers; begun under mu

	unconfigured atomic.Pointer[map[string]int] // pending entries, by the log that is not configured
	changed      chan struct{}                  // the logs are others

	failover *failover
	trials   sync.WaitGroup // probes of logs that stalled
}

// runningWorker is a worker and what ends it.
type runningWorker struct {
	*worker
	stop context.CancelFunc // nil: it does not run
	done chan struct{}      // closed once it has drained
}

// New returns a delivery that sends nothing until Run.
func New(cfg Config) *Delivery {
	cfg.Timing, cfg.Metrics = cfg.Timing.withDefaults(), cfg.Metrics.withDefaults()
	d := &Delivery{cfg: cfg, changed: make(chan struct{}, 1)}
	d.workers.Store(&map[string]*runningWorker{})
	d.unconfigured.Store(&map[string]int{})
	d.failover = newFailover(d, cfg)
	d.SetLogs(cfg.Logs)
	return d
}

// Run works until ctx ends, then lets what is under way finish for at most the drain time. What a
// crash interrupts is settled by the next Run, here or in another process, after its lease has
// expired.
func (d *Delivery) Run(ctx context.Context) {
	d.mu.Lock()
	d.ctx = ctx
	for _, w := range *d.workers.Load() {
		d.startWorker(w)
	}
	d.running.Go(func() {
		defer d.trials.Wait()
		d.failover.watchUntil(ctx, d.cfg.Timing.Poll)
	})
	d.mu.Unlock()
	d.watchUnconfigured(ctx)
	d.mu.Lock()
	d.ctx = nil
	d.mu.Unlock()
	d.running.Wait()
}

// startWorker starts w. The caller holds the lock, and Run is on.
func (d *Delivery) startWorker(w *runningWorker) {
	ctx, stop := context.WithCancel(d.ctx)
	w.stop = stop
	d.running.Go(func() {
		defer close(w.done)
		defer stop()
		w.runWorker(ctx)
	})
}

// SetLogs has these logs delivered to from now on. A log that has a worker already, by its ID, goes on, within
// what Config.Limits returns now. The
// workers of the others are stopped: what is under way may finish as in Run, and then drained is closed, after which those logs
// may be. What is still pending for them stays so.
func (d *Delivery) SetLogs(logs []gateway.Log) (drained <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before, now := *d.workers.Load(), map[string]*runningWorker{}
	for _, l := range logs {
		id := l.Describe().ID
		if now[id] = before[id]; now[id] != nil {
			now[id].budget.setLimits(d.cfg.limitsOf(id))
			continue
		}
		w := newWorker(l, d.cfg)
		w.next = func() []string { return d.failover.nextOf(id) }
		now[id] = &runningWorker{worker: w, done: make(chan struct{})}
		if d.ctx != nil {
			d.startWorker(now[id])
		}
	}
	d.workers.Store(&now)
	select {
	case d.changed <- struct{}{}:
	default:
	}
	var gone []*runningWorker
	for id, w := range before {
		if now[id] == nil && w.stop != nil {
			w.stop()
			gone = append(gone, w)
		}
	}
	return awaitWorkers(gone)
}

// awaitWorkers returns a channel that is closed once all of them have drained. What was said of their logs is taken back then.
func awaitWorkers(gone []*runningWorker) <-chan struct{} {
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for _, w := range gone {
			<-w.done
			w.metrics.Halted(w.id, false)
			w.metrics.Degraded(w.id, false)
			w.metrics.InDoubt(w.id, 0, 0)
			w.metrics.InFlight(w.id, 0, 0)
			w.metrics.Breaker(w.id, gobreaker.StateClosed.String())
		}
	}()
	return drained
}

// Wake tells the workers of sub's logs that there may be work. It is only a shortcut: they also look
// by themselves now and then.
func (d *Delivery) Wake(sub gateway.Submission) {
	workers := *d.workers.Load()
	for _, e := range sub.Entries {
		if w := workers[e.Log]; w != nil && e.State == gateway.Pending {
			w.wakeWorker()
		}
	}
}

// WakeLogs tells the workers of these logs, or of all where none is named, that there may be work: another process has brought it.
func (d *Delivery) WakeLogs(ids ...string) {
	workers := *d.workers.Load()
	if len(ids) == 0 {
		for _, w := range workers {
			w.wakeWorker()
		}
	}
	for _, id := range ids {
		if w := workers[id]; w != nil {
			w.wakeWorker()
		}
	}
}

// Degraded returns the logs that cannot be used now, or that have entries that wait for somebody, each with a gateway.Problem
// or gateway.Trouble that says why. What is for them is accepted, and waits.
func (d *Delivery) Degraded() map[string]string {
	degraded := map[string]string{}
	for id := range *d.unconfigured.Load() {
		degraded[id] = gateway.TroubleNotConfigured
	}
	for id, w := range *d.workers.Load() {
		if problem := cmp.Or(d.ProblemOf(id), w.health.describeProblem()); problem != "" {
			degraded[id] = problem
		}
	}
	return degraded
}

// watchUnconfigured tells the operator of entries that are pending for logs that have no worker, until ctx ends.
func (d *Delivery) watchUnconfigured(ctx context.Context) {
	for ctx.Err() == nil {
		if stats, err := d.cfg.Store.Stats(ctx); err == nil { // else the workers say so
			d.noteUnconfigured(stats.Pending)
		}
		select {
		case <-ctx.Done():
		case <-d.changed:
		case <-time.After(d.cfg.Timing.Idle):
		}
	}
}

func (d *Delivery) noteUnconfigured(pending map[string]int) {
	workers, now := *d.workers.Load(), map[string]int{}
	for id, n := range pending {
		if workers[id] == nil && n > 0 && !slices.Contains(d.cfg.Elsewhere, id) {
			now[id] = n
		}
	}
	before := *d.unconfigured.Swap(&now)
	if maps.Equal(before, now) {
		return
	}
	for id, n := range now {
		d.cfg.Logger.Warn("entries are pending for a log that is not configured; they wait until it is configured again, or they are given to another log", "log", id, "entries", n)
	}
}
