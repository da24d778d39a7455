// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// backlog is a gateway with entries that wait for a log, by a simulated clock.
type backlog struct {
	*gatewaytest.Gateway
	store *countingStore
	stop  func()
}

// startBacklog stores entries, and starts to deliver them.
func startBacklog(t *testing.T, log gateway.Log, entries int, timing delivery.Timing, limits delivery.Limits, wrap ...func(gateway.Store) gateway.Store) *backlog {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for first := 0; first < entries; first += 1000 {
		var subs []gateway.NewSubmission
		for i := first; i < min(entries, first+1000); i++ {
			body := fmt.Appendf(nil, "entry %d", i)
			subs = append(subs, gateway.NewSubmission{
				SubmissionFields: gateway.SubmissionFields{ID: uuid.NewString(), Tenant: gateway.DefaultTenant, Key: sha256.Sum256(body), Format: "x509", Needed: 1},
				Entries:          []gateway.NewEntry{{Prepared: gateway.Prepared{Log: "fake", LeafHash: sha256.Sum256(body), Kind: "test", Body: body}}},
			})
		}
		if _, err := store.Enqueue(t.Context(), subs); err != nil {
			t.Fatal(err)
		}
	}
	b := &backlog{store: &countingStore{Store: store}}
	for _, w := range wrap {
		b.store.Store = w(b.store.Store)
	}
	b.Gateway = gatewaytest.New(gatewaytest.Config{
		Logs: []gateway.Log{log}, Store: b.store, Timing: timing, Limits: func(string) delivery.Limits { return limits },
	})
	stop := b.Start(t)
	b.stop = sync.OnceFunc(func() { stop(); _ = store.Close() })
	t.Cleanup(b.stop)
	return b
}

// pending returns how many entries are not logged yet.
func (b *backlog) pending(t *testing.T) int {
	t.Helper()
	stats, err := b.store.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stats.Pending["fake"]
}

// countingStore counts the calls of its workers.
type countingStore struct {
	gateway.Store
	claims, empty, finishes atomic.Int32
}

func (s *countingStore) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	s.claims.Add(1)
	claimed, err := s.Store.Claim(ctx, p)
	if len(claimed) == 0 {
		s.empty.Add(1)
	}
	return claimed, err
}

func (s *countingStore) Finish(ctx context.Context, o []gateway.Outcome) ([]gateway.Progress, error) {
	s.finishes.Add(1)
	return s.Store.Finish(ctx, o)
}

// toldLog takes a second for each entry, and answers as it is told; it counts what it is asked.
type toldLog struct {
	*gatewaytest.Log
	sizes, adds, open, most atomic.Int32
	answer                  func(ctx context.Context) error // before the entry is taken; nil: at once
}

func (l *toldLog) Size(ctx context.Context, shard gateway.Shard) (uint64, error) {
	l.sizes.Add(1)
	return l.Log.Size(ctx, shard)
}

func (l *toldLog) Add(ctx context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	l.adds.Add(1)
	open := l.open.Add(1)
	defer l.open.Add(-1)
	for most := l.most.Load(); open > most && !l.most.CompareAndSwap(most, open); most = l.most.Load() {
	}
	if l.answer != nil {
		if err := l.answer(ctx); err != nil {
			return nil, err
		}
	}
	time.Sleep(time.Second)
	return l.Log.Add(ctx, shard, e)
}

// TestCallsPerEntry: the log is not asked for its size more often than every half minute, and one claim takes many entries.
func TestCallsPerEntry(t *testing.T) {
	t.Parallel()
	for name, inFlight := range map[string]int{"bound given": 1024, "bound found": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const entries = 10_000
				log := &toldLog{Log: gatewaytest.NewLog()}
				b := startBacklog(t, log, entries, delivery.Timing{InFlight: inFlight, AddTimeout: time.Minute, Drain: time.Second}, delivery.Limits{})
				began := time.Now()
				for b.pending(t) > 0 && time.Since(began) < 10*time.Minute {
					time.Sleep(time.Second)
				}
				took := time.Since(began)
				b.stop()
				t.Logf("%v: %d sizes, %d claims, %d of them empty, %d finishes", took, log.sizes.Load(), b.store.claims.Load(), b.store.empty.Load(), b.store.finishes.Load())
				if logged, sent := log.Count(); logged != entries || sent != entries {
					t.Errorf("%d logged, %d sent", logged, sent)
				}
				if n := log.sizes.Load(); n > 2+int32(took/(30*time.Second)) {
					t.Errorf("asked for its size %d times in %v", n, took)
				}
				if n := b.store.claims.Load(); n > entries/50 {
					t.Errorf("%d claims", n)
				}
			})
		})
	}
}

