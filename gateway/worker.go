// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// WorkerConfig tunes a Worker; zero fields take the defaults given here.
type WorkerConfig struct {
	InFlight    int           // entries leased at once per log, over all processes: 1024
	AddTimeout  time.Duration // for one entry to be included: 60 s
	Lease       time.Duration // after which another process takes over from a dead one: 15 s
	SettleAfter time.Duration // after an unknown outcome, how long the log may still include it: 30 s
	Poll        time.Duration // how often to look for work that nobody announced: 1 s
	Drain       time.Duration // how long entries under way may take at shutdown: 20 s
}

func (c WorkerConfig) withDefaults() WorkerConfig {
	setDefault(&c.InFlight, 1024)
	setDefault(&c.AddTimeout, 60*time.Second)
	setDefault(&c.Lease, 15*time.Second)
	setDefault(&c.SettleAfter, 30*time.Second)
	setDefault(&c.Poll, time.Second)
	setDefault(&c.Drain, 20*time.Second)
	return c
}

func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// Worker takes one log's pending entries to the log. Several may run on one store.
type Worker struct {
	log     Log
	store   Store
	cfg     WorkerConfig
	now     func() time.Time
	logger  *slog.Logger
	metrics *WorkerMetrics
	changed func(ids []string) // submissions that Finish changed

	wake     chan struct{}
	outcomes chan Outcome
	held     leases
}

// WorkerMetrics are what a worker counts; every field may be nil.
type WorkerMetrics struct {
	Outcome func(log, outcome string, d time.Duration) // one entry's attempt ended
	Halted  func(log string, halted bool)              // submissions stopped: the log is forked
}

// NewWorker returns a worker for log; changed is called with the IDs of submissions that changed.
func NewWorker(log Log, store Store, cfg WorkerConfig, logger *slog.Logger, m *WorkerMetrics, changed func([]string)) *Worker {
	cfg = cfg.withDefaults()
	return &Worker{
		log: log, store: store, cfg: cfg, now: time.Now, metrics: m, changed: changed,
		logger: logger.With("log", log.Describe().ID),
		wake:   make(chan struct{}, 1), outcomes: make(chan Outcome, cfg.InFlight), held: newLeases(),
	}
}

// Wake tells the worker that there may be work.
func (w *Worker) Wake() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, then lets what is under way finish for at most Drain. What a
// crash interrupts is settled by the next Run after the lease has expired.
func (w *Worker) Run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var sending, finishing sync.WaitGroup
	finishing.Go(func() { w.finishAll(work) })
	extending, stopExtending := context.WithCancel(work)
	defer stopExtending()
	finishing.Go(func() { w.extendLeases(extending) })
	w.claimUntil(ctx, work, &sending)

	drained := make(chan struct{})
	go func() { sending.Wait(); close(drained) }()
	select {
	case <-drained:
	case <-time.After(w.cfg.Drain):
		cancel() // Adds under way end in doubt
		<-drained
	}
	close(w.outcomes)
	stopExtending()
	finishing.Wait()
}

// claimUntil claims and sends until ctx ends; what it started goes on under work.
func (w *Worker) claimUntil(ctx, work context.Context, sending *sync.WaitGroup) {
	failures := 0
	for ctx.Err() == nil {
		claimed, err := w.claim(ctx)
		if err != nil {
			failures++
			w.claimFailed(ctx, err, failures)
			continue
		}
		failures = 0
		w.start(work, claimed, sending)
		if len(claimed) > 0 {
			continue
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-time.After(w.cfg.Poll):
		}
	}
}

// claimFailed says why nothing can be claimed and waits before the next try.
func (w *Worker) claimFailed(ctx context.Context, err error, failures int) {
	if ctx.Err() != nil {
		return
	}
	if errors.Is(err, ErrFork) {
		w.halted(true)
		w.logger.Error("submissions to this log are stopped: it has forked; both checkpoints are kept as evidence")
	} else {
		w.logger.Warn("log or store is unavailable", "error", err, "failures", failures)
	}
	select {
	case <-ctx.Done():
	case <-time.After(min(retryDelay(failures), 15*time.Second)):
	}
}

func (w *Worker) halted(h bool) {
	if w.metrics != nil && w.metrics.Halted != nil {
		w.metrics.Halted(w.log.Describe().ID, h)
	}
}

