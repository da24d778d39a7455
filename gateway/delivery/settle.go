// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Bounds on one pass over what is in doubt.
const (
	settleLimit = 16_384 // entries
	askLimit    = 1024   // entries of a log that is asked for each of them
	askStep     = 64     // of those, in one go
	scanWindow  = 65_536 // indexes of the log searched before what was shown is stored
	nearWindows = 4      // how far from the log's end a search is done in one go
	farWindows  = 4      // how far one that begins before that gets in one pass

	// longestRest is how long at most a log rests that was asked for an entry, before it is asked for that one again.
	longestRest = time.Minute
)

// scanner settles what is in doubt in one shard of a log. There is one for each shard in a process. What has no other owner
// named is owned by its goroutine.
type scanner struct {
	*worker
	shard gateway.Shard
	woken chan struct{} // one waiting wake-up is enough
	seen  map[int64]sighting
	after int64 // what the last page of this round ended with; 0: a round begins
	stuck int   // how many of this round cannot be settled as things stand
	// waitsSince is since when there has always been something that waits for a canary; zero: there is nothing.
	waitsSince time.Time

	probing atomic.Bool // a probe is under way
	probes  sync.WaitGroup
}

// sighting is when this process first saw an entry in doubt: it was not under way any more.
type sighting struct {
	fence   int64
	at      time.Time // monotonic
	askedAt time.Time // when the log was last asked for it, where it is asked for each
	round   bool      // met in this round
}

func newScanner(w *worker, shard gateway.Shard) *scanner {
	return &scanner{worker: w, shard: shard, woken: make(chan struct{}, 1), seen: map[int64]sighting{}}
}

// wakeScanner tells the scanner that something is in doubt.
func (s *scanner) wakeScanner() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// scanUntil looks for what is in doubt until ctx ends.
func (s *scanner) scanUntil(ctx context.Context) {
	defer s.probes.Wait()
	failures := 0
	for ctx.Err() == nil {
		again, err := s.settlePage(ctx)
		wait := s.timing.Poll
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			wait = min(retryDelay(failures, longestRetry), s.longestWait())
			s.logger.Warn("looking for entries in doubt", "origin", s.shard.Origin, "error", err, "failures", failures)
		case again:
			wait = 0
			fallthrough
		default:
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-s.woken:
		case <-time.After(wait):
		}
	}
}

// longestWait bounds the wait after failures. A former shard may be gone for good, and whoever changes what is configured of it
// wakes the scanner.
func (s *scanner) longestWait() time.Duration {
	if s.shard == s.log.Describe().Shard {
		return 15 * time.Second
	}
	return 5 * time.Minute
}

// doubt is an entry in doubt during one pass.
type doubt struct {
	gateway.Doubt
	readAt   time.Time // when SentAgo was true
	seenAt   time.Time
	absentTo uint64 // how far absence is proven: a search for it begins here
	settled  bool   // nothing more is to be done for it in this pass
}

// place is where doubts of a shard can be settled now.
type place struct {
	tree     gateway.Shard // the shard to be read
	current  bool          // that one is written to now, so that it can have new canaries
	closed   bool          // nothing will be included in it any more
	canaries []*canaries   // those that count
}

// findPlace returns where the scanner's shard is to be read.
func (s *scanner) findPlace(ctx context.Context) (p place, err error) {
	info := s.log.Describe()
	if p.tree, err = s.log.TreeOf(ctx, s.shard); err != nil {
		return p, err
	}
	p.current = p.tree == info.Shard && !info.Retired
	p.canaries = []*canaries{s.shards.canariesOf(s.shard)}
	if p.tree != s.shard {
		p.canaries = append(p.canaries, s.shards.canariesOf(p.tree))
	}
	for _, f := range s.log.Former() {
		p.closed = p.closed || f.Shard == p.tree && f.Closed
	}
	return p, nil
}

func (p place) noteSize(size uint64) {
	for _, c := range p.canaries {
		c.noteSize(size)
	}
}

// provesAbsence reports whether the absence of d counts.
func (p place) provesAbsence(d *doubt) bool {
	return slices.ContainsFunc(p.canaries, func(c *canaries) bool { return c.provesAbsence(d.seenAt, d.absentTo) })
}

