// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	// watchPoll is how often the store is asked for changes of a submission made by other processes.
	watchPoll = 5 * time.Second
	// pollTurns is in how many turns of that the store is asked, each time for those who have waited for all others. So it is not
	// asked for what a log answers within four seconds.
	pollTurns = 5
	// pollBatch bounds the submissions that are asked for at once.
	pollBatch = 512
	// recentChanges bounds what is kept for those who begin to wait for a change just after it.
	recentChanges = 4096
)

// Getter is what waiters need of a store; see gateway.Reader.
type Getter interface {
	Get(ctx context.Context, tenant, id string) (gateway.Submission, error)
	Progress(ctx context.Context, ids []string) ([]gateway.Progress, error)
}

// Waiters tell those in this process who wait for a submission how far it is, and nobody asks the store for
// that. Now and then one goroutine asks it for many of them together, since another process may have made the change.
// Methods are safe for concurrent use.
type Waiters struct {
	store  Getter
	recent *lru.Cache[string, gateway.Progress] // by ID; locks itself

	mu      sync.Mutex // guards what follows
	waiting map[string]waited
	turn    int             // the last one, of pollTurns, in which the store was asked
	polling bool            // a goroutine asks the store, as long as anybody waits
	asked   map[string]bool // for which the store is to be asked at once; somebody waited for each
	asking  bool            // a goroutine does
}

// waited is a submission that somebody waits for.
type waited struct {
	turn int // in which the store is asked for it
	all  map[news]struct{}
}

// news has room for the last progress that was not read yet. It is written to under Waiters.mu alone.
type news chan gateway.Progress

// put replaces what was not read yet; but a settled state stays, since what comes late may be older.
func (n news) put(p gateway.Progress) {
	select {
	case before := <-n:
		if before.State.Settled() {
			p = before
		}
	default:
	}
	n <- p
}

// NewWaiters returns waiters that read submissions from store.
func NewWaiters(store Getter) *Waiters {
	recent, _ := lru.New[string, gateway.Progress](recentChanges) // fails for sizes below one
	return &Waiters{store: store, recent: recent, waiting: map[string]waited{}, asked: map[string]bool{}}
}

// Wait returns the submission once it is settled, or as it is when ctx ends. The only errors
// are the store's.
func (w *Waiters) Wait(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	var last gateway.Submission
	err := w.Watch(ctx, tenant, id, func(sub gateway.Submission) error {
		last = sub
		return nil
	})
	if err != nil && !isEnded(err) {
		return gateway.Submission{}, err
	}
	if last.ID == "" { // ctx had ended before the first look
		return w.store.Get(context.WithoutCancel(ctx), tenant, id)
	}
	return last, nil
}

// Await waits until a submission that was stored just now is settled, or ctx ends, and brings sub to where it is then. A new one is not read
// from the store. It takes over what is in sub.Archived, and leaves it complete, or nil, where it does not have all of it. After an error, which
// can only be the store's, sub is as it was.
//
// Thousands wait here at once, so that what the stack of one takes counts: what is large is passed by reference.
func (w *Waiters) Await(ctx context.Context, sub *gateway.Submission) error {
	archived := keepArchived(sub.Archived)
	sub.Archived = nil
	if sub.Existing {
		return w.awaitExisting(ctx, sub)
	}
	changes, leave := w.subscribe(sub.ID)
	defer leave()
	if p, ok := w.recent.Get(sub.ID); ok {
		sub.Follow(p)
	}
	_ = follow(ctx, sub, changes, func(p gateway.Progress) error { // whose only error is ctx's
		archived.addInclusions(sub, p)
		return nil
	})
	sub.Archived = archived.readAll(sub)
	return nil
}

// awaitExisting is Await for a submission that was stored before.
func (w *Waiters) awaitExisting(ctx context.Context, sub *gateway.Submission) error {
	now, err := w.Wait(ctx, sub.Tenant, sub.ID)
	if err != nil {
		return err
	}
	now.Existing = true // which Enqueue alone says
	*sub = now
	return nil
}

