// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// watchPoll is how often watchers look for changes made by other processes.
const watchPoll = 2 * time.Second

// Getter is what waiters need of a store; see gateway.Reader.
type Getter interface {
	Get(ctx context.Context, tenant, id string) (gateway.Submission, error)
}

// Waiters wake those in this process who wait for a submission to change. That is only a shortcut:
// they also look at the store now and then, since another process may have made the change. Methods
// are safe for concurrent use.
type Waiters struct {
	store Getter

	mu      sync.Mutex // over waiting
	waiting map[string]map[chan struct{}]struct{}
}

// NewWaiters returns waiters that read submissions from store.
func NewWaiters(store Getter) *Waiters {
	return &Waiters{store: store, waiting: map[string]map[chan struct{}]struct{}{}}
}

// Wait returns the submission once it is settled, or as it is when ctx ends. The only errors
// are the store's.
func (w *Waiters) Wait(ctx context.Context, tenant, id string) (gateway.Submission, error) {
	var last gateway.Submission
	err := w.Watch(ctx, tenant, id, func(sub gateway.Submission) error {
		last = sub
		return nil
	})
	if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return gateway.Submission{}, err
	}
	if last.ID == "" { // ctx had ended before the first look
		return w.store.Get(context.WithoutCancel(ctx), tenant, id)
	}
	return last, nil
}

// Watch calls f with the submission now and after each change, until it is settled, f
// fails or ctx ends; it returns nil, f's error or ctx's.
func (w *Waiters) Watch(ctx context.Context, tenant, id string, f func(gateway.Submission) error) error {
	if u, err := uuid.Parse(id); err == nil { // whoever notifies names it so
		id = u.String()
	}
	changed, cancel := w.subscribeChanges(id)
	defer cancel()
	seen := ""
	for {
		sub, err := w.store.Get(ctx, tenant, id)
		if err != nil {
			return err
		}
		if now := summarizeProgress(sub); now != seen {
			seen = now
			if err := f(sub); err != nil {
				return err
			}
		}
		if sub.State.Settled() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-time.After(watchPoll):
		}
	}
}

// summarizeProgress returns a text that differs whenever a watcher would want to know.
func summarizeProgress(sub gateway.Submission) string {
	p := string(sub.State)
	for _, e := range sub.Entries {
		p += fmt.Sprintf("|%s %s", e.State, e.Problem)
	}
	return p
}

// Notify wakes those who wait for one of the submissions.
func (w *Waiters) Notify(ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		for ch := range w.waiting[id] {
			select {
			case ch <- struct{}{}:
			default: // a wake-up is waiting already
			}
		}
	}
}

// subscribeChanges returns a channel that gets a value after each Notify of id, and what ends that.
func (w *Waiters) subscribeChanges(id string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[id] == nil {
		w.waiting[id] = map[chan struct{}]struct{}{}
	}
	w.waiting[id][ch] = struct{}{}
	return ch, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.waiting[id], ch)
		if len(w.waiting[id]) == 0 {
			delete(w.waiting, id)
		}
	}
}
