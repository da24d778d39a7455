// SPDX-License-Identifier: Apache-2.0

package lookup

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	rateWindow    = 10               // seconds over which the rate of a log is measured
	queueAge      = 2 * time.Second  // how old what is known of the queue may be before it is read again
	oldestQueue   = 30 * time.Second // how old it may be while somebody else reads it
	queueTimeout  = 5 * time.Second  // to read it
	usualAddTime  = 10 * time.Second // until a log has answered: what Rekor takes to show an entry
	settlingDelay = 30 * time.Second // for an entry in doubt to be looked for and sent again
	longestETA    = 30 * 24 * time.Hour
)

// EstimatorConfig is what an Estimator is made of.
type EstimatorConfig struct {
	Stats func(context.Context) (gateway.Stats, error)
	Lines func(context.Context) ([]gateway.Line, error)
	// Degraded returns the logs that cannot be used now, each with a gateway.Problem.
	Degraded func() map[string]string
	// Own is how long a record of a log of the gateway's own takes, by the log's ID: it waits for an anchor, and for none before it.
	Own map[string]time.Duration
	// IntegrationDelay is how long a log may take to include what it was sent: after that what is not found in it is sent again. It must not
	// block. Nil: that is not known.
	IntegrationDelay func(log string) time.Duration
	Now              func() time.Time
}

// Estimator says when submissions will be logged. It counts nothing for a request: what stands in line is read every
// two seconds at most, and a submission's place in it follows from its entries' IDs, as if all that is there went in the
// order of age. How fast a log is follows from what this process has logged in the last ten seconds,
// or from how much is under way and how long that takes, whichever is more. Methods are safe for concurrent use.
type Estimator struct {
	cfg EstimatorConfig

	reading sync.Mutex // held while the queue is read; nobody waits for it
	mu      sync.Mutex // guards what follows; never held while the store is asked, since deliveries wait for it
	paces   map[string]*pace
	queue   queue
}

// pace is how fast a log is, as seen lately.
type pace struct {
	logged  [rateWindow + 1]int // by second
	second  int64               // the last one that logged has
	addTime time.Duration       // of entries that were logged, averaged
}

// queue is what waited at a time.
type queue struct {
	readAt time.Time
	leased map[string]int
	lines  map[lineKey]gateway.Line
}

type lineKey struct {
	log      string
	priority gateway.Priority
}

// NewEstimator returns an Estimator that has seen nothing yet.
func NewEstimator(cfg EstimatorConfig) *Estimator {
	return &Estimator{cfg: cfg, paces: map[string]*pace{}}
}

// NoteLogged notes that an entry was logged, and how long its log took for it.
func (e *Estimator) NoteLogged(log string, took time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p := e.paces[log]
	if p == nil {
		p = &pace{addTime: took}
		e.paces[log] = p
	}
	p.addTime += (took - p.addTime) / 16
	second := e.cfg.Now().Unix()
	p.forgetBefore(second)
	p.logged[second%int64(len(p.logged))]++
}

// forgetBefore empties the seconds since the last one, up to the given one.
func (p *pace) forgetBefore(second int64) {
	for s := max(p.second+1, second-rateWindow); s <= second; s++ {
		p.logged[s%int64(len(p.logged))] = 0
	}
	p.second = max(p.second, second)
}

// measureRate returns entries a second over the last whole seconds.
func (p *pace) measureRate(second int64) float64 {
	p.forgetBefore(second)
	sum := 0
	for _, n := range p.logged {
		sum += n
	}
	return float64(sum-p.logged[second%int64(len(p.logged))]) / rateWindow
}