func isEnded(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// Watch calls f with the submission now and after each change, until it is settled, f
// fails or ctx ends; it returns nil, f's error or ctx's.
func (w *Waiters) Watch(ctx context.Context, tenant, id string, f func(gateway.Submission) error) error {
	if u, err := uuid.Parse(id); err == nil { // whoever notifies names it so
		id = u.String()
	}
	changes, leave := w.subscribe(id)
	defer leave()
	sub, err := w.store.Get(ctx, tenant, id)
	if err != nil {
		return err
	}
	if err := f(sub); err != nil {
		return err
	}
	return follow(ctx, &sub, changes, func(gateway.Progress) error { return f(sub) })
}

// follow brings sub to where it is after each change that is news, and then calls f with that, until it is settled, f fails or ctx ends.
func follow(ctx context.Context, sub *gateway.Submission, changes news, f func(gateway.Progress) error) error {
	known := sub.Progress()
	for !known.State.Settled() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case p := <-changes:
			if !p.IsNews(known) {
				continue
			}
			known = p
			sub.Follow(p)
			if err := f(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// Notify tells those who wait for these submissions how far they are.
func (w *Waiters) Notify(changed []gateway.Progress) {
	for _, p := range changed {
		w.recent.Add(p.ID, withoutInclusions(p))
	}
	w.tell(changed)
}

// withoutInclusions returns p without what is large in it.
func withoutInclusions(p gateway.Progress) gateway.Progress {
	p.Entries = slices.Clone(p.Entries)
	for i := range p.Entries {
		p.Entries[i].Inclusion = nil
	}
	return p
}

func (w *Waiters) tell(changed []gateway.Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range changed {
		for n := range w.waiting[p.ID].all {
			n.put(p)
		}
	}
}

// subscribe returns what gets the progress at each Notify of id, and what ends that.
func (w *Waiters) subscribe(id string) (news, func()) {
	n := make(news, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.waiting[id]; !ok {
		w.waiting[id] = waited{w.turn, map[news]struct{}{}}
	}
	w.waiting[id].all[n] = struct{}{}
	if !w.polling {
		w.polling = true
		time.AfterFunc(watchPoll/pollTurns, w.poll)
	}
	return n, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting[id].all, n)
		if len(w.waiting[id].all) == 0 {
			delete(w.waiting, id)
		}
	}
}

// poll asks the store how far the submissions of the next turn are that somebody waits for, and again later, until nobody waits.
func (w *Waiters) poll() {
	w.askStore(w.takeTurn())
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.polling = len(w.waiting) > 0; w.polling {
		time.AfterFunc(watchPoll/pollTurns, w.poll)
	}
}

// takeTurn begins the next turn, and returns what is to be asked for in it.
func (w *Waiters) takeTurn() (ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn = (w.turn + 1) % pollTurns
	for id, s := range w.waiting {
		if s.turn == w.turn {
			ids = append(ids, id)
		}
	}
	return ids
}

// askStore tells those who wait how far these submissions are.
func (w *Waiters) askStore(ids []string) {
	for len(ids) > 0 {
		n := min(len(ids), pollBatch)
		ctx, cancel := context.WithTimeout(context.Background(), watchPoll)
		if found, err := w.store.Progress(ctx, ids[:n]); err == nil { // else there is no news
			w.tell(found)
		}
		cancel()
		ids = ids[n:]
	}
}

// NoteChanged has the store asked at once how far these submissions are, since another process has changed them: those that
// somebody here waits for, and no others.
func (w *Waiters) NoteChanged(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		if _, ok := w.waiting[id]; ok {
			w.asked[id] = true
		}
	}
	w.startAskingLocked()
}

// NoteMissed is NoteChanged of all that anybody waits for: other processes may have changed it.
func (w *Waiters) NoteMissed() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.waiting {
		w.asked[id] = true
	}
	w.startAskingLocked()
}

func (w *Waiters) startAskingLocked() {
	if !w.asking && len(w.asked) > 0 {
		w.asking = true
		go w.askAtOnce()
	}
}

// askAtOnce asks for what is to be asked for at once, and for what came meanwhile.
func (w *Waiters) askAtOnce() {
	for {
		w.mu.Lock()
		ids := slices.Collect(maps.Keys(w.asked))
		clear(w.asked)
		w.asking = len(ids) > 0
		w.mu.Unlock()
		if len(ids) == 0 {
			return
		}
		w.askStore(ids)
	}
}
