// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// finishingStore notes when each outcome was stored, by its entry. A transaction takes as long as it is told.
type finishingStore struct {
	gateway.Work
	takes    time.Duration
	batches  int
	storedAt map[int64]time.Time
}

func (s *finishingStore) Finish(_ context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	time.Sleep(s.takes)
	s.batches++
	for _, o := range outcomes {
		s.storedAt[o.EntryID] = time.Now()
	}
	return nil, nil
}

// TestGathersOutcomes: what a log answers one after the other is stored many at once, none waits for long, and what comes alone for nothing.
func TestGathersOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		takes, every time.Duration
		batches      int // at most
		wait         time.Duration
	}{
		"in a burst":       {time.Millisecond, time.Millisecond / 2, 12, usualGather + gatherStep + time.Millisecond},
		"while it is slow": {20 * time.Millisecond, time.Millisecond / 2, 4, 60 * time.Millisecond},
		"slower yet":       {time.Second, time.Second / 100, 4, longestGather + gatherStep + 2*time.Second},
		"alone":            {time.Millisecond, 10 * time.Millisecond, 200, time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &finishingStore{takes: test.takes, storedAt: map[int64]time.Time{}}
				w := newWorker(&scriptedLog{}, Config{
					Store: store, Timing: Timing{}.withDefaults(), Metrics: Metrics{}.withDefaults(), Logger: slog.New(slog.DiscardHandler),
					Changed: func([]gateway.Progress) {},
				})
				done := make(chan struct{})
				go func() { defer close(done); w.finishAll(t.Context()) }()
				cameAt := map[int64]time.Time{}
				for id := range int64(200) {
					cameAt[id] = time.Now()
					w.outcomes <- &result{Outcome: gateway.Outcome{EntryID: id, Retry: true, Problem: "test"}}
					time.Sleep(test.every)
				}
				close(w.outcomes)
				<-done
				for id, at := range cameAt {
					if d := store.storedAt[id].Sub(at); d < 0 || d > test.wait {
						t.Errorf("entry %d was stored after %v", id, d)
					}
				}
				if len(store.storedAt) != len(cameAt) || store.batches > test.batches {
					t.Errorf("%d stored in %d transactions", len(store.storedAt), store.batches)
				}
			})
		})
	}
}