// settlePage looks for one page of what is in doubt, stores what that shows, and reports whether there is
// more to do at once. Those near the log's end are done first, so that none that has a long way to go
// holds them up.
func (s *scanner) settlePage(ctx context.Context) (again bool, err error) {
	doubts, last, err := s.readDoubts(ctx)
	if err != nil || len(doubts) == 0 {
		return !last, err
	}
	p, size, err := s.readPlace(ctx)
	if err != nil {
		s.stuck += len(doubts)
		return false, err
	}
	p.noteSize(size)
	var counts settleCounts
	ahead, searchErr := s.searchPage(ctx, p.tree, doubts, size, &counts)
	resent, err := s.resendAbsent(ctx, p, doubts, size)
	counts.absent += resent
	s.reportSettled(counts, len(doubts), size)
	return !last || ahead, errors.Join(searchErr, err)
}

// searchPage looks for a page of doubts, and reports whether some have a way to go still.
func (s *scanner) searchPage(ctx context.Context, tree gateway.Shard, doubts []*doubt, size uint64, counts *settleCounts) (ahead bool, err error) {
	if s.log.Describe().ByHash {
		return false, s.askDoubts(ctx, tree, s.chooseToAsk(doubts, size, time.Now()), size, counts)
	}
	near, far := splitDoubts(doubts, size)
	nearErr := s.searchDoubts(ctx, tree, near, size, nearWindows, counts)
	farErr := s.searchDoubts(ctx, tree, far, size, farWindows, counts)
	return len(far) > 0, errors.Join(nearErr, farErr)
}

// askDoubts asks the log for each of doubts, and stores what it says after every few. Those that it could not be asked for hold up no others.
func (s *scanner) askDoubts(ctx context.Context, tree gateway.Shard, doubts []*doubt, size uint64, counts *settleCounts) error {
	var errs []error
	for step := range slices.Chunk(doubts, askStep) {
		reached, err := s.searchWindow(ctx, tree, step, 0, size, counts)
		errs = append(errs, err)
		if reached == 0 { // it cannot be read
			break
		}
	}
	return errors.Join(errs...)
}

// chooseToAsk returns the doubts that a log which is asked for each is asked for now: as long as one is in doubt, the log rests for longer
// and longer.
func (s *scanner) chooseToAsk(doubts []*doubt, size uint64, now time.Time) (due []*doubt) {
	for _, d := range doubts {
		seen := s.seen[d.ID]
		if d.absentTo >= size || now.Sub(seen.askedAt) < min(now.Sub(seen.at)/4, longestRest) {
			continue
		}
		seen.askedAt = now
		s.seen[d.ID] = seen
		due = append(due, d)
	}
	return due
}

// readPlace returns where the shard is to be read, and its size there.
func (s *scanner) readPlace(ctx context.Context) (p place, size uint64, err error) {
	if p, err = s.findPlace(ctx); err != nil {
		return p, 0, err
	}
	size, err = s.log.Size(ctx, p.tree)
	if err != nil && ctx.Err() == nil && p.tree == s.log.Describe().Shard {
		s.noteReading(err)
	}
	return p, size, err
}

// readDoubts reads the next page of what is in doubt and not under way here. Last says that the round is
// over.
func (s *scanner) readDoubts(ctx context.Context) (doubts []*doubt, last bool, err error) {
	info, limit := s.log.Describe(), settleLimit
	if info.ByHash {
		limit = askLimit
	}
	page, err := s.store.Doubtful(ctx, gateway.DoubtParams{
		Log: s.id, Shard: s.shard, Unknown: s.shard == info.Shard, After: s.after, Limit: limit,
	})
	if err != nil {
		return nil, true, err
	}
	if s.after == 0 {
		s.shards.noteStuck(s.shard, s.stuck)
		s.stuck = 0
	}
	now := time.Now()
	for _, d := range page {
		s.after = d.ID
		if s.held.isHeld(d.ID) {
			continue
		}
		doubts = append(doubts, s.meetDoubt(d, now))
	}
	if len(page) < limit {
		s.endRound()
		return doubts, true, nil
	}
	return doubts, false, nil
}

// meetDoubt notes that an entry is in doubt.
func (s *scanner) meetDoubt(d gateway.Doubt, now time.Time) *doubt {
	seen, ok := s.seen[d.ID]
	if !ok || seen.fence != d.Fence {
		seen = sighting{fence: d.Fence, at: now}
	}
	seen.round = true
	s.seen[d.ID] = seen
	absentTo := d.AbsentTo
	if d.SentAtTreeSize != nil {
		absentTo = max(absentTo, *d.SentAtTreeSize)
	}
	return &doubt{Doubt: d, readAt: now, seenAt: seen.at, absentTo: absentTo}
}

