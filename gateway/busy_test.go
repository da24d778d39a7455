// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// checkpointLog answers as Rekor v2 does: whoever waits is answered when a look at the checkpoint, which is taken now and then, shows one that
// has what was integrated before it was published.
type checkpointLog struct {
	*gatewaytest.Log
	mu        sync.Mutex      // guards what follows
	waiting   []chan struct{} // since the last checkpoint
	published []chan struct{}
}

const (
	checkpointEvery = time.Second
	lookEvery       = 970 * time.Millisecond // so that it is sometimes soon after a checkpoint, and sometimes late
	answerTakes     = 300 * time.Microsecond
)

func startCheckpointLog(ctx context.Context) *checkpointLog {
	l := &checkpointLog{Log: gatewaytest.NewLog()}
	go repeat(ctx, checkpointEvery, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.published, l.waiting = append(l.published, l.waiting...), nil
	})
	go repeat(ctx, lookEvery, func() {
		l.mu.Lock()
		due := l.published
		l.published = nil
		l.mu.Unlock()
		for _, answered := range due {
			time.Sleep(answerTakes)
			close(answered)
		}
	})
	return l
}

func repeat(ctx context.Context, every time.Duration, f func()) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

func (l *checkpointLog) Add(ctx context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	answered := make(chan struct{})
	l.mu.Lock()
	l.waiting = append(l.waiting, answered)
	l.mu.Unlock()
	select {
	case <-answered:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return l.Log.Add(ctx, shard, e)
}

// writingStore takes its time for what it writes, one after the other.
type writingStore struct {
	gateway.Store
	writing chan struct{} // of one
}

func (s *writingStore) write(entries func() int) {
	s.writing <- struct{}{}
	time.Sleep(2*time.Millisecond + time.Duration(entries())*100*time.Microsecond)
	<-s.writing
}

func (s *writingStore) Claim(ctx context.Context, p gateway.ClaimParams) (claimed []gateway.Claimed, err error) {
	s.write(func() int {
		claimed, err = s.Store.Claim(ctx, p)
		return len(claimed)
	})
	return claimed, err
}

func (s *writingStore) Finish(ctx context.Context, o []gateway.Outcome) (p []gateway.Progress, err error) {
	s.write(func() int {
		p, err = s.Store.Finish(ctx, o)
		return len(o)
	})
	return p, err
}

// TestKeepsTheLogBusy: with as many entries under way, a log gets about as many into each checkpoint as it would from a writer that has all
// of them at hand and stores nothing. Processors are no part of that: this is what the order of claiming, sending and storing costs.
func TestKeepsTheLogBusy(t *testing.T) {
	t.Parallel()
	for _, inFlight := range []int{256, 1024, 4000} {
		synctest.Test(t, func(t *testing.T) {
			entries := max(15*inFlight, 8000)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			bare := writeBare(ctx, startCheckpointLog(ctx), entries, inFlight)
			b := startBacklog(t, startCheckpointLog(ctx), entries, delivery.Timing{InFlight: inFlight, AddTimeout: time.Minute, Drain: time.Second}, delivery.Limits{},
				func(s gateway.Store) gateway.Store { return &writingStore{s, make(chan struct{}, 1)} })
			began := time.Now()
			for b.pending(t) > 0 && time.Since(began) < 10*time.Minute {
				time.Sleep(10 * time.Millisecond)
			}
			took := time.Since(began)
			b.stop()
			t.Logf("%d in flight: %v, a bare writer %v: %.2f", inFlight, took, bare, float64(bare)/float64(took))
			if float64(bare)/float64(took) < 0.95 {
				t.Errorf("%d in flight: %v, a bare writer %v", inFlight, took, bare)
			}
		})
	}
}

// writeBare logs entries and returns how long it took.
func writeBare(ctx context.Context, log gateway.Log, entries, inFlight int) time.Duration {
	began := time.Now()
	var left atomic.Int64
	left.Store(int64(entries))
	var writing sync.WaitGroup
	for range inFlight {
		writing.Go(func() {
			for left.Add(-1) >= 0 {
				_, _ = log.Add(ctx, log.Describe().Shard, gateway.Prepared{})
			}
		})
	}
	writing.Wait()
	return time.Since(began)
}
