// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// progressStore has the submissions of another process.
type progressStore struct {
	mu      sync.Mutex // guards what follows
	subs    map[string]gateway.Submission
	gets    int
	asks    [][]string // of Progress
	askedAt []time.Time
}

func (s *progressStore) Get(_ context.Context, _, id string) (gateway.Submission, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gets++
	sub, ok := s.subs[id]
	if !ok {
		return sub, gateway.ErrNotFound
	}
	return sub, nil
}

func (s *progressStore) Progress(_ context.Context, ids []string) (all []gateway.Progress, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asks, s.askedAt = append(s.asks, ids), append(s.askedAt, time.Now())
	for _, id := range ids {
		if sub, ok := s.subs[id]; ok {
			all = append(all, sub.Progress())
		}
	}
	return all, nil
}

func (s *progressStore) set(sub gateway.Submission) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs[sub.ID] = sub
}

func (s *progressStore) counts() (gets, asks int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets, len(s.asks)
}

func newSub(id string, state gateway.State) gateway.Submission {
	return gateway.Submission{
		SubmissionFields: gateway.SubmissionFields{ID: id}, State: state, Entries: []gateway.Entry{{ID: 1, Log: "log", State: state}},
	}
}

func progressOf(id string, state gateway.State) gateway.Progress {
	sub := newSub(id, state)
	return sub.Progress()
}

func newProgressStore(subs ...gateway.Submission) *progressStore {
	s := &progressStore{subs: map[string]gateway.Submission{}}
	for _, sub := range subs {
		s.set(sub)
	}
	return s
}

func TestAwaitReadsNothing(t *testing.T) {
	index := uint64(7)
	for name, early := range map[string]bool{"told while it waits": false, "told before it waits": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newProgressStore()
				w := NewWaiters(store)
				sub := newSub("a", gateway.Logged)
				sub.Entries[0].LogIndex = &index
				if early {
					w.Notify([]gateway.Progress{sub.Progress()})
				} else {
					time.AfterFunc(time.Second, func() { w.Notify([]gateway.Progress{sub.Progress(), progressOf("b", gateway.Failed)}) })
				}
				got := newSub("a", gateway.Pending)
				err := w.Await(t.Context(), &got)
				if err != nil || got.State != gateway.Logged || got.Entries[0].LogIndex == nil || *got.Entries[0].LogIndex != index || got.Entries[0].Log != "log" {
					t.Errorf("got %+v, %v", got, err)
				}
				if gets, asks := store.counts(); gets != 0 || asks != 0 {
					t.Errorf("the store was read: %d, %d", gets, asks)
				}
			})
		})
	}
}

// TestAwaitKnown: what was there already is read, since an old change of it may be remembered.
func TestAwaitKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sub := newSub("a", gateway.Pending)
		sub.Existing = true
		w := NewWaiters(newProgressStore(sub))
		w.Notify([]gateway.Progress{progressOf("a", gateway.Failed)}) // it failed, and is pending again
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := w.Await(ctx, &sub); err != nil || sub.State != gateway.Pending || !sub.Existing {
			t.Errorf("got %s, known: %v, %v", sub.State, sub.Existing, err)
		}
	})
}

// TestAwaitEnds: when the wait ends, the answer is what is known by then.
func TestAwaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWaiters(newProgressStore())
		setback := newSub("a", gateway.Pending)
		setback.Entries[0].Problem = gateway.ProblemOverloaded
		time.AfterFunc(time.Second, func() { w.Notify([]gateway.Progress{setback.Progress()}) })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		got := newSub("a", gateway.Pending)
		err := w.Await(ctx, &got)
		if err != nil || got.State != gateway.Pending || got.Entries[0].Problem != gateway.ProblemOverloaded {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// TestPollOthers: what other processes change is found for all who wait together, and only while somebody waits.
func TestPollOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = pollBatch + 1
		store := newProgressStore()
		w := NewWaiters(store)
		var running sync.WaitGroup
		for i := range n {
			sub := newSub(fmt.Sprint(i), gateway.Pending)
			store.set(sub)
			running.Go(func() {
				if err := w.Await(t.Context(), &sub); err != nil || sub.State != gateway.Logged {
					t.Errorf("got %s, %v", sub.State, err)
				}
			})
		}
		time.Sleep(time.Second)
		for i := range n {
			store.set(newSub(fmt.Sprint(i), gateway.Logged))
		}
		running.Wait()
		time.Sleep(time.Minute)
		if gets, asks := store.counts(); gets != 0 || asks != 2 {
			t.Errorf("%d reads and %d questions for %d who wait", gets, asks, n)
		}
		for _, ids := range store.asks {
			if len(ids) > pollBatch {
				t.Errorf("%d were asked for at once", len(ids))
			}
		}
	})
}