// TestIdle: with nothing to do, a gateway asks its log now and then whether it can be used, and its store every second.
func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := &toldLog{Log: gatewaytest.NewLog()}
		b := startBacklog(t, log, 0, unhurried, delivery.Limits{})
		time.Sleep(10*time.Minute + time.Second)
		b.stop()
		if sizes, claims := log.sizes.Load(), b.store.claims.Load(); sizes < 20 || sizes > 22 || claims > 602 {
			t.Errorf("%d sizes, %d claims in ten minutes", sizes, claims)
		}
	})
}

// TestForbiddenLog: of the entries that wait for a log that lets nobody in, one is tried now and then, and the others' attempts
// and times are not used up: they go out as soon as it opens.
func TestForbiddenLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const entries = 3000
		var open atomic.Bool
		log := &toldLog{Log: gatewaytest.NewLog(), answer: func(context.Context) error {
			if open.Load() {
				return nil
			}
			return gateway.ErrForbidden
		}}
		b := startBacklog(t, log, entries, delivery.Timing{InFlight: 100, AddTimeout: time.Minute, Drain: time.Second}, delivery.Limits{})
		time.Sleep(time.Hour)
		if n := log.adds.Load(); n > 100+1201 || n < 1000 {
			t.Errorf("%d tried in an hour", n)
		}
		open.Store(true)
		time.Sleep(3 * time.Second)
		began := time.Now()
		for b.pending(t) > 0 && time.Since(began) < 10*time.Minute {
			time.Sleep(time.Second)
		}
		// Those that were tried wait for at most five minutes.
		if n := b.pending(t); n > 0 {
			t.Errorf("%d pending ten minutes after it opened", n)
		}
		b.stop()
	})
}

// TestStallInDoubt: while a log stalls for long, no more entries come into doubt than its bound, and one for each trial; and
// none is sent twice.
func TestStallInDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const entries, bound = 1000, 64
		log := newStallingLog(5 * time.Minute)
		counted := &countedStall{stallingLog: log}
		b := startBacklog(t, counted, entries, delivery.Timing{InFlight: bound, AddTimeout: time.Minute, Drain: time.Second}, delivery.Limits{})
		time.Sleep(30 * time.Minute)
		// Of the trials some are probes, which are nobody's entries.
		if n := counted.adds.Load(); n > bound+30 {
			t.Errorf("%d sent while the log stalled", n)
		}
		log.resume(false)
		began := time.Now()
		for b.pending(t) > 0 && time.Since(began) < time.Hour {
			time.Sleep(time.Second)
		}
		t.Logf("%d entries in %v", entries, time.Since(began))
		b.stop()
		if logged, sent := log.Count(); logged != entries || sent != entries {
			t.Errorf("%d logged, %d sent, want %d", logged, sent, entries)
		}
	})
}

// countedStall counts what a stallingLog is sent.
type countedStall struct {
	*stallingLog
	adds atomic.Int32
}

func (l *countedStall) Add(ctx context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	l.adds.Add(1)
	return l.stallingLog.Add(ctx, shard, e)
}

// TestHeldBack: a log that names a time is sent nothing before it, whichever entry it named it for.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var calls atomic.Int32
		log := &toldLog{Log: gatewaytest.NewLog(), answer: func(context.Context) error {
			if calls.Add(1) <= 5 {
				return &gateway.OverloadError{RetryAfter: 2 * time.Minute}
			}
			return nil
		}}
		b := startBacklog(t, log, 50, delivery.Timing{InFlight: 5, AddTimeout: time.Minute, Drain: time.Second}, delivery.Limits{})
		time.Sleep(2*time.Minute - time.Second)
		if n := log.adds.Load(); n != 5 {
			t.Errorf("%d sent before its time", n)
		}
		time.Sleep(time.Minute)
		if n := b.pending(t); n != 0 {
			t.Errorf("%d pending after it", n)
		}
		b.stop()
	})
}
