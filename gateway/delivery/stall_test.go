// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestDegradedWhileStalled: a log that stalls counts as degraded until it does not any more, whatever else was wrong with it
// meanwhile.
func TestDegradedWhileStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		degraded := false
		w := retryWorker(nil)
		w.metrics.Degraded = func(_ string, now bool) { degraded = now }
		f := &failover{triedAt: map[string]time.Time{}}
		look := func(what string, want bool) {
			t.Helper()
			f.watchStall(t.Context(), w, time.Now())
			if degraded != want {
				t.Errorf("%s: degraded %t", what, degraded)
			}
		}
		w.stall.noteOutcome(gateway.Outcome{Retry: true}, time.Now())
		time.Sleep(w.timing.Stalled)
		look("stalls", true)
		w.noteReading(gateway.ErrUnavailable)
		look("stalls, and cannot be read", true)
		w.noteReading(nil)
		look("stalls still", true)
		w.noteReading(gateway.ErrUnavailable)
		w.stall.noteIncluded()
		look("cannot be read", true)
		w.noteReading(nil)
		look("works", false)
	})
}

// TestLetInAgain: a log that let nobody in, and to which nothing goes any more since another one takes over, is found to be
// usable again by a probe, or, where there are none, assumed to be after a while.
func TestLetInAgain(t *testing.T) {
	for name, probes := range map[string]bool{"probes": true, "no probes": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := retryWorker(gateway.ErrForbidden)
				if probes {
					w.probe = func(context.Context, gateway.Log) (gateway.Prepared, error) { return gateway.Prepared{}, nil }
				}
				f := &failover{triedAt: map[string]time.Time{}, delivery: &Delivery{}}
				look := func() string {
					f.watchStall(t.Context(), w, time.Now())
					f.delivery.trials.Wait()
					return w.health.currentProblem()
				}
				sendClaimed(t, w, 1, []byte("b"), 1)
				time.Sleep(w.timing.Stalled)
				if got := look(); got != gateway.ProblemForbidden {
					t.Errorf("at first: %q", got)
				}
				w.log = &refusingLog{scriptedLog: scriptedLog{size: 1}}
				time.Sleep(trialAfter + time.Second)
				if got := look(); got != "" {
					t.Errorf("once it lets us in: %q", got)
				}
				if lasts, problem := w.stall.lasts(time.Now()); lasts > 0 {
					t.Errorf("it counts as %s", problem)
				}
			})
		})
	}
}

// TestStallLastsThroughTrials: a log that is tried by what comes stalls on, for whoever watches it, until it includes something.
func TestStallLastsThroughTrials(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	s := stall{after: 30 * time.Second}
	failed := gateway.Outcome{Retry: true, Problem: gateway.ProblemUnavailable}
	s.noteOutcome(failed, start)
	for _, c := range []struct {
		after          time.Duration
		stalls, trying bool
	}{
		{29 * time.Second, false, false},
		{time.Minute, true, false},
		{trialAfter - time.Second, true, false},
		{trialAfter + time.Second, true, true},
		{trialAfter + trialTime, true, false},
		{2*trialAfter + time.Second, true, true},
	} {
		now := start.Add(c.after)
		lasts, problem := s.lasts(now)
		if stalls := lasts > 0 && problem == gateway.ProblemUnavailable; stalls != c.stalls || s.isOnTrial(now) != c.trying {
			t.Errorf("after %v: stalls %t, on trial %t", c.after, stalls, s.isOnTrial(now))
		}
		s.noteOutcome(failed, now)
	}
	s.noteOutcome(gateway.Outcome{Inclusion: &gateway.Inclusion{}}, start.Add(time.Hour))
	if lasts, _ := s.lasts(start.Add(2 * time.Hour)); lasts != 0 || s.isOnTrial(start.Add(2*time.Hour)) {
		t.Error("it stalls although it has included something")
	}
}

// TestStallsByProbes: while all that was sent is in doubt, probes say whether the log that stalls can be reached.
func TestStallsByProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &refusingLog{scriptedLog: scriptedLog{size: 1}}
		w := retryWorker(nil)
		w.log = log
		w.probe = func(context.Context, gateway.Log) (gateway.Prepared, error) { return gateway.Prepared{}, nil }
		sendProbe := func(err error) {
			log.err = err
			w.sendProbe(t.Context(), currentShard)
		}
		sendProbe(gateway.ErrNotSent)
		time.Sleep(w.timing.Stalled)
		if lasts, problem := w.stall.lasts(time.Now()); lasts > 0 {
			t.Errorf("%s, although nothing but a probe has failed", problem)
		}
		w.stall.noteOutcome(gateway.Outcome{Retry: true, InDoubt: true}, time.Now())
		time.Sleep(w.timing.Stalled)
		for _, c := range []struct {
			err  error
			want string
		}{{context.DeadlineExceeded, gateway.ProblemStalled}, {gateway.ErrNotSent, gateway.ProblemUnavailable}, {context.DeadlineExceeded, gateway.ProblemStalled}} {
			sendProbe(c.err)
			if lasts, problem := w.stall.lasts(time.Now()); lasts == 0 || problem != c.want {
				t.Errorf("after a probe's %v it is %q for %v", c.err, problem, lasts)
			}
		}
	})
}
