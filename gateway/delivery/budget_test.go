// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/throttle"
)

// simulation sends to a log for as long as its budget lets it, by a simulated clock.
type simulation struct {
	budget *budget
	// answer is the log: it takes its time, and returns what Add would.
	answer func(ctx context.Context) error

	mu    sync.Mutex // guards what follows
	began time.Time
	sends []sentOnce
	open  int // calls under way
	most  int // of those
	woken chan struct{}
}

// sentOnce is one send: when it began and ended, after the simulation's beginning, and what came of it.
type sentOnce struct {
	at, end time.Duration
	err     error
}

func simulate(t *testing.T, limits Limits, metrics Metrics, d time.Duration, answer func(ctx context.Context) error) *simulation {
	t.Helper()
	timing := Timing{AddTimeout: time.Minute}.withDefaults()
	s := &simulation{
		budget: newBudget("log", limits, timing, metrics.withDefaults(), false), answer: answer, began: time.Now(), woken: make(chan struct{}, 1),
	}
	var calls sync.WaitGroup
	for time.Since(s.began) < d {
		slots, why, again := s.budget.takeSlots(claimLimit)
		for _, slot := range slots {
			calls.Go(func() { s.sendOne(t, slot) })
		}
		if len(slots) > 0 {
			again = claimPause
		}
		woken := s.woken
		if why != "" || len(slots) > 0 {
			woken = nil
		}
		select {
		case <-woken:
		case <-time.After(again):
		}
	}
	calls.Wait()
	time.Sleep(clockwork) // until then what was fast is not recorded
	synctest.Wait()
	if s.budget.taken != 0 || s.budget.pace.promised != 0 || s.budget.flight.sending.Load() != 0 || s.budget.flight.permits != 0 {
		t.Errorf("%d slots taken, %d promised, %d sending, %d permits at the end",
			s.budget.taken, s.budget.pace.promised, s.budget.flight.sending.Load(), s.budget.flight.permits)
	}
	return s
}

func (s *simulation) sendOne(t *testing.T, slot *slot) {
	slot.begin()
	s.mu.Lock()
	i := len(s.sends)
	s.sends = append(s.sends, sentOnce{at: time.Since(s.began)})
	s.open++
	s.most = max(s.most, s.open)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := s.answer(ctx)
	slot.end(err)
	s.mu.Lock()
	s.sends[i].end, s.sends[i].err = time.Since(s.began), err
	s.open--
	s.mu.Unlock()
	slot.free()
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// count counts the sends that began from a time on up to another, and those of them that f holds of.
func (s *simulation) count(from, to time.Duration, f func(sentOnce) bool) (all, some int) {
	for _, c := range s.sends {
		if c.at >= from && c.at < to {
			all++
			if f(c) {
				some++
			}
		}
	}
	return all, some
}

// mostIn returns the largest number of sends that began within d.
func (s *simulation) mostIn(d time.Duration) (most int) {
	first := 0
	for i, c := range s.sends {
		for c.at-s.sends[first].at >= d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func refused(c sentOnce) bool {
	var overload *gateway.OverloadError
	return errors.As(c.err, &overload)
}

func logged(c sentOnce) bool   { return c.err == nil }
func timedOut(c sentOnce) bool { return errors.Is(c.err, context.DeadlineExceeded) }

// treeLog is a log that takes entries one after another, perSecond of them, and answers with its next checkpoint. Its answers
// come one after another, too.
type treeLog struct {
	perSecond  float64
	checkpoint time.Duration
	looks      time.Duration                     // between two looks whether there is a checkpoint; 0: it is noticed at once
	slow       func(since time.Duration) float64 // how many times slower it is than perSecond; nil: once

	mu             sync.Mutex // guards what follows
	began          time.Time
	busy, answered time.Time
}

// answersPerSecond is how fast answers come, once there is a checkpoint.
const answersPerSecond = 5000

func (l *treeLog) answer(ctx context.Context) error {
	l.mu.Lock()
	now := time.Now()
	if l.began.IsZero() {
		l.began = now
	}
	slower := 1.0
	if l.slow != nil {
		slower = l.slow(now.Sub(l.began))
	}
	l.busy = later(l.busy, now).Add(time.Duration(slower * float64(time.Second) / l.perSecond))
	noticed := l.nextTick(l.busy, l.checkpoint)
	if l.looks > 0 {
		noticed = l.nextTick(noticed, l.looks)
	}
	l.answered = later(l.answered, noticed).Add(time.Second / answersPerSecond)
	wait := time.NewTimer(l.answered.Sub(now))
	l.mu.Unlock()
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// nextTick returns when a clock that ticks so often does so next.
func (l *treeLog) nextTick(after time.Time, every time.Duration) time.Time {
	return l.began.Add((after.Sub(l.began)/every + 1) * every)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// TestConfiguredRate: over any ten seconds no more is sent than configured, by five percent, and not much less; whether the
// log takes it or refuses some of it.
func TestConfiguredRate(t *testing.T) {
	for _, perSecond := range []float64{3, 50, 700} {
		for _, refuses := range []float64{0, 0.3} {
			t.Run(fmt.Sprint(perSecond, " a second, refuses ", refuses), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					log := &treeLog{perSecond: 5000, checkpoint: time.Second}
					s := simulate(t, Limits{InFlight: 4000, Rate: perSecond}, Metrics{}, 40*time.Second, func(ctx context.Context) error {
						if rand.Float64() < refuses {
							return &gateway.OverloadError{}
						}
						return log.answer(ctx)
					})
					if most := float64(s.mostIn(10 * time.Second)); most > 10.5*perSecond || most < 9.5*perSecond {
						t.Errorf("%v sent within ten seconds", most)
					}
				})
			})
		}
	}
}

// TestLimitsChange: limits that change count from then on, and what is under way already, too.
func TestLimitsChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget("log", Limits{InFlight: 10}, Timing{}.withDefaults(), Metrics{}.withDefaults(), false)
		slots, _, _ := b.takeSlots(100)
		b.setLimits(Limits{InFlight: 12, Rate: 1})
		if more, why, _ := b.takeSlots(100); len(slots) != 10 || len(more) != 0 || why != ThrottledRate {
			t.Errorf("%d slots, then %d, %q", len(slots), len(more), why)
		}
		giveBackSlots(slots)
		if more, _, _ := b.takeSlots(100); len(more) != 1 {
			t.Errorf("%d slots, want 1", len(more))
		}
		b.setLimits(Limits{InFlight: 12})
		if more, _, _ := b.takeSlots(100); len(more) != 11 {
			t.Errorf("%d slots, want 11", len(more))
		}
	})
}

