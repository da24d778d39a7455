// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// slowStore is a queue that takes its time, and fails when it is told to. What it is asked to store is
// in batches, by IDs. It is for one committer.
type slowStore struct {
	mu      sync.Mutex // over batches
	batches [][]string
	takes   time.Duration
	err     error            // of the store itself
	refuse  map[string]error // of single submissions
}

func (s *slowStore) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	var ids []string
	out := make([]gateway.Enqueued, len(subs))
	for i, sub := range subs {
		ids = append(ids, sub.ID)
		if out[i].Err = s.refuse[sub.ID]; out[i].Err == nil {
			out[i].Submission.SubmissionFields = sub.SubmissionFields
		}
	}
	s.mu.Lock()
	s.batches = append(s.batches, ids)
	s.mu.Unlock()
	select {
	case <-time.After(s.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.err != nil {
		return nil, s.err
	}
	return out, nil
}

// startCommitter runs a committer over s until stop is called.
func startCommitter(s *slowStore) (c *committer, stop func()) {
	c = newCommitter(s)
	ctx, cancel := context.WithCancel(context.Background())
	go c.runCommitter(ctx)
	return c, func() { cancel(); <-c.done }
}

func newNamed(id string) gateway.NewSubmission {
	return gateway.NewSubmission{SubmissionFields: gateway.SubmissionFields{ID: id}}
}

// commitAll commits n submissions at once, of which all but the first wait for a batch together, and
// returns what became of each and after how long.
func commitAll(c *committer, n int) (errs []error, took []time.Duration) {
	errs, took = make([]error, n), make([]time.Duration, n)
	started := time.Now()
	var waiting sync.WaitGroup
	for i := range n {
		waiting.Go(func() {
			_, errs[i] = c.commitSubmission(context.Background(), newNamed(fmt.Sprint(i)))
			took[i] = time.Since(started)
		})
		synctest.Wait()
	}
	waiting.Wait()
	return errs, took
}

// One that is refused takes no other with it, and nothing is stored in a second round.
func TestOneRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{takes: time.Second, refuse: map[string]error{"2": gateway.ErrQueueFull, "3": gateway.ErrUnstorable}}
		c, stop := startCommitter(s)
		defer stop()
		errs, _ := commitAll(c, 5)
		for i, err := range errs {
			if !errors.Is(err, s.refuse[fmt.Sprint(i)]) || errors.Is(err, gateway.ErrNotStored) {
				t.Errorf("submission %d: %v", i, err)
			}
		}
		if want := [][]string{{"0"}, {"1", "2", "3", "4"}}; !slices.EqualFunc(s.batches, want, slices.Equal) {
			t.Errorf("stored in %v, want %v", s.batches, want)
		}
		if c.isFailing() {
			t.Error("the store is taken to fail")
		}
	})
}

// A store that fails does so once for all who wait, however many they are.
func TestStoreFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{takes: 10 * time.Second, err: errors.New("disk is full")}
		c, stop := startCommitter(s)
		defer stop()
		errs, took := commitAll(c, 600)
		for i, err := range errs {
			if !errors.Is(err, gateway.ErrNotStored) || took[i] > s.takes {
				t.Fatalf("submission %d: %v after %v", i, err, took[i])
			}
		}
		if len(s.batches) != 1 || !c.isFailing() {
			t.Errorf("%d batches, failing %t", len(s.batches), c.isFailing())
		}
	})
}

// Callers who have left before their batch began are not stored; a queue that stays full refuses.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{takes: time.Minute}
		c, stop := startCommitter(s)
		defer stop()
		ctx, leave := context.WithCancel(context.Background())
		var leaving sync.WaitGroup
		for i := range commitQueue + 1 { // the first is under way
			leaving.Go(func() {
				if _, err := c.commitSubmission(ctx, newNamed(fmt.Sprint(i))); !errors.Is(err, context.Canceled) {
					t.Errorf("submission %d: %v", i, err)
				}
			})
			synctest.Wait()
		}
		started := time.Now()
		if _, err := c.commitSubmission(t.Context(), newNamed("late")); !errors.Is(err, gateway.ErrBusy) || time.Since(started) != commitPatience {
			t.Errorf("into a full queue: %v after %v", err, time.Since(started))
		}
		leave()
		leaving.Wait()
		time.Sleep(s.takes) // the first batch ends
		if _, err := c.commitSubmission(t.Context(), newNamed("next")); err != nil {
			t.Error(err)
		}
		if want := [][]string{{"0"}, {"next"}}; !slices.EqualFunc(s.batches, want, slices.Equal) {
			t.Errorf("stored in %d batches, want %v", len(s.batches), want)
		}
	})
}

