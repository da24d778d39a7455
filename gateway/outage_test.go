// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"os"
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

// outage is how a log fails for hours.
type outage struct {
	problem string // that the gateway says of the log; "" is none
	// size is what reading the log gives, and add what sending an entry gives, of the n-th call. Nil errors go to the
	// log itself.
	size func(n int) error
	add  func(ctx context.Context, n int) error
	// applied: entries that are answered with an error are in the log all the same, each second one.
	applied bool
}

var errGarbage = fmt.Errorf("%w: no inclusion proof", gateway.ErrBadAnswer)

var outages = map[string]outage{
	"down": {
		problem: gateway.ProblemUnavailable,
		size:    func(int) error { return gateway.ErrUnavailable },
		add:     func(context.Context, int) error { return gateway.ErrNotSent },
	},
	"slow": { // slower than entries are waited for
		problem: gateway.ProblemStalled, applied: true,
		add: func(ctx context.Context, _ int) error { <-ctx.Done(); return ctx.Err() },
	},
	"flapping": {
		size: func(n int) error {
			if n%7 < 4 {
				return gateway.ErrUnavailable
			}
			return nil
		},
		add:     func(_ context.Context, n int) error { return []error{gateway.ErrNotSent, errLost, errLost}[n%3] },
		applied: true,
	},
	"frozen": { // read, and not written
		problem: gateway.ProblemUnavailable,
		add: func(context.Context, int) error {
			return fmt.Errorf("%w: %w: log frozen", gateway.ErrNotSent, gateway.ErrUnavailable)
		},
	},
	"overloaded": {
		problem: gateway.ProblemStalled,
		add:     func(context.Context, int) error { return &gateway.OverloadError{RetryAfter: time.Minute} },
	},
	"not letting the gateway in": {
		problem: gateway.ProblemForbidden,
		add:     func(context.Context, int) error { return gateway.ErrForbidden },
	},
	"answering garbage": {
		problem: gateway.ProblemBadAnswer,
		size:    func(int) error { return errGarbage },
		add:     func(context.Context, int) error { return errGarbage },
	},
	"answering entries with garbage": {
		problem: gateway.ProblemStalled, applied: true,
		add: func(context.Context, int) error { return errGarbage },
	},
}

// failingLog fails until mend.
type failingLog struct {
	*gatewaytest.Log
	outage outage

	mu          sync.Mutex // guards what follows
	mended      bool
	sizes, adds int
}

func (l *failingLog) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mended = true
}

// count returns the number of a call, from 1 on, 0 once the log is mended.
func (l *failingLog) count(calls *int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mended {
		return 0
	}
	*calls++
	return *calls
}

// Size implements gateway.Log.
func (l *failingLog) Size(ctx context.Context, shard gateway.Shard) (uint64, error) {
	if n := l.count(&l.sizes); n > 0 && l.outage.size != nil {
		if err := l.outage.size(n); err != nil {
			return 0, err
		}
	}
	return l.Log.Size(ctx, shard)
}

// Add implements gateway.Log.
func (l *failingLog) Add(ctx context.Context, shard gateway.Shard, e gateway.Prepared) (*gateway.Inclusion, error) {
	n := l.count(&l.adds)
	if n == 0 {
		return l.Log.Add(ctx, shard, e)
	}
	err := l.outage.add(ctx, n)
	if l.outage.applied && n%2 == 0 && !errors.Is(err, gateway.ErrNotSent) {
		_, _ = l.Log.Add(context.WithoutCancel(ctx), shard, e)
	}
	return nil, err
}

// TestOutage: by a simulated clock a log fails for hours, in every way, while submissions come in. They are accepted until
// as many wait as may, and refused for now from then on. Nothing is ever dropped: when the log works again, all that was accepted is
// logged, once, and what comes then is not held up.
func TestOutage(t *testing.T) {
	t.Parallel()
	for name, o := range outages {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { testOutage(t, o) })
		})
	}
}