// TestInFlightIsReported: the metric falls, too: what was taken and is not used, or has ended, is not under way.
func TestInFlightIsReported(t *testing.T) {
	reported := -1
	metrics := Metrics{InFlight: func(_ string, _, taken int) { reported = taken }}.withDefaults()
	b := newBudget("log", Limits{InFlight: 10}, Timing{}.withDefaults(), metrics, false)
	slots, _, _ := b.takeSlots(100)
	if reported != 10 {
		t.Errorf("%d reported once 10 slots were taken", reported)
	}
	giveBackSlots(slots[1:])
	if reported != 1 {
		t.Errorf("%d reported once all slots but one were given back", reported)
	}
	slots[0].begin()
	slots[0].end(nil)
	slots[0].free()
	if reported != 0 {
		t.Errorf("%d reported once the last slot was free", reported)
	}
}

// TestRefusalsTeach: without a configured rate, a log that refuses what goes beyond its own is sent about that rate after half
// a minute, and refuses next to nothing.
func TestRefusalsTeach(t *testing.T) {
	for _, test := range []struct {
		perSecond  float64
		burst      int
		checkpoint time.Duration
		retryAfter time.Duration
	}{
		{20, 20, time.Second, 0}, {20, 20, time.Second, time.Second}, {100, 100, time.Second, 0}, {100, 10, time.Second, 0},
		{100, 100, time.Second, time.Second}, {100, 100, 10 * time.Second, 0}, {500, 500, time.Second, 2 * time.Second},
	} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := &treeLog{perSecond: 5000, checkpoint: test.checkpoint}
				gate := rate.NewLimiter(rate.Limit(test.perSecond), test.burst)
				s := simulate(t, Limits{InFlight: 4000, Throttle: throttle.New()}, Metrics{}, 2*time.Minute, func(ctx context.Context) error {
					if !gate.Allow() {
						return &gateway.OverloadError{RetryAfter: test.retryAfter}
					}
					return log.answer(ctx)
				})
				all, no := s.count(30*time.Second, 2*time.Minute, refused)
				sent := float64(all) / 90 / test.perSecond
				t.Logf("%.0f %% of the log's rate, %.1f %% refused", 100*sent, 100*float64(no)/float64(all))
				if no*20 > all || sent < 0.7 {
					t.Errorf("%d of %d refused; %.0f %% of the log's rate", no, all, 100*sent)
				}
			})
		})
	}
}

