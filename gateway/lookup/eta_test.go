// SPDX-License-Identifier: Apache-2.0

package lookup_test

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/lookup"
)

// estimating is an estimator over a queue that a test sets.
type estimating struct {
	*lookup.Estimator
	now      time.Time
	stats    gateway.Stats
	lines    []gateway.Line
	degraded map[string]string
	reads    int
	err      error
}

func newEstimating() *estimating {
	e := &estimating{now: time.Unix(1_800_000_000, 0), stats: gateway.Stats{Pending: map[string]int{}, Leased: map[string]int{}}}
	e.Estimator = lookup.NewEstimator(lookup.EstimatorConfig{
		Stats:            func(context.Context) (gateway.Stats, error) { e.reads++; return e.stats, e.err },
		Lines:            func(context.Context) ([]gateway.Line, error) { return e.lines, e.err },
		Degraded:         func() map[string]string { return e.degraded },
		IntegrationDelay: func(string) time.Duration { return 5 * time.Minute },
		Now:              func() time.Time { return e.now },
	})
	return e
}

// log has n entries a second logged for so many seconds, each of which takes so long.
func (e *estimating) log(name string, n, seconds int, took time.Duration) {
	for range seconds {
		for range n {
			e.NoteLogged(name, took)
		}
		e.now = e.now.Add(time.Second)
	}
}

// waiting returns a submission that was queued so long ago, with an entry in each of the logs.
func (e *estimating) waiting(p gateway.Priority, age time.Duration, needed int, logs ...string) gateway.Submission {
	sub := gateway.Submission{SubmissionFields: gateway.SubmissionFields{Needed: needed}, Priority: p, CreatedAt: e.now.Add(-age), State: gateway.Pending}
	for _, l := range logs {
		sub.Entries = append(sub.Entries, gateway.Entry{Log: l, State: gateway.Pending})
	}
	return sub
}