// manySubmissions come in during an outage, and mostWait may wait.
const manySubmissions, mostWait = 60, 45

// outageLength is a day in `make outage`, and less elsewhere: retries take the processor's time.
func outageLength() time.Duration {
	if os.Getenv("OUTAGE") == "day" {
		return 24 * time.Hour
	}
	return time.Hour
}

func testOutage(t *testing.T, o outage) {
	log := &failingLog{Log: gatewaytest.NewLog(), outage: o}
	log.Delay = 5 * time.Minute
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{Now: time.Now, MaxPending: mostWait})
	if err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.New(gatewaytest.Config{
		Logs: []gateway.Log{log}, Store: store, Timing: delivery.Timing{InFlight: 64, AddTimeout: time.Minute, Drain: time.Second, Poll: 20 * time.Second},
	})
	stop := g.Start(t)
	defer func() { stop(); _ = store.Close() }()

	accepted := submitThroughout(t, g)
	if problem := g.Degraded()["fake"]; o.problem != "" && problem != o.problem {
		t.Errorf("after hours the gateway says %q of the log, want %q", problem, o.problem)
	}
	log.mend()
	mended := time.Now()
	live := submitLive(t, g)
	for _, id := range accepted {
		awaitLogged(t, g, id)
	}
	all := time.Since(mended)
	if logged, _ := log.Count(); logged != len(accepted)+1 {
		t.Errorf("%d were accepted, and %d are in the log", len(accepted)+1, logged)
	}
	time.Sleep(time.Minute)
	if degraded := g.Degraded(); len(degraded) > 0 {
		t.Errorf("the log works, and the gateway says %v", degraded)
	}
	soon := 3 * time.Minute
	if o.applied { // what is in doubt waits for as long as the log may take to include it
		soon += log.Delay
	}
	if all > soon {
		t.Errorf("all was logged %v after the log worked again", all)
	}
	t.Logf("%d accepted; sent %d times; after the log worked again one more was logged in %v, all in %v", len(accepted), log.adds, live, all)
}

// submitThroughout submits for as long as the outage lasts, and returns the IDs of those that were accepted. Others have to be refused for the queue,
// and only when it is full.
func submitThroughout(t *testing.T, g *gatewaytest.Gateway) (accepted []string) {
	t.Helper()
	refused := 0
	for range manySubmissions {
		time.Sleep(outageLength() / manySubmissions)
		sub, err := g.Submit(t.Context(), gatewaytest.Signed(t, time.Now().String()), gatewaytest.NoArtifact)
		switch {
		case err == nil:
			accepted = append(accepted, sub.ID)
		case !errors.Is(err, gateway.ErrQueueFull):
			t.Fatal(err)
		case refused == 0 && len(accepted) < mostWait:
			t.Errorf("refused after %d", len(accepted))
			fallthrough
		default:
			refused++
		}
	}
	if len(accepted) < mostWait {
		t.Errorf("only %d were accepted", len(accepted))
	}
	return accepted
}

// submitLive submits as soon as there is room, and returns how long it took until that was logged.
func submitLive(t *testing.T, g *gatewaytest.Gateway) time.Duration {
	t.Helper()
	began := time.Now()
	request := gatewaytest.Signed(t, "live")
	for {
		sub, err := g.Submit(t.Context(), request, gatewaytest.NoArtifact)
		switch {
		case err == nil:
			awaitLogged(t, g, sub.ID)
			return time.Since(began)
		case !errors.Is(err, gateway.ErrQueueFull) || time.Since(began) > time.Minute:
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
	}
}

// awaitLogged waits until a submission is logged, and returns how long that took.
func awaitLogged(t *testing.T, g *gatewaytest.Gateway, id string) time.Duration {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	sub, err := g.Wait(ctx, gateway.DefaultTenant, id)
	if err != nil || sub.State != gateway.Logged {
		t.Fatalf("%s is %s, %s: %v", id, sub.State, sub.Entries[0].Problem, err)
	}
	return time.Since(began)
}
