// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Bounds on one pass over what is in doubt.
const (
	settleLimit = 16_384 // entries
	scanWindow  = 65_536 // indexes of the log searched before what was shown is stored
	nearWindows = 4      // how far from the log's end a search is done in one go
	farWindows  = 4      // how far one that begins before that gets in one pass
)

// scanner is what a worker knows of what is in doubt. There is one for a log's shard in a process. All but woken is
// owned by the goroutine that settles.
type scanner struct {
	woken chan struct{} // one waiting wake-up is enough
	seen  map[int64]sighting
	after int64 // what the last page of this round ended with; 0: a round begins
	here  int   // how many were met in this round
	// elsewhere is how many are in doubt in other shards, as the operator was told last.
	elsewhere int
	probing   *atomic.Bool // a probe is under way
	probes    *sync.WaitGroup
}

// sighting is when this process first saw an entry in doubt: it was not under way any more.
type sighting struct {
	fence int64
	at    time.Time // monotonic
	round bool      // met in this round
}

func newScanner() scanner {
	return scanner{woken: make(chan struct{}, 1), seen: map[int64]sighting{}, probing: new(atomic.Bool), probes: new(sync.WaitGroup)}
}

// wakeScanner tells the scanner that something is in doubt.
func (s *scanner) wakeScanner() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// settleUntil looks for what is in doubt until ctx ends.
func (w *worker) settleUntil(ctx context.Context) {
	defer w.scan.probes.Wait()
	failures := 0
	for ctx.Err() == nil {
		again, err := w.settlePage(ctx)
		wait := w.timing.Poll
		switch {
		case err != nil && ctx.Err() == nil:
			failures++
			wait = min(retryDelay(failures), 15*time.Second)
			w.logger.Warn("looking for entries in doubt", "error", err, "failures", failures)
		case again:
			wait = 0
			fallthrough
		default:
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-w.scan.woken:
		case <-time.After(wait):
		}
	}
}

// doubt is an entry in doubt during one pass.
type doubt struct {
	gateway.Doubt
	readAt   time.Time // when SentAgo was true
	seenAt   time.Time
	absentTo uint64 // how far absence is proven: a search for it begins here
	settled  bool   // nothing more is to be done for it in this pass
}

// settlePage looks for one page of what is in doubt, stores what that shows, and reports whether there is
// more to do at once. Those near the log's end are done first, so that none that has a long way to go
// holds them up.
func (w *worker) settlePage(ctx context.Context) (again bool, err error) {
	doubts, last, err := w.readDoubts(ctx)
	if err != nil || len(doubts) == 0 {
		return !last, err
	}
	size, err := w.log.Size(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.noteReading(err)
		}
		return false, err
	}
	w.canaries.noteSize(size)
	near, far := splitDoubts(doubts, size)
	var counts settleCounts
	nearErr := w.searchDoubts(ctx, near, size, nearWindows, &counts)
	farErr := w.searchDoubts(ctx, far, size, farWindows, &counts)
	resent, err := w.resendAbsent(ctx, doubts, size)
	counts.absent += resent
	w.reportSettled(counts, len(doubts), size)
	return !last || len(far) > 0, errors.Join(nearErr, farErr, err)
}

// readDoubts reads the next page of what is in doubt and not under way here. Last says that the round is
// over.
func (w *worker) readDoubts(ctx context.Context) (doubts []*doubt, last bool, err error) {
	s := &w.scan
	page, err := w.store.Doubtful(ctx, gateway.DoubtParams{Log: w.id, Shard: w.log.Describe().Shard, After: s.after, Limit: settleLimit})
	if err != nil {
		return nil, true, err
	}
	now := time.Now()
	for _, d := range page.Entries {
		s.after = d.ID
		if w.held.isHeld(d.ID) {
			continue
		}
		doubts = append(doubts, s.meetDoubt(d, now))
	}
	s.here += len(doubts)
	if len(page.Entries) < settleLimit {
		w.metrics.InDoubt(w.id, s.here, page.Elsewhere)
		w.tellElsewhere(page.Elsewhere)
		s.endRound()
		return doubts, true, nil
	}
	return doubts, false, nil
}

// tellElsewhere tells the operator of entries that this process cannot settle, whenever their number changes.
func (w *worker) tellElsewhere(n int) {
	if n == w.scan.elsewhere {
		return
	}
	w.scan.elsewhere = n
	w.logger.Warn("entries are in doubt in another shard of this log; they wait until it is configured again", "entries", n)
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
	s.after, s.here = 0, 0
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
// sent again. The absence of those that were never sent, as far as the store knows, counts at once. It sends a probe
// where nothing but a canary is missing.
func (w *worker) resendAbsent(ctx context.Context, doubts []*doubt, size uint64) (resent int, err error) {
	delay := w.log.Describe().IntegrationDelay
	var settlements []gateway.Settlement
	canaryMissing := false
	for _, d := range doubts {
		switch {
		case d.settled || d.absentTo < size:
			continue
		case d.LastSentAt.IsZero() && !w.restored: // a copy may not know of its sending, if it is one
		case d.SentAgo+time.Since(d.readAt) < delay:
			continue
		case !w.canaries.provesAbsence(d.seenAt, d.absentTo):
			canaryMissing = true
			continue
		}
		settlements = append(settlements, gateway.Settlement{EntryID: d.ID, Fence: d.Fence, AbsentTo: d.absentTo, Resend: true})
	}
	if canaryMissing && w.needsCanary(w.canaries.lastSent(), time.Now()) && w.scan.probing.CompareAndSwap(false, true) {
		w.scan.probes.Go(func() {
			defer w.scan.probing.Store(false)
			w.sendProbe(ctx)
		})
	}
	if err := w.storeSettlements(ctx, settlements); err != nil {
		return 0, err
	}
	if len(settlements) > 0 {
		w.wakeWorker()
	}
	return len(settlements), nil
}

// storeSettlements stores what was shown, also when ctx has ended meanwhile.
func (w *worker) storeSettlements(ctx context.Context, settlements []gateway.Settlement) error {
	if len(settlements) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	ids, err := w.store.Settle(ctx, settlements)
	w.changed(ids)
	if errors.Is(err, gateway.ErrLeaseLost) { // somebody else has settled them
		return nil
	}
	return err
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