// TestPollsInTurns: the store is asked for each that waits every five seconds, whenever it began to, and not for what a log answers
// before.
func TestPollsInTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newProgressStore()
		w := NewWaiters(store)
		began := map[string]time.Time{}
		var running sync.WaitGroup
		for i := range 40 {
			id, lasts := fmt.Sprint(i), 12*time.Second
			if i%2 == 1 {
				lasts = watchPoll - watchPoll/pollTurns - time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), lasts)
			defer cancel()
			sub := newSub(id, gateway.Pending)
			store.set(sub)
			began[id] = time.Now()
			running.Go(func() { _ = w.Await(ctx, &sub) })
			time.Sleep(130 * time.Millisecond)
		}
		running.Wait()
		askedAt := map[string][]time.Time{}
		for i, ids := range store.asks {
			for _, id := range ids {
				askedAt[id] = append(askedAt[id], store.askedAt[i])
			}
		}
		for i := range 40 {
			id := fmt.Sprint(i)
			if i%2 == 1 {
				if len(askedAt[id]) > 0 {
					t.Errorf("%s was asked for, and did not wait for long", id)
				}
				continue
			}
			last := began[id]
			for _, at := range askedAt[id] {
				if d := at.Sub(last); d > watchPoll {
					t.Errorf("%s was asked for after %v", id, d)
				}
				last = at
			}
			if len(askedAt[id]) != 2 {
				t.Errorf("%s was asked for %d times", id, len(askedAt[id]))
			}
		}
	})
}

// TestLateProgress: what was read before a submission was settled does not hide that it is.
func TestLateProgress(t *testing.T) {
	n := make(news, 1)
	n.put(progressOf("a", gateway.Pending))
	n.put(progressOf("a", gateway.Logged))
	n.put(progressOf("a", gateway.Pending))
	if p := <-n; p.State != gateway.Logged {
		t.Errorf("state is %s", p.State)
	}
}

func TestWatchTellsNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWaiters(newProgressStore(newSub("a", gateway.Pending)))
		setback := newSub("a", gateway.Pending)
		setback.Entries[0].Problem = gateway.ProblemOverloaded
		go func() {
			for _, sub := range []gateway.Submission{newSub("a", gateway.Pending), setback, setback, newSub("a", gateway.Logged)} {
				time.Sleep(time.Second)
				w.Notify([]gateway.Progress{sub.Progress()})
			}
		}()
		var seen []string
		err := w.Watch(t.Context(), "", "a", func(sub gateway.Submission) error {
			seen = append(seen, string(sub.State)+sub.Entries[0].Problem)
			return nil
		})
		if want := fmt.Sprint([]string{"PENDING", "PENDING" + gateway.ProblemOverloaded, "LOGGED"}); err != nil || fmt.Sprint(seen) != want {
			t.Errorf("saw %v, want %v: %v", seen, want, err)
		}
		if err := w.Watch(t.Context(), "", "unknown", nil); !errors.Is(err, gateway.ErrNotFound) {
			t.Errorf("unknown: %v", err)
		}
		if len(w.waiting) != 0 {
			t.Errorf("%d still wait", len(w.waiting))
		}
		time.Sleep(2 * watchPoll) // the poll ends by itself
	})
}

// TestNoteChanged: what another process has changed is asked for at once, in one question, and only for those that somebody waits for.
func TestNoteChanged(t *testing.T) {
	for name, note := range map[string]func(*Waiters){
		"told":   func(w *Waiters) { w.NoteChanged([]string{"b", "x", "y"}) },
		"missed": func(w *Waiters) { w.NoteMissed() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newProgressStore(newSub("b", gateway.Pending))
				w := NewWaiters(store)
				note(w) // nobody waits
				time.AfterFunc(time.Second, func() {
					store.set(newSub("b", gateway.Logged))
					note(w)
				})
				began := time.Now()
				got, err := w.Wait(t.Context(), "", "b")
				if err != nil || got.State != gateway.Logged || time.Since(began) != time.Second {
					t.Errorf("got %s, %v after %v", got.State, err, time.Since(began))
				}
				if _, asks := store.counts(); asks != 1 || len(store.asks[0]) != 1 {
					t.Errorf("asked %v", store.asks)
				}
			})
		})
	}
}