// TestRetryAfter: a log that names a time is sent nothing before, whatever is due.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const busy = 5
		calls := 0
		var mu sync.Mutex
		s := simulate(t, Limits{InFlight: busy}, Metrics{}, 2*time.Minute, func(context.Context) error {
			time.Sleep(time.Second)
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls <= busy {
				return &gateway.OverloadError{RetryAfter: time.Minute}
			}
			return nil
		})
		if all, no := s.count(0, 61*time.Second, refused); all != busy || no != busy {
			t.Errorf("%d sent, %d refused in the first minute", all, no)
		}
		if all, no := s.count(61*time.Second, 2*time.Minute, refused); all < 50*busy || no != 0 {
			t.Errorf("%d sent, %d refused after it", all, no)
		}
	})
}

var errBroken = errors.New("broken")

// TestBreaker: what fails is tried once in a while, by one entry; when that is taken, a few are sent, then as many as before.
func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var states []string
		metrics := Metrics{Breaker: func(_, state string) { states = append(states, state) }}
		began := time.Now()
		s := simulate(t, Limits{InFlight: 2000}, metrics, 3*time.Minute, func(context.Context) error {
			if since := time.Since(began); since > 30*time.Second && since < 91*time.Second {
				return errBroken
			}
			time.Sleep(time.Second)
			return nil
		})
		fails := func(c sentOnce) bool { return errors.Is(c.err, errBroken) }
		// At most what fits into the bound at once is sent to a log whose failing is not known yet.
		if all, failed := s.count(30*time.Second+1, 91*time.Second, fails); all != failed || failed < 15 || failed > 2000+21 {
			t.Errorf("%d sent, %d failed in its bad minute", all, failed)
		}
		if all, _ := s.count(40*time.Second, 90*time.Second, fails); all < 13 || all > 17 {
			t.Errorf("%d tried in 50 seconds, want one every three", all)
		}
		if all, failed := s.count(91*time.Second, 94500*time.Millisecond, fails); failed != 0 || all > 1+flightStart {
			t.Errorf("%d sent, %d failed right when it was back", all, failed)
		}
		if all, failed := s.count(160*time.Second, 170*time.Second, fails); failed != 0 || all < 19_000 {
			t.Errorf("%d sent, %d failed later", all, failed)
		}
		if n := len(states); n < 3 || states[0] != "closed" || states[1] != "open" || states[2] != "half-open" || states[n-1] != "closed" {
			t.Errorf("breaker: %q", states)
		}
	})
}

// TestGivenBoundIsSoonUsed: a log that comes back is sent as many as configured within twenty seconds, where it answers each second.
func TestGivenBoundIsSoonUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := simulate(t, Limits{InFlight: MaxInFlight}, Metrics{}, 41*time.Second, func(context.Context) error {
			if time.Since(began) < 10*time.Second {
				return errBroken
			}
			time.Sleep(time.Second)
			return nil
		})
		if all, ok := s.count(34*time.Second, 40*time.Second, logged); ok != all || ok < 5*MaxInFlight {
			t.Errorf("%d sent, %d logged in six seconds, want %d", all, ok, 5*MaxInFlight)
		}
	})
}

// TestGivenNoMore: a bound that is given no more is found as by one who begins, whatever was learned meanwhile.
func TestGivenNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		use := func(f *flight, d time.Duration) { // a log that answers each second, whatever is under way
			for end := time.Now().Add(d); time.Now().Before(end); {
				permits := make([]*permit, f.bound())
				for i := range permits {
					permits[i] = f.begin()
				}
				time.Sleep(time.Second)
				for _, permit := range permits {
					f.end(permit, time.Second, true)
				}
			}
		}
		f, fresh := newFlight(time.Minute), newFlight(time.Minute)
		f.give(1000)
		use(f, 5*time.Minute)
		f.give(0)
		use(f, 2*time.Minute)
		use(fresh, 2*time.Minute)
		if n, most := f.bound(), fresh.bound(); n*10 < most*9 {
			t.Errorf("%d are found, want %d", n, most)
		}
	})
}

// TestStalledLog: of the entries sent to a log that answers nothing, no more than its bound time out, and one with each trial.
func TestStalledLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, Limits{InFlight: 1000}, Metrics{}, 20*time.Minute, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if n := len(s.sends); n < 1010 || n > 1020 {
			t.Errorf("%d sent, want the bound and one a minute", n)
		}
	})
}

// TestFlapping: a log that works for ten seconds and fails for ten is sent little while it fails.
func TestFlapping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		s := simulate(t, Limits{InFlight: 1000}, Metrics{}, 10*time.Minute, func(context.Context) error {
			if time.Since(began)/(10*time.Second)%2 == 1 {
				return errBroken
			}
			time.Sleep(time.Second)
			return nil
		})
		all, ok := s.count(0, 10*time.Minute, logged)
		t.Logf("%d sent, %d logged", all, ok)
		if failed := all - ok; ok < 50_000 || failed > 30*(1000+5) {
			t.Errorf("%d logged, %d failed", ok, failed)
		}
	})
}