// Who leaves while his submission is being stored does not hide it: whoever watches hears of it, and of nothing that was not stored.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &slowStore{takes: time.Minute, refuse: map[string]error{"refused": gateway.ErrUnstorable}}
		c, stop := startCommitter(s)
		defer stop()
		var left []string
		c.left = func(_ context.Context, sub gateway.Submission) { left = append(left, sub.ID) }
		for _, id := range []string{"stored", "refused"} {
			ctx, leave := context.WithTimeout(t.Context(), s.takes/2)
			if _, err := c.commitSubmission(ctx, newNamed(id)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", id, err)
			}
			leave()
			time.Sleep(s.takes)
		}
		if _, err := c.commitSubmission(t.Context(), newNamed("answered")); err != nil || !slices.Equal(left, []string{"stored"}) {
			t.Errorf("%v, told of %q", err, left)
		}
	})
}

// Stopping waits a moment for the batch under way, and no longer.
func TestStopCommitter(t *testing.T) {
	for takes, want := range map[time.Duration]error{commitGrace / 2: nil, time.Hour: gateway.ErrNotStored} {
		synctest.Test(t, func(t *testing.T) {
			c, stop := startCommitter(&slowStore{takes: takes})
			answered := make(chan error, 1)
			go func() {
				_, err := c.commitSubmission(context.Background(), newNamed("one"))
				answered <- err
			}()
			synctest.Wait()
			started := time.Now()
			stop()
			if took := time.Since(started); took > commitGrace {
				t.Errorf("stopped after %v", took)
			}
			if err := <-answered; !errors.Is(err, want) {
				t.Errorf("a batch that takes %v: %v", takes, err)
			}
			if _, err := c.commitSubmission(context.Background(), newNamed("late")); !errors.Is(err, gateway.ErrClosed) {
				t.Errorf("after the end: %v", err)
			}
		})
	}
}

// What waits to be stored takes memory also when its caller has left.
func TestQueueIsCounted(t *testing.T) {
	m := gateway.NewMemory(1000)
	request, err := m.Admit(100)
	if err != nil {
		t.Fatal(err)
	}
	held := request.Part()
	if err := held.Grow(300); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancel(gateway.WithHeld(t.Context(), held))
	leave()
	c := newCommitter(nil)
	c.queue <- commitRequest{ctx, newNamed("gone"), held.Detach(), make(chan gateway.Enqueued, 1), new(atomic.Bool)}
	if request.Close(); m.Used() != 300 {
		t.Errorf("%d bytes are counted in the queue, want 300", m.Used())
	}
	if first, _ := c.nextRequest(); len(c.collectBatch(first)) != 0 || m.Used() != 0 {
		t.Errorf("%d bytes are counted afterwards", m.Used())
	}
}

// Those that come while others are being verified are stored together, and none waits for long.
func TestGathers(t *testing.T) {
	for name, test := range map[string]struct {
		every   time.Duration
		batches int // at most
	}{
		"many":       {gatherStep / 8, 4},
		"very many":  {gatherStep / 64, 2},
		"not so few": {gatherStep / 4, 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slowStore{}
				c, stop := startCommitter(s)
				defer stop()
				c.coming.Add(1)
				const n = 200
				took := make([]time.Duration, n)
				var waiting sync.WaitGroup
				for i := range n {
					waiting.Go(func() {
						began := time.Now()
						if _, err := c.commitSubmission(t.Context(), newNamed(fmt.Sprint(i))); err != nil {
							t.Error(err)
						}
						took[i] = time.Since(began)
					})
					time.Sleep(test.every)
				}
				waiting.Wait()
				if longest := slices.Max(took); longest > gatherSteps*gatherStep || len(s.batches) > test.batches {
					t.Errorf("stored in %d batches, and one was held up for %v", len(s.batches), longest)
				}
			})
		})
	}
}

// Whoever comes alone is not held up, nor for long where another one takes its time, as while it is uploaded.
func TestAloneIsNotHeldUp(t *testing.T) {
	for others, want := range map[int64]time.Duration{0: time.Millisecond, 1: time.Millisecond + gatherStep} {
		synctest.Test(t, func(t *testing.T) {
			c, stop := startCommitter(&slowStore{takes: time.Millisecond})
			defer stop()
			c.coming.Add(others)
			if _, took := commitAll(c, 1); took[0] != want {
				t.Errorf("took %v with %d others, want %v", took[0], others, want)
			}
		})
	}
}