// claim leases due entries. The log's size is read first, so that it is recorded with an
// entry before the entry is first sent.
func (w *Worker) claim(ctx context.Context) ([]Entry, error) {
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
	entries, err := w.store.Claim(ctx, ClaimParams{
		Log: w.log.Describe().ID, Now: w.now(), Lease: w.cfg.Lease,
		Limit: commitBatch, InFlight: w.cfg.InFlight, TreeSize: size,
	})
	if len(entries) > 0 {
		killpoint("claimed")
	}
	return w.held.add(entries), err
}

// start sends fresh entries, each on its own, and settles the doubtful ones together.
func (w *Worker) start(ctx context.Context, claimed []Entry, sending *sync.WaitGroup) {
	var doubtful []Entry
	for _, e := range claimed {
		if e.InDoubt {
			doubtful = append(doubtful, e)
			continue
		}
		sending.Go(func() { w.outcomes <- w.send(ctx, e) })
	}
	if len(doubtful) > 0 {
		sending.Go(func() { w.settle(ctx, doubtful, sending) })
	}
}

// send adds one entry and says what became of it.
func (w *Worker) send(ctx context.Context, e Entry) Outcome {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.AddTimeout)
	defer cancel()
	started := time.Now()
	inclusion, err := w.log.Add(ctx, e)
	killpoint("answered")
	o := w.outcome(e, inclusion, err)
	w.count(o, time.Since(started))
	return o
}

func (w *Worker) count(o Outcome, d time.Duration) {
	if w.metrics == nil || w.metrics.Outcome == nil {
		return
	}
	name := "logged"
	if o.Inclusion == nil {
		name = o.Problem
	}
	w.metrics.Outcome(w.log.Describe().ID, name, d)
}

// Problems of entries, as callers see them.
const (
	ProblemRefused     = "LOG_REFUSED"
	ProblemOverloaded  = "LOG_OVERLOADED"
	ProblemUnavailable = "LOG_UNAVAILABLE"
	ProblemBadAnswer   = "LOG_ANSWER_INVALID"
	ProblemFork        = "LOG_FORKED"
	ProblemUnknown     = "OUTCOME_UNKNOWN"
)

// outcome sorts what Add answered. Everything that may have been logged stays in doubt.
func (w *Worker) outcome(e Entry, inclusion *Inclusion, err error) Outcome {
	o := Outcome{EntryID: e.ID, Fence: e.Fence}
	retryAt := w.now().Add(retryDelay(e.Attempts))
	var overload *OverloadError
	switch {
	case err == nil:
		o.Inclusion = inclusion
	case errors.Is(err, ErrRefused):
		o.Fail, o.Problem = true, ProblemRefused
	case errors.As(err, &overload):
		o.Problem, o.RetryAt = ProblemOverloaded, w.now().Add(max(overload.RetryAfter, retryDelay(e.Attempts)))
	case errors.Is(err, ErrNotSent):
		o.Problem, o.RetryAt = ProblemUnavailable, retryAt
	case errors.Is(err, ErrFork):
		o.Problem, o.RetryAt, o.InDoubt, o.SentAt = ProblemFork, retryAt, true, w.now()
	case errors.Is(err, ErrBadAnswer):
		o.Problem, o.RetryAt, o.InDoubt, o.SentAt = ProblemBadAnswer, retryAt, true, w.now()
	default:
		o.Problem, o.RetryAt, o.InDoubt, o.SentAt = ProblemUnknown, retryAt, true, w.now()
	}
	if err != nil {
		w.logger.Warn("entry not logged yet", "entry", e.ID, "attempt", e.Attempts, "problem", o.Problem, "error", err)
	}
	return o
}

// finishAll stores outcomes as they come, many in one transaction, until the channel closes.
func (w *Worker) finishAll(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	for o := range w.outcomes {
		batch := []Outcome{o}
		for len(batch) < commitBatch && len(w.outcomes) > 0 {
			batch = append(batch, <-w.outcomes)
		}
		w.finish(ctx, batch)
	}
}

func (w *Worker) finish(ctx context.Context, batch []Outcome) {
	killpoint("before-finish")
	w.held.release(batch)
	ids, err := w.store.Finish(ctx, batch)
	if err != nil {
		// Not stored: the leases run out and the entries are settled from the log's tiles.
		w.logger.Error("storing outcomes", "entries", len(batch), "error", err)
	}
	killpoint("finished")
	w.changed(ids)
	w.Wake() // there is room in the in-flight bound again
}