// TestEstimate: the wait is the share of the line that is older, at the pace of the last seconds, and the log's own time.
func TestEstimate(t *testing.T) {
	for name, c := range map[string]struct {
		priority gateway.Priority
		age      time.Duration
		want     time.Duration
	}{
		"interactive, just come":   {gateway.Interactive, 0, 10*time.Second + 2*time.Second},
		"interactive, half way":    {gateway.Interactive, 10 * time.Second, 5*time.Second + 2*time.Second},
		"interactive, the oldest":  {gateway.Interactive, 20 * time.Second, 2 * time.Second},
		"backfill, just come":      {gateway.Backfill, 0, 10*time.Second + 500*time.Second + 2*time.Second},
		"backfill, half way":       {gateway.Backfill, 500 * time.Second, 10*time.Second + 250*time.Second + 2*time.Second},
		"backfill, the oldest one": {gateway.Backfill, time.Hour, 10*time.Second + 2*time.Second},
	} {
		e := newEstimating()
		e.log("a", 100, 10, 2*time.Second)
		e.lines = []gateway.Line{
			{Log: "a", Priority: gateway.Interactive, Entries: 1000, Oldest: 20 * time.Second},
			{Log: "a", Priority: gateway.Backfill, Entries: gateway.MaxLine, Oldest: 1000 * time.Second}, // counted no further
		}
		e.stats.Pending["a"] = 51_000 // with the interactive ones
		got := e.Estimate(t.Context(), e.waiting(c.priority, c.age, 1, "a")).At.Sub(e.now)
		if d := got - c.want; d < -time.Second || d > time.Second {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestEstimateOfSeveralLogs: as many logs as are needed, of those that can be used; without them, there is no estimate, and it is
// said why.
func TestEstimateOfSeveralLogs(t *testing.T) {
	e := newEstimating()
	e.log("slow", 1, 10, 9*time.Second)
	e.log("fast", 1, 10, 2*time.Second)
	down := map[string]string{"slow": gateway.ProblemUnavailable}
	for name, c := range map[string]struct {
		degraded map[string]string
		needed   int
		state    gateway.State // of the slow one's entry
		want     time.Duration
		delays   []gateway.Delay
	}{
		"one of both":         {nil, 1, gateway.Pending, 2 * time.Second, nil},
		"both":                {nil, 2, gateway.Pending, 9 * time.Second, nil},
		"one, the other down": {down, 1, gateway.Pending, 2 * time.Second, nil},
		"both, one down":      {down, 2, gateway.Pending, 0, []gateway.Delay{{Log: "slow", Problem: gateway.ProblemUnavailable}}},
		"down, and has it":    {down, 2, gateway.Logged, 2 * time.Second, nil},
		"refused by one":      {nil, 2, gateway.Failed, 0, nil},
		"a former shard's":    {map[string]string{"slow": gateway.TroubleFormerShard}, 2, gateway.Pending, 9 * time.Second, nil},
	} {
		e.degraded = c.degraded
		sub := e.waiting(gateway.Interactive, 0, c.needed, "slow", "fast")
		sub.Entries[0].State = c.state
		got := e.Estimate(t.Context(), sub)
		if got.At.IsZero() != (c.want == 0) || c.want != 0 && got.At.Sub(e.now) != c.want || !reflect.DeepEqual(got.Delays, c.delays) {
			t.Errorf("%s: %v %v, want %v %v", name, got.At.Sub(e.now), got.Delays, c.want, c.delays)
		}
	}
}

// TestEstimateOfSetbacks: what waits for its next try, or is in doubt, takes that much longer.
func TestEstimateOfSetbacks(t *testing.T) {
	e := newEstimating()
	e.log("a", 1, 10, time.Second)
	for name, c := range map[string]struct {
		entry gateway.Entry
		want  time.Duration
	}{
		"under way":                   {gateway.Entry{InDoubt: true}, time.Second},
		"in doubt":                    {gateway.Entry{InDoubt: true, Problem: gateway.ProblemUnknown}, 31 * time.Second},
		"under way, renewed":          {gateway.Entry{InDoubt: true, LastSentAt: e.now.Add(-10 * time.Second)}, time.Second},
		"under way, a clock ahead":    {gateway.Entry{InDoubt: true, LastSentAt: e.now.Add(10 * time.Second)}, time.Second},
		"in doubt, just so":           {gateway.Entry{InDoubt: true, Problem: gateway.ProblemUnknown, LastSentAt: e.now.Add(-time.Second)}, 31 * time.Second},
		"in doubt, not found":         {gateway.Entry{InDoubt: true, LastSentAt: e.now.Add(-time.Minute)}, 4*time.Minute + time.Second},
		"in doubt, to be sent soon":   {gateway.Entry{InDoubt: true, Problem: gateway.ProblemUnknown, LastSentAt: e.now.Add(-time.Hour)}, 31 * time.Second},
		"in doubt, database put back": {gateway.Entry{InDoubt: true, LastSentAt: e.now.Add(time.Minute)}, 6*time.Minute + time.Second},
		"waits":                       {gateway.Entry{NextAt: e.now.Add(time.Minute), Problem: gateway.ProblemOverloaded}, 61 * time.Second},
	} {
		sub := e.waiting(gateway.Interactive, 0, 1, "a")
		c.entry.Log, c.entry.State = "a", gateway.Pending
		sub.Entries[0] = c.entry
		if got := e.Estimate(t.Context(), sub).At.Sub(e.now); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestEstimateOfAFormerShard: what may be in a former shard that cannot show it waits for the operator, and has no estimate.
func TestEstimateOfAFormerShard(t *testing.T) {
	e := newEstimating()
	e.degraded = map[string]string{"a": gateway.TroubleFormerShard}
	sub := e.waiting(gateway.Interactive, 0, 1, "a")
	sub.Entries[0].InDoubt, sub.Entries[0].Problem = true, gateway.ProblemUnknown
	want := gateway.Estimate{Delays: []gateway.Delay{{Log: "a", Problem: gateway.TroubleFormerShard}}}
	if got := e.Estimate(t.Context(), sub); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// TestEstimateUnknown: nothing is guessed where others wait and nothing is logged, nor where the store cannot be read; what is under
// way tells the pace before anything was logged.
func TestEstimateUnknown(t *testing.T) {
	e := newEstimating()
	e.lines = []gateway.Line{{Log: "a", Priority: gateway.Interactive, Entries: 1000, Oldest: time.Minute}}
	if got := e.Estimate(t.Context(), e.waiting(gateway.Interactive, 0, 1, "a")); !got.At.IsZero() {
		t.Errorf("estimated %v", got)
	}
	if got := e.Estimate(t.Context(), e.waiting(gateway.Interactive, time.Minute, 1, "a")); got.At.IsZero() {
		t.Error("the first in line has no estimate")
	}
	if e.reads != 1 {
		t.Errorf("the queue was read %d times for two", e.reads)
	}
	e.now = e.now.Add(3 * time.Second)
	e.stats.Leased["a"] = 500 // for ten seconds each, as far as is known
	if got := e.Estimate(t.Context(), e.waiting(gateway.Interactive, 0, 1, "a")).At.Sub(e.now); got != 30*time.Second {
		t.Errorf("estimated %v with 500 under way", got)
	}
	e.now, e.err = e.now.Add(3*time.Second), errors.New("disk")
	if got := e.Estimate(t.Context(), e.waiting(gateway.Interactive, 0, 1, "a")); !got.At.IsZero() {
		t.Errorf("estimated %v", got)
	}
}

// TestEstimateWhileTheStoreIsAsked: deliveries that note what was logged do not wait for the store, and neither do others who ask.
func TestEstimateWhileTheStoreIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		e := lookup.NewEstimator(lookup.EstimatorConfig{
			Stats:    func(context.Context) (gateway.Stats, error) { <-answer; return gateway.Stats{}, nil },
			Lines:    func(context.Context) ([]gateway.Line, error) { return nil, nil },
			Degraded: func() map[string]string { return nil },
			Now:      time.Now,
		})
		sub := newEstimating().waiting(gateway.Interactive, 0, 1, "a")
		go e.Estimate(t.Context(), sub)
		synctest.Wait()
		e.NoteLogged("a", time.Second) // it would wait for ever
		if got := e.Estimate(t.Context(), sub); !reflect.DeepEqual(got, gateway.Estimate{}) {
			t.Errorf("while nothing is known yet: %v", got)
		}
		close(answer)
		synctest.Wait()
		if got := e.Estimate(t.Context(), sub); got.At.IsZero() {
			t.Errorf("once the store has answered: %v", got)
		}
	})
}

// TestEstimateForOneWhoLeft: who leaves while the queue is read spoils it for nobody.
func TestEstimateForOneWhoLeft(t *testing.T) {
	e := lookup.NewEstimator(lookup.EstimatorConfig{
		Stats:    func(ctx context.Context) (gateway.Stats, error) { return gateway.Stats{}, ctx.Err() },
		Lines:    func(ctx context.Context) ([]gateway.Line, error) { return nil, ctx.Err() },
		Degraded: func() map[string]string { return nil },
		Now:      func() time.Time { return time.Unix(1_800_000_000, 0) },
	})
	left, leave := context.WithCancel(t.Context())
	leave()
	sub := newEstimating().waiting(gateway.Interactive, 0, 1, "a")
	e.Estimate(left, sub)
	if got := e.Estimate(t.Context(), sub); got.At.IsZero() {
		t.Errorf("the next one gets no estimate: %v", got)
	}
}

// TestEstimateInBurst: what came all at once an hour ago is not taken to have come evenly since, whichever line it stands in.
func TestEstimateInBurst(t *testing.T) {
	for _, p := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
		e := newEstimating()
		e.log("a", 100, 10, time.Second)
		e.lines = []gateway.Line{{Log: "a", Priority: p, Entries: gateway.MaxLine, Oldest: time.Hour, First: 1000}} // counted no further
		e.stats.Pending["a"] = 90_000
		sub := e.waiting(p, time.Hour-time.Minute, 1, "a")
		for _, c := range []struct {
			id   int64
			want time.Duration
		}{{1000, time.Second}, {46_000, 451 * time.Second}, {91_000, 901 * time.Second}, {200_000, 901 * time.Second}} {
			sub.Entries[0].ID = c.id
			got := e.Estimate(t.Context(), sub).At.Sub(e.now)
			if d := got - c.want; d < -time.Second || d > time.Second {
				t.Errorf("%s, entry %d: %v, want %v", p, c.id, got, c.want)
			}
		}
	}
}
