// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	goflag "flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// TestMain lets more tests run at once than there are processors: those that do mostly wait for checkpoints.
func TestMain(m *testing.M) {
	if err := goflag.Set("test.parallel", "10"); err != nil {
		panic(err)
	}
	os.Exit(postgrestest.Main(m))
}

// finishedStore notes when outcomes were stored.
type finishedStore struct {
	*postgres.Store
	mu sync.Mutex
	at map[string]time.Time // by the submission's ID
}

func (s *finishedStore) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	changed, err := s.Store.Finish(ctx, outcomes)
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range changed {
		s.at[p.ID] = now
	}
	return changed, err
}

// slowLog takes as long as it takes to begin to wait.
type slowLog struct{ gateway.Log }

func (l slowLog) Add(ctx context.Context, shard gateway.Shard, p gateway.Prepared) (*gateway.Inclusion, error) {
	time.Sleep(150 * time.Millisecond)
	return l.Log.Add(ctx, shard, p)
}

func openShared(t *testing.T, dsn string) *postgres.Store {
	t.Helper()
	s, err := postgres.Open(t.Context(), dsn, postgres.Options{Warm: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// hearUntilEnd has a domain hear the others until the test ends, and returns once it does.
func hearUntilEnd(t *testing.T, d *domain, signals gateway.Signals) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	heard := make(chan struct{})
	var once sync.Once
	var hearing sync.WaitGroup
	hearing.Go(func() {
		signals.Hear(ctx, func(s gateway.Signal) {
			d.hear(s)
			once.Do(func() { close(heard) })
		})
	})
	t.Cleanup(func() { stop(); hearing.Wait() })
	<-heard
}

// TestWaitersWakeEverywhere: who waits at one gateway for what another one delivers is told as soon as it is stored, many at once
// as well as one alone.
func TestWaitersWakeEverywhere(t *testing.T) {
	const alone, together = 30, 200
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	sending := &finishedStore{Store: openShared(t, dsn), at: map[string]time.Time{}}
	waiting := openShared(t, dsn)
	sender := startRooms(t, withSignals(sending), slowLog{gatewaytest.NewLog()}, gatewaytest.Quick, nil)
	waiter := &domain{Waiters: delivery.NewWaiters(waiting), delivery: delivery.New(delivery.Config{Store: waiting, Logger: slog.New(slog.DiscardHandler)})}
	hearUntilEnd(t, waiter, waiting)

	var mu sync.Mutex
	var took []time.Duration
	wait := func(text string) {
		sub, err := sender.Submit(t.Context(), gatewaytest.Signed(t, text), gatewaytest.NoArtifact)
		if err != nil {
			t.Error(err)
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		got, err := waiter.Wait(ctx, gateway.DefaultTenant, sub.ID)
		now := time.Now()
		if err != nil || got.State != gateway.Logged {
			t.Errorf("%s, %v", got.State, err)
			return
		}
		sending.mu.Lock()
		at := sending.at[sub.ID]
		sending.mu.Unlock()
		mu.Lock()
		defer mu.Unlock()
		took = append(took, now.Sub(at))
	}
	for i := range alone {
		wait(fmt.Sprint("alone ", i))
	}
	report(t, "one alone", took)
	took = nil
	var all sync.WaitGroup
	for i := range together {
		all.Go(func() { wait(fmt.Sprint("together ", i)) })
	}
	all.Wait()
	report(t, "many at once", took)
}

func report(t *testing.T, what string, took []time.Duration) {
	t.Helper()
	slices.Sort(took)
	if len(took) == 0 {
		t.Fatal("nothing was measured")
	}
	median, most := took[len(took)/2], took[len(took)-1]
	t.Logf("%s: told after %v in the median, %v at most", what, median, most)
	if median > time.Second { // who is not told looks every five seconds
		t.Errorf("%s: told after %v in the median", what, median)
	}
}