// Estimate returns when sub will be logged. It is a guess: nothing rests on it.
func (e *Estimator) Estimate(ctx context.Context, sub gateway.Submission) gateway.Estimate {
	if sub.State.Settled() {
		return gateway.Estimate{}
	}
	now, degraded := e.cfg.Now(), e.cfg.Degraded()
	e.refreshQueue(ctx, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queue.lines == nil || e.queue.age(now) > oldestQueue {
		return gateway.Estimate{}
	}
	var usable []time.Duration
	var delays []gateway.Delay
	for log, w := range e.estimateLogs(sub, now) {
		problem := degraded[log]
		switch {
		case w.refused:
		case !w.done && problem != "" && (w.inDoubt || problem != gateway.TroubleFormerShard): // else the log itself can be used
			delays = append(delays, gateway.Delay{Log: log, Problem: problem})
		case !w.unknown:
			usable = append(usable, w.wait)
		}
	}
	if len(usable) < sub.Needed {
		slices.SortFunc(delays, func(a, b gateway.Delay) int { return cmp.Compare(a.Log, b.Log) })
		return gateway.Estimate{Delays: delays}
	}
	slices.Sort(usable)
	return gateway.Estimate{At: now.Add(min(usable[sub.Needed-1], longestETA)).Round(time.Millisecond)}
}

// logWait is how long it takes until a log has all entries of a submission for it.
type logWait struct {
	wait    time.Duration
	done    bool // it has them
	refused bool // it will never have one of them
	unknown bool // nobody can say
	inDoubt bool // one of them may be in it, and is looked for
}

func (e *Estimator) estimateLogs(sub gateway.Submission, now time.Time) map[string]logWait {
	all := map[string]logWait{}
	for _, entry := range sub.Entries {
		w, seen := all[entry.Log]
		wait, ok := e.estimateEntry(sub, entry, now)
		w.done = (w.done || !seen) && entry.State == gateway.Logged
		w.wait, w.unknown = max(w.wait, wait), w.unknown || !ok
		w.refused = w.refused || entry.State == gateway.Failed
		w.inDoubt = w.inDoubt || entry.State == gateway.Pending && entry.InDoubt && entry.Problem != ""
		all[entry.Log] = w
	}
	return all
}

// refreshQueue reads what waits, unless that is known, or somebody else does. It is read for all who ask, so that one who has left
// already spoils it for nobody.
func (e *Estimator) refreshQueue(ctx context.Context, now time.Time) {
	if e.isFresh(now) || !e.reading.TryLock() {
		return
	}
	defer e.reading.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	q := e.readQueue(ctx, now)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = q
}

func (e *Estimator) isFresh(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.queue.age(now) < queueAge
}

// age is how long ago q was read. A clock that was set back makes it old.
func (q queue) age(now time.Time) time.Duration {
	if age := now.Sub(q.readAt); age >= 0 {
		return age
	}
	return math.MaxInt64
}

// readQueue returns a queue without lines where the store does not say.
func (e *Estimator) readQueue(ctx context.Context, now time.Time) queue {
	q := queue{readAt: now}
	stats, err := e.cfg.Stats(ctx)
	if err != nil {
		return q
	}
	lines, err := e.cfg.Lines(ctx)
	if err != nil {
		return q
	}
	q.leased, q.lines = stats.Leased, make(map[lineKey]gateway.Line, len(lines))
	for _, l := range lines {
		q.lines[lineKey{l.Log, l.Priority}] = l
	}
	for log, pending := range stats.Pending {
		q.completeLines(log, pending-stats.Leased[log])
	}
	return q
}

// completeLines makes lines that were not counted to their ends as long as they must be for so many entries to wait for log. Of two such,
// that of Backfill is taken to have the rest.
func (q queue) completeLines(log string, waiting int) {
	others := map[gateway.Priority]gateway.Priority{gateway.Backfill: gateway.Interactive, gateway.Interactive: gateway.Backfill}
	for _, p := range []gateway.Priority{gateway.Backfill, gateway.Interactive} {
		l, other := q.lines[lineKey{log, p}], q.lines[lineKey{log, others[p]}]
		if l.Entries >= gateway.MaxLine {
			l.Entries = max(l.Entries, waiting-other.Entries)
			q.lines[lineKey{log, p}] = l
		}
	}
}

// estimateEntry returns how long it takes until an entry of sub is logged; 0 when it is. It is not known where others wait and
// nothing was logged lately.
func (e *Estimator) estimateEntry(sub gateway.Submission, entry gateway.Entry, now time.Time) (wait time.Duration, ok bool) {
	if entry.State != gateway.Pending {
		return 0, true
	}
	if wait, own := e.cfg.Own[entry.Log]; own {
		return wait, true
	}
	p := e.paces[entry.Log]
	if p == nil {
		p = &pace{addTime: usualAddTime}
	}
	if entry.InDoubt {
		return e.estimateDoubt(entry, now) + p.addTime, true
	}
	ahead := e.countAhead(lineKey{entry.Log, sub.Priority}, entry.ID, now.Sub(sub.CreatedAt))
	if sub.Priority == gateway.Backfill {
		ahead += float64(e.queue.lines[lineKey{entry.Log, gateway.Interactive}].Entries)
	}
	if ahead >= 1 {
		rate := max(p.measureRate(now.Unix()), float64(e.queue.leased[entry.Log])/max(p.addTime.Seconds(), 0.001))
		if rate == 0 {
			return 0, false
		}
		wait = time.Duration(min(ahead/rate, longestETA.Seconds()) * float64(time.Second))
	}
	if !entry.NextAt.IsZero() {
		wait = max(wait, entry.NextAt.Sub(now))
	}
	return wait + p.addTime, true
}

// estimateDoubt returns how long it takes until an entry that may be in the log is found there or sent again. What is in it is found soon.
func (e *Estimator) estimateDoubt(entry gateway.Entry, now time.Time) time.Duration {
	wait := max(settlingDelay, entry.NextAt.Sub(now))
	sent := now.Sub(entry.LastSentAt)
	switch {
	case entry.LastSentAt.IsZero() || sent.Abs() < settlingDelay: // its time, by another clock, is renewed while it is under way
		if entry.Problem == "" {
			wait = 0
		}
	case e.cfg.IntegrationDelay != nil: // it was not found, or counts as sent until a time to come
		wait = max(wait, e.cfg.IntegrationDelay(entry.Log)-sent)
	}
	return wait
}

// countAhead returns about how many entries of a line are older than one that has this ID, 0 where it is not known, and was queued so long
// ago. Those between the first and it are no more than their IDs are apart. Without its ID it is as if all had come evenly, which those of an
// outage or a backfill have not.
func (e *Estimator) countAhead(key lineKey, id int64, age time.Duration) float64 {
	l := e.queue.lines[key]
	oldest := l.Oldest + e.cfg.Now().Sub(e.queue.readAt)
	switch {
	case oldest <= 0 || age >= oldest:
		return 0
	case id > 0 && l.First > 0:
		return float64(min(int64(l.Entries), max(id-l.First, 0)))
	}
	return float64(l.Entries) * float64(oldest-max(age, 0)) / float64(oldest)
}