// TestBoundFound: the bound that is found keeps a fast log busy, and a slow one from timeouts.
func TestBoundFound(t *testing.T) {
	for name, test := range map[string]struct {
		log        *treeLog
		throughput float64       // of the log's, in the second minute
		latency    time.Duration // at most, on average
	}{
		"1500 a second":                 {&treeLog{perSecond: 1500, checkpoint: time.Second}, 0.8, 4 * time.Second},
		"1500 a second, two clocks":     {&treeLog{perSecond: 1500, checkpoint: time.Second, looks: 1010 * time.Millisecond}, 0.9, 4 * time.Second},
		"1200 a second, two clocks":     {&treeLog{perSecond: 1200, checkpoint: time.Second, looks: 1030 * time.Millisecond}, 0.9, 4 * time.Second},
		"500 a second":                  {&treeLog{perSecond: 500, checkpoint: time.Second}, 0.8, 4 * time.Second},
		"50 a second":                   {&treeLog{perSecond: 50, checkpoint: time.Second}, 0.8, 15 * time.Second},
		"8 a second":                    {&treeLog{perSecond: 8, checkpoint: time.Second}, 0.8, 20 * time.Second},
		"200 a second, rare checkpoint": {&treeLog{perSecond: 200, checkpoint: 10 * time.Second}, 0.5, 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := simulate(t, Limits{}, Metrics{}, 2*time.Minute, test.log.answer)
				all, late := s.count(0, 2*time.Minute, timedOut)
				later, _ := s.count(time.Minute, 2*time.Minute, logged)
				took := time.Duration(0)
				for _, c := range s.sends[all-later:] {
					took += (c.end - c.at) / time.Duration(later)
				}
				t.Logf("%d in a minute, %v each, at most %d under way", later, took, s.most)
				if throughput := float64(later) / 60 / test.log.perSecond; late > 0 || throughput < test.throughput || took > test.latency {
					t.Errorf("%.0f %% of the log's throughput, %v each, %d timed out", 100*throughput, took, late)
				}
			})
		})
	}
}

// TestBoundGrowsSoon: a backlog before a log that answers each second, whatever is under way, is soon sent thousands at once.
func TestBoundGrowsSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := simulate(t, Limits{}, Metrics{}, 30*time.Second, func(context.Context) error {
			time.Sleep(time.Second)
			return nil
		})
		if n, _ := s.count(10*time.Second, 30*time.Second, logged); n < 20*2000 {
			t.Errorf("%d logged in the second and third ten seconds", n)
		}
	})
}

// TestTenfold: a log that becomes ten times slower for two minutes is sent fewer at once meanwhile, and as many as before later.
func TestTenfold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := treeLog{perSecond: 500, checkpoint: time.Second, slow: func(since time.Duration) float64 {
			if since > time.Minute && since < 3*time.Minute {
				return 10
			}
			return 1
		}}
		s := simulate(t, Limits{}, Metrics{}, 5*time.Minute, log.answer)
		_, late := s.count(0, 5*time.Minute, timedOut)
		slow, _ := s.count(2*time.Minute, 3*time.Minute, logged)
		took := time.Duration(0)
		for _, c := range s.sends {
			if c.at >= 2*time.Minute && c.at < 3*time.Minute {
				took += (c.end - c.at) / time.Duration(slow)
			}
		}
		before, _ := s.count(30*time.Second, time.Minute, logged)
		after, _ := s.count(4*time.Minute, 5*time.Minute, logged)
		t.Logf("%d/s before, %d/s while slow, %v each, %d/s after", before/30, slow/60, took, after/60)
		if late > 0 || before < 30*350 || slow < 60*40 || took > 15*time.Second || after < 60*350 {
			t.Errorf("%d timed out", late)
		}
	})
}

// TestBreakerOfLogThatIsGone: nobody is told for ever of the open breaker of a log that was taken away.
func TestBreakerOfLogThatIsGone(t *testing.T) {
	var last string
	metrics := Metrics{Breaker: func(_, state string) { last = state }}.withDefaults()
	w := &runningWorker{worker: &worker{metrics: metrics, budget: newBudget("a", Limits{InFlight: 1}, Timing{Reopen: time.Hour}.withDefaults(), metrics, false)}, done: make(chan struct{})}
	for range tripAfter {
		slots, _, _ := w.budget.takeSlots(1)
		for _, s := range slots {
			s.begin()
			s.end(gateway.ErrUnavailable)
			s.free()
		}
	}
	if last != "open" {
		t.Fatalf("the breaker is %s", last)
	}
	close(w.done)
	<-awaitWorkers([]*runningWorker{w})
	if last != "closed" {
		t.Errorf("the breaker of a log that is gone is %s", last)
	}
}
