// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// renewedStore is one whose engine goes on with what may be an older state, while somebody has leases at first.
type renewedStore struct {
	gateway.Work
	renewed bool
	leased  int // how often DoubtPending finds leases
	fail    error
	doubted int
	moved   int
}

func (s *renewedStore) DoubtPending(context.Context, string, gateway.Shard) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	if s.doubted++; s.leased > 0 {
		s.leased--
		return 0, nil
	}
	s.renewed = false
	return 1, nil
}

func (s *renewedStore) Claim(context.Context, gateway.ClaimParams) ([]gateway.Claimed, error) {
	if s.renewed {
		return nil, gateway.ErrDoubtFirst
	}
	return []gateway.Claimed{{Entry: gateway.Entry{ID: 1, Fence: 1, Shard: currentShard, SentAtTreeSize: new(uint64)}}}, nil
}

func (s *renewedStore) Move(context.Context, gateway.MoveParams) (gateway.Moved, error) {
	if s.renewed {
		return gateway.Moved{}, gateway.ErrDoubtFirst
	}
	s.moved++
	return gateway.Moved{}, nil
}

func renewedConfig(s *renewedStore) Config {
	return Config{Store: s, Logger: slog.New(slog.DiscardHandler), Metrics: Metrics{}.withDefaults(), Timing: Timing{Poll: 5 * time.Second}.withDefaults(), Changed: func([]gateway.Progress) {}}
}

// TestDoubtFirst: what is pending is put in doubt at the start, and again as often as the store says that it must be.
func TestDoubtFirst(t *testing.T) {
	s := &renewedStore{}
	w := newWorker(&scriptedLog{}, renewedConfig(s))
	claim := func(wantClaimed, wantDoubted int, wantPause time.Duration) {
		t.Helper()
		claimed, next, err := w.claimDue(t.Context(), t.Context())
		if err != nil || len(claimed) != wantClaimed || s.doubted != wantDoubted || next.d != wantPause {
			t.Fatalf("claimed %d, put in doubt %d times, next in %v, %v", len(claimed), s.doubted, next.d, err)
		}
		for _, c := range claimed {
			w.held.releaseOutcomes([]gateway.Outcome{{EntryID: c.ID}})
		}
	}
	claim(1, 1, 5*time.Second)
	claim(1, 1, 5*time.Second)
	s.renewed, s.leased = true, 2
	claim(0, 2, 5*time.Second)
	claim(0, 3, 5*time.Second)
	claim(0, 4, 5*time.Second)
	claim(1, 4, 5*time.Second)

	s.renewed, s.fail = true, errors.New("the store is away")
	if _, _, err := w.claimDue(t.Context(), t.Context()); !errors.Is(err, s.fail) {
		t.Errorf("failing: %v", err)
	}
}

// TestDoubtFirstThenMove: what waits for a log that cannot be read is put in doubt all the same, and not handed on.
func TestDoubtFirstThenMove(t *testing.T) {
	s := &renewedStore{renewed: true}
	cfg := renewedConfig(s)
	d := &Delivery{cfg: cfg}
	d.failover = newFailover(d, cfg)
	d.workers.Store(&map[string]*runningWorker{"log": {worker: newWorker(&scriptedLog{}, cfg)}})
	for _, want := range []struct{ doubted, moved int }{{1, 0}, {1, 1}} {
		if err := d.failover.moveAll(t.Context(), "log", "other"); err != nil || s.doubted != want.doubted || s.moved != want.moved {
			t.Errorf("put in doubt %d times, moved %d times: %v", s.doubted, s.moved, err)
		}
	}
}

// emptyStore has nothing to send, and counts how often it is asked.
type emptyStore struct {
	renewedStore
	claims int
}

func (s *emptyStore) Claim(context.Context, gateway.ClaimParams) ([]gateway.Claimed, error) {
	s.claims++
	return nil, nil
}

// TestWokenAllTheTime: whoever wakes a worker without end, for nothing, does not have it ask the store without end.
func TestWokenAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &emptyStore{}
		cfg := renewedConfig(&s.renewedStore)
		cfg.Store = s
		w := newWorker(&scriptedLog{}, cfg)
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		var waking sync.WaitGroup
		waking.Go(func() {
			for ctx.Err() == nil {
				w.wakeWorker()
				time.Sleep(100 * time.Microsecond)
			}
		})
		w.claimUntil(ctx, ctx)
		waking.Wait()
		if most := int(time.Second/claimPause) + 1; s.claims > most || s.claims < most/2 {
			t.Errorf("asked %d times in a second, at most %d wanted", s.claims, most)
		}
	})
}

// TestClaimSize: slots are taken for about as many entries as come, and for all that there may be where they do not end.
func TestClaimSize(t *testing.T) {
	for _, test := range []struct{ brought, wanted, want int }{
		{0, claimLimit, leastClaim},
		{1, leastClaim, leastClaim},
		{200, leastClaim, 400},
		{leastClaim, leastClaim, claimLimit},
		{24, 24, claimLimit}, // as many as might be under way
		{claimLimit - 1, claimLimit, claimLimit},
	} {
		if got := nextClaimSize(test.brought, test.wanted); got != test.want {
			t.Errorf("%d of %d brought: then %d, want %d", test.brought, test.wanted, got, test.want)
		}
	}
}
