// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Failover says which logs take over from one another, where a submission was planned so (gateway.NewSubmission.Takeover).
type Failover struct {
	Logs  []string      // IDs, the preferred ones first; none: nothing is handed on
	After time.Duration // for how long a log is unusable before what waits for it is handed on
}

// How what waits for a log that cannot be used is handed on.
const (
	movePage  = 256              // entries looked at in one transaction
	passEvery = 15 * time.Second // between two looks through the queue of one log
	// trialEvery is how often a log that stalled, and that nothing is sent to any more, is tried by a probe. Where there are
	// none it is tried by what comes within trialTime, after each trialAfter.
	trialEvery = 30 * time.Second
	trialTime  = 30 * time.Second
	trialAfter = 5 * time.Minute
)

// failover watches all logs, and hands on what waits for those that cannot be used. Of a log that is in doubt of
// anything, that stays.
type failover struct {
	delivery *Delivery
	store    gateway.Work
	sets     atomic.Pointer[[]Failover]
	view     atomic.Pointer[view]

	// Owned by the goroutine of Run:
	downSince map[string]time.Time // logs that cannot be used
	passedAt  map[string]time.Time // when the queue of a log was last looked through
	triedAt   map[string]time.Time // when a log that stalls was last tried
}

// view is what was last seen of all logs.
type view struct {
	retired  map[string]bool
	problems map[string]string // a gateway.Problem of those that cannot be used
	pending  map[string]int
	bytes    map[string]int64
}

func newFailover(d *Delivery, cfg Config) *failover {
	f := &failover{
		delivery: d, store: cfg.Store, downSince: map[string]time.Time{}, passedAt: map[string]time.Time{},
		triedAt: map[string]time.Time{},
	}
	f.sets.Store(&cfg.Failover)
	f.view.Store(&view{})
	return f
}

// SetFailover changes which logs take over from one another. Sets may have logs in common.
func (d *Delivery) SetFailover(sets ...Failover) { d.failover.sets.Store(&sets) }

// takeoversOf returns the logs of all sets that take over from a log, the preferred ones first, and the shortest time after which
// they do; none: nothing of it is handed on. Which of them a submission may go to the store knows.
func (f *failover) takeoversOf(log string) (others []string, after time.Duration) {
	for _, set := range *f.sets.Load() {
		if !slices.Contains(set.Logs, log) {
			continue
		}
		if len(others) == 0 || set.After < after {
			after = set.After
		}
		for _, id := range set.Logs {
			if id != log && !slices.Contains(others, id) {
				others = append(others, id)
			}
		}
	}
	return others, after
}

// Waiting returns how many entries are pending for a log, and the bytes stored for them, as they were last counted.
func (d *Delivery) Waiting(log string) (entries int, bytes int64) {
	v := d.failover.view.Load()
	return v.pending[log], v.bytes[log]
}

// ProblemOf returns why a log cannot be used now, a gateway.Problem, or "".
func (d *Delivery) ProblemOf(log string) string {
	if d.failover.view.Load().retired[log] {
		return gateway.ProblemRetired
	}
	w := (*d.workers.Load())[log]
	if w == nil {
		return gateway.ProblemUnavailable
	}
	if problem := w.health.currentProblem(); problem != "" {
		return problem
	}
	_, problem := w.stall.lasts(time.Now())
	return problem
}

// IntegrationDelay returns how long a log may take to include what it was sent, 0 of one that is not delivered to.
func (d *Delivery) IntegrationDelay(log string) time.Duration {
	if w := (*d.workers.Load())[log]; w != nil {
		return w.log.Describe().IntegrationDelay
	}
	return 0
}

// IsUsable reports whether what comes next may go to a log: it can be used, or stalls and is tried by that.
func (d *Delivery) IsUsable(log string) bool {
	if d.ProblemOf(log) == "" {
		return true
	}
	w := (*d.workers.Load())[log]
	return w != nil && w.probe == nil && !d.failover.view.Load().retired[log] && w.health.currentProblem() == "" && w.stall.isOnTrial(time.Now())
}

// nextOf returns the logs to which goes what a log refuses: those that can be used first.
func (f *failover) nextOf(log string) []string {
	problems := f.view.Load().problems
	var usable, others []string
	logs, _ := f.takeoversOf(log)
	for _, id := range logs {
		if problems[id] == "" {
			usable = append(usable, id)
		} else {
			others = append(others, id)
		}
	}
	return append(usable, others...)
}