// endRound forgets what was not met in this round.
func (s *scanner) endRound() {
	s.after = 0
	for id, seen := range s.seen {
		if !seen.round {
			delete(s.seen, id)
			continue
		}
		seen.round = false
		s.seen[id] = seen
	}
}

// resendAbsent stores of those whose absence counts that they are not in doubt any more, so that they are
// sent again. It sends a probe where nothing but a canary is missing.
func (s *scanner) resendAbsent(ctx context.Context, p place, doubts []*doubt, size uint64) (resent int, err error) {
	var settlements []gateway.Settlement
	waiting := 0
	for _, d := range doubts {
		switch s.judgeAbsence(p, d, size) {
		case absenceCounts:
			settlements = append(settlements, gateway.Settlement{EntryID: d.ID, Fence: d.Fence, AbsentTo: d.absentTo, Resend: true})
		case canaryMissing:
			waiting++
		}
	}
	switch {
	case waiting == 0:
		s.waitsSince = time.Time{}
	case p.current:
		if s.waitsSince.IsZero() {
			s.waitsSince = time.Now()
		}
		s.startProbe(ctx, p)
	default: // none can be sent to it
		s.stuck += waiting
	}
	ours, err := s.storeSettlements(ctx, settlements)
	if err != nil {
		return 0, err
	}
	if len(settlements) > 0 {
		s.wakeWorker()
	}
	if ours {
		resent = len(settlements)
	}
	return resent, nil
}

// verdict is what an entry's absence means.
type verdict int

const (
	undecided verdict = iota // it is not proven, or too young
	canaryMissing
	absenceCounts
)

// judgeAbsence says what is known of an entry's absence from a checkpoint of this size. That of one that was never sent, as far
// as the store knows, counts at once, and in a closed shard it needs no canary.
func (s *scanner) judgeAbsence(p place, d *doubt, size uint64) verdict {
	delay := s.log.Describe().IntegrationDelay
	switch {
	case d.settled || d.absentTo < size:
		return undecided
	case d.LastSentAt.IsZero(): // in what is known to be a copy, nothing is so
		return absenceCounts
	case p.closed && d.SentAgo >= delay: // it was so before the checkpoint was fetched
		return absenceCounts
	case d.SentAgo+time.Since(d.readAt) < delay:
		return undecided
	case p.provesAbsence(d):
		return absenceCounts
	case p.closed:
		return undecided
	}
	return canaryMissing
}

// startProbe sends a probe, unless one is under way or somebody's entry may become a canary.
func (s *scanner) startProbe(ctx context.Context, p place) {
	sent, told := time.Time{}, s.waitsSince
	for _, c := range p.canaries {
		sent, told = latest(sent, c.lastSent()), latest(told, c.lastTold())
	}
	if s.needsCanary(sent, told, time.Now()) && s.probing.CompareAndSwap(false, true) {
		s.probes.Go(func() {
			defer s.probing.Store(false)
			s.sendProbe(ctx, p.tree)
		})
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// storeSettlements stores what was shown, also when ctx has ended meanwhile. It reports whether all of it was ours to store: what another
// gateway has settled, that one counts.
func (w *worker) storeSettlements(ctx context.Context, settlements []gateway.Settlement) (ours bool, err error) {
	if len(settlements) == 0 {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	changed, err := w.store.Settle(ctx, settlements)
	w.changed(changed)
	if errors.Is(err, gateway.ErrLeaseLost) { // somebody else has settled some
		return false, nil
	}
	return true, err
}

// settleTimeout bounds the storing of what was shown.
const settleTimeout = 15 * time.Second

// settleCounts is what one pass came to.
type settleCounts struct{ found, absent, doubled int }

// reportSettled tells the operator what a pass came to: one line, and none where nothing was settled.
func (w *worker) reportSettled(c settleCounts, looked int, size uint64) {
	if c.doubled > 0 {
		w.metrics.Doubled(w.id, c.doubled)
		w.logger.Warn("entries are logged twice", "entries", c.doubled)
	}
	if c.found+c.absent == 0 {
		return
	}
	w.metrics.Settled(w.id, c.found, c.absent)
	w.logger.Info("entries were in doubt", "looked_for", looked, "logged", c.found, "sent_again", c.absent,
		"still_in_doubt", looked-c.found-c.absent, "log_size", size)
}
