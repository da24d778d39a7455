// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// unhurried is the timing of real life, for simulated clocks.
var unhurried = delivery.Timing{InFlight: 1024, AddTimeout: time.Minute, Drain: time.Second}

// stallingLog takes entries and includes none until resume; what it has taken it includes then, or loses.
type stallingLog struct {
	*gatewaytest.Log
	mu      sync.Mutex // guards what follows
	stalled bool
	lose    bool
	resumed chan struct{}
}

func newStallingLog(delay time.Duration) *stallingLog {
	l := &stallingLog{Log: gatewaytest.NewLog(), stalled: true, resumed: make(chan struct{})}
	l.Delay = delay
	return l
}

func (l *stallingLog) resume(lose bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stalled, l.lose = false, lose
	close(l.resumed)
}

// Add implements gateway.Log. The server goes on with an entry though the caller has given up.
func (l *stallingLog) Add(ctx context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	l.mu.Lock()
	stalled := l.stalled
	l.mu.Unlock()
	if !stalled {
		return l.Log.Add(ctx, shard, e)
	}
	answer := make(chan *gateway.Inclusion, 1)
	go func() {
		<-l.resumed
		l.mu.Lock()
		defer l.mu.Unlock()
		if !l.lose {
			i, _ := l.Log.Add(context.Background(), shard, e)
			answer <- i
		}
	}()
	select {
	case i := <-answer:
		return i, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// TestStall: by a simulated clock, a log stalls for longer than its integration delay with entries under way. Whether it
// includes them then or has lost them, each ends in it once.
func TestStall(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]bool{"includes them then": false, "has lost them": true} {
		for _, delay := range []time.Duration{0, 5 * time.Minute} {
			t.Run(fmt.Sprint(name, ", delay ", delay), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { testStall(t, lose, delay) })
			})
		}
	}
}

func testStall(t *testing.T, lose bool, delay time.Duration) {
	const entries = 90
	log := newStallingLog(delay)
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.New(gatewaytest.Config{
		Logs: []gateway.Log{log}, Store: store, Timing: unhurried,
	})
	stop := g.Start(t)
	defer func() { stop(); _ = store.Close() }()
	var ids []string
	for i := range entries {
		ids = append(ids, submit(t, g, gatewaytest.Signed(t, fmt.Sprint(i))).ID)
	}
	time.Sleep(150 * time.Second)
	if _, sent := log.Count(); sent != 0 {
		t.Fatalf("%d were included while the log stalls", sent)
	}
	resumed := time.Now()
	log.resume(lose)
	for _, id := range ids {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		sub, err := g.Wait(ctx, gateway.DefaultTenant, id)
		cancel()
		if err != nil || sub.State != gateway.Logged {
			t.Fatalf("%s, %v", sub.State, err)
		}
	}
	if logged, sent := log.Count(); logged != entries || sent != entries {
		t.Errorf("%d logged, %d sent, want %d", logged, sent, entries)
	}
	// Given up after a minute, 90 s before the log resumed.
	if took := time.Since(resumed); lose && took < delay-90*time.Second || !lose && took > 5*time.Second || took > delay+time.Minute {
		t.Errorf("all logged %v after the log resumed", took)
	}
}

// TestLeaseLost: a process that stands still for longer than its lease does not send what another one has
// taken over.
func TestLeaseLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := gatewaytest.NewLog()
		store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		slow := &slowStore{Store: store, claimed: make(chan struct{}), goOn: make(chan struct{})}
		g := gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{log}, Store: slow})
		stop := g.Start(t)
		defer func() { stop(); _ = store.Close() }()
		id := submit(t, g, gatewaytest.Signed(t, "hello")).ID
		<-slow.claimed
		time.Sleep(gatewaytest.Quick.Lease + time.Millisecond) // the claim is there, its answer is not
		if _, sent := log.Count(); sent != 0 {
			t.Fatal("sent without an answer of the store")
		}
		close(slow.goOn)
		time.Sleep(time.Millisecond)
		if _, sent := log.Count(); sent != 0 {
			t.Error("sent after the lease had ended")
		}
		if sub := wait(t, g, id); sub.State != gateway.Logged {
			t.Errorf("state %s", sub.State)
		}
		if logged, sent := log.Count(); logged != 1 || sent != 1 {
			t.Errorf("%d logged, %d sent", logged, sent)
		}
	})
}

// slowStore holds back the answer of the first claim that takes something.
type slowStore struct {
	gateway.Store
	once          sync.Once
	claimed, goOn chan struct{}
}

func (s *slowStore) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	got, err := s.Store.Claim(ctx, p)
	if len(got) > 0 {
		s.once.Do(func() {
			close(s.claimed)
			<-s.goOn
		})
	}
	return got, err
}

// TestRotated: what was sent to a shard, and is in doubt, is not sent to the next one, and is settled there when the shard
// is back. What is new goes on.
func TestRotated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := gatewaytest.NewLog(gatewaytest.Fault{Err: errLost}, gatewaytest.Fault{Err: errLost})
		path := filepath.Join(t.TempDir(), "gateway.db")
		elsewhere := 0
		start := func() (*gatewaytest.Gateway, func()) {
			store, err := sqlite.Open(t.Context(), path, sqlite.Options{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			g := gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{log}, Store: store, Timing: unhurried, Metrics: delivery.Metrics{
				InDoubt: func(_ string, _, n int) { elsewhere = n },
			}})
			stop := g.Start(t)
			return g, func() { stop(); _ = store.Close() }
		}
		g, stop := start()
		id := submit(t, g, gatewaytest.Signed(t, "old")).ID
		time.Sleep(100 * time.Millisecond) // longer than between two claims
		stop()

		log.Rotate(2)
		g, stop = start()
		wait(t, g, submit(t, g, gatewaytest.Signed(t, "new")).ID)
		time.Sleep(time.Hour)
		sub, err := g.Get(t.Context(), gateway.DefaultTenant, id)
		if err != nil || sub.State != gateway.Pending || !sub.Entries[0].InDoubt || elsewhere != 1 {
			t.Errorf("%s, %+v, %v, %d elsewhere", sub.State, sub.Entries, err, elsewhere)
		}
		if _, sent := log.Count(); sent != 3 { // the second one was lost as well, and sent again
			t.Errorf("%d sent", sent)
		}
		stop()

		log.Rotate(1)
		g, stop = start()
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if sub, err := g.Wait(ctx, gateway.DefaultTenant, id); err != nil || sub.State != gateway.Logged || elsewhere != 0 {
			t.Errorf("%s, %v, %d elsewhere", sub.State, err, elsewhere)
		}
	})
}

// TestDegraded: a log that cannot be used is known though nothing is to be sent to it, and when it can be again.
func TestDegraded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := gatewaytest.NewLog()
		store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		g := gatewaytest.New(gatewaytest.Config{Logs: []gateway.Log{log}, Store: store, Timing: unhurried})
		stop := g.Start(t)
		defer func() { stop(); _ = store.Close() }()
		for _, step := range []struct {
			err  error
			want string
		}{
			{nil, ""}, {gateway.ErrUnavailable, gateway.ProblemUnavailable}, {fmt.Errorf("key: %w", gateway.ErrBadAnswer), gateway.ProblemBadAnswer},
			{errors.New("panic"), gateway.ProblemUnavailable}, {nil, ""}, {gateway.ErrFork, gateway.ProblemFork},
		} {
			log.SetDown(step.err)
			time.Sleep(time.Minute)
			if got := g.Degraded()["fake"]; got != step.want {
				t.Errorf("%v: %q, want %q", step.err, got, step.want)
			}
		}
	})
}