// watchUntil looks at the logs until ctx ends.
func (f *failover) watchUntil(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	failed := false
	for {
		err := f.lookOnce(ctx, time.Now())
		if err != nil && ctx.Err() == nil && !failed { // once, not every second for as long as a database is down
			f.delivery.cfg.Logger.Warn("looking at the logs' queues", "error", err)
		}
		failed = err != nil
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// lookOnce looks at all logs, and hands on what is to be handed on.
func (f *failover) lookOnce(ctx context.Context, now time.Time) error {
	if err := f.readView(ctx); err != nil {
		return err
	}
	problems := f.view.Load().problems
	for id, w := range *f.delivery.workers.Load() {
		lasts := f.watchStall(ctx, w.worker, now)
		if problems[id] == "" {
			delete(f.downSince, id)
			delete(f.passedAt, id)
		} else if _, ok := f.downSince[id]; !ok {
			f.downSince[id] = now.Add(-lasts)
		}
	}
	var errs []error
	for _, id := range slices.Sorted(maps.Keys(f.downSince)) {
		others, after := f.takeoversOf(id)
		if len(others) == 0 || now.Sub(f.downSince[id]) < after || now.Sub(f.passedAt[id]) < passEvery {
			continue
		}
		f.passedAt[id] = now
		errs = append(errs, f.handOn(ctx, id, others))
	}
	return errors.Join(errs...)
}

func (f *failover) readView(ctx context.Context) error {
	names, err := f.store.RetiredLogs(ctx)
	if err != nil {
		return err
	}
	stats, err := f.store.Stats(ctx)
	if err != nil {
		return err
	}
	v := &view{retired: map[string]bool{}, problems: map[string]string{}, pending: stats.Pending, bytes: stats.PendingBytes}
	for _, name := range names {
		v.retired[name] = true
	}
	before := f.view.Swap(v)
	for id := range *f.delivery.workers.Load() {
		if problem := f.delivery.ProblemOf(id); problem != "" {
			v.problems[id] = problem
		}
		if v.retired[id] && !before.retired[id] {
			f.delivery.cfg.Logger.Warn("the log is retired: nothing is recorded in it; take it out of the configuration", "log", id)
		}
	}
	return nil
}

// handOn moves what waits for a log, as far as it may, to the others, the first that can be used before the next.
func (f *failover) handOn(ctx context.Context, from string, others []string) error {
	problems := f.view.Load().problems
	for _, to := range others {
		if problems[to] != "" {
			continue
		}
		if err := f.moveAll(ctx, from, to); err != nil {
			return err
		}
	}
	return nil
}

func (f *failover) moveAll(ctx context.Context, from, to string) error {
	p := gateway.MoveParams{From: from, To: to, Planned: true, Limit: movePage}
	submissions := 0
	for {
		m, err := f.store.Move(ctx, p)
		if errors.Is(err, gateway.ErrRetired) { // since the last look
			return nil
		}
		if w := (*f.delivery.workers.Load())[from]; w != nil && errors.Is(err, gateway.ErrDoubtFirst) { // it cannot be read, so that nothing is claimed for it
			return w.putInDoubt(ctx)
		}
		if err != nil {
			return err
		}
		submissions += m.Submissions
		f.delivery.cfg.Changed(m.Changed)
		if !m.More {
			break
		}
		p.After = m.Next
	}
	if submissions > 0 {
		f.delivery.cfg.Metrics.FailedOver(from, to, submissions)
		f.delivery.cfg.Logger.Warn("what was not sent to a log that cannot be used goes to another", "from", from, "to", to,
			"submissions", submissions, "problem", f.view.Load().problems[from])
		if w := (*f.delivery.workers.Load())[to]; w != nil {
			w.wakeWorker()
		}
	}
	return nil
}

// watchStall tells the operator when a log stalls, tries one that does, and returns for how long it has.
func (f *failover) watchStall(ctx context.Context, w *worker, now time.Time) time.Duration {
	lasts, problem := w.stall.lasts(now)
	if w.stall.noteTold(lasts > 0) {
		w.tellStall(problem)
	}
	switch {
	case lasts == 0:
		delete(f.triedAt, w.id)
	case w.probe == nil && lasts > trialAfter && w.health.isForbidden():
		w.noteIncluded() // what comes next shows
	case w.probe != nil && now.Sub(f.triedAt[w.id]) >= trialEvery && w.stall.trying.CompareAndSwap(false, true):
		f.triedAt[w.id] = now
		f.delivery.trials.Go(func() {
			defer w.stall.trying.Store(false)
			w.sendProbe(ctx, w.log.Describe().Shard)
		})
	}
	return lasts
}

func (w *worker) tellStall(problem string) {
	w.tellDegraded()
	if problem != "" {
		w.logger.Warn("the log can be read, and includes nothing of what it is sent", "problem", problem)
	} else {
		w.logger.Info("the log includes what it is sent again")
	}
}
