// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
)

// refusingLog fails with whatever is sent to it.
type refusingLog struct {
	scriptedLog
	err error
}

func (l *refusingLog) Add(context.Context, gateway.Shard, gateway.Prepared) (*gateway.Inclusion, error) {
	if l.err != nil {
		return nil, l.err
	}
	return &gateway.Inclusion{Kind: "k", Proof: []byte("p"), Index: 5}, nil
}

// sendClaimed has w send an entry that was tried so often, and returns what came of it.
func sendClaimed(t *testing.T, w *worker, id int64, body []byte, attempts int) *result {
	t.Helper()
	slots, why, _ := w.budget.takeSlots(1)
	if len(slots) != 1 {
		t.Fatalf("nothing may be sent: %s", why)
	}
	size := uint64(1)
	e := gateway.Claimed{Entry: gateway.Entry{ID: id, Fence: 1, Attempts: attempts, Shard: currentShard, SentAtTreeSize: &size}, Body: body}
	fresh, _ := addWithSlots(t.Context(), w.held, []gateway.Claimed{e}, steady.Now(), slots)
	r := w.sendEntry(fresh[0])
	w.held.releaseOutcomes([]gateway.Outcome{r.Outcome})
	return r
}

func retryWorker(err error) *worker {
	w := scanWorker(&scriptedLog{size: 1}, &doubtStore{}).worker
	w.log, w.next = &refusingLog{scriptedLog{size: 1}, err}, func() []string { return nil }
	return w
}

// TestRetryInOutage: an entry that fails alone waits longer and longer. One that fails as all others do is due soon after the
// log works again.
func TestRetryInOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const often = 30
		alone := retryWorker(gateway.ErrNotSent)
		if r := sendClaimed(t, alone, 1, []byte("b"), often); r.RetryIn < longestRetry/2 {
			t.Errorf("alone it waits for %v", r.RetryIn)
		}
		var last *result
		failing := retryWorker(gateway.ErrNotSent)
		for id := range int64(tripAfter) {
			last = sendClaimed(t, failing, id, []byte("b"), often)
		}
		if state := failing.budget.breaker.State(); state != gobreaker.StateOpen || last.RetryIn > 2*outageRetry {
			t.Errorf("the breaker is %s, and it waits for %v", state, last.RetryIn)
		}
		stalled := retryWorker(&gateway.OverloadError{})
		sendClaimed(t, stalled, 1, []byte("b"), often)
		time.Sleep(stalled.timing.Stalled)
		if r := sendClaimed(t, stalled, 2, []byte("b"), often); r.RetryIn > 2*outageRetry {
			t.Errorf("while the log stalls it waits for %v", r.RetryIn)
		}
	})
}

// TestOtherKindSaysNothingOfTheLog: however many entries are of another kind of log, they wait, and the log counts as working.
func TestOtherKindSaysNothingOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := retryWorker(gateway.ErrOtherKind)
		for id := range int64(3 * tripAfter) {
			time.Sleep(time.Second)
			if r := sendClaimed(t, w, id+1, []byte("b"), 1); !r.Retry || r.InDoubt || r.Problem != gateway.ProblemUnavailable {
				t.Fatalf("%+v", r.Outcome)
			}
		}
		if state := w.budget.breaker.State(); state != gobreaker.StateClosed {
			t.Errorf("the breaker is %v", state)
		}
	})
}

// TestTooLargeSaysNothingOfTheLog: however many entries are too large, they fail, and the log counts neither as failing nor as mended.
func TestTooLargeSaysNothingOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := retryWorker(gateway.ErrTooLarge)
		began := time.Now()
		w.stall.noteOutcome(gateway.Outcome{Retry: true}, began)
		for id := range int64(2 * tripAfter) {
			time.Sleep(time.Second)
			if r := sendClaimed(t, w, id+1, []byte("b"), 1); !r.Fail || r.Problem != gateway.ProblemRefused {
				t.Fatalf("%+v", r.Outcome)
			}
		}
		if counts := w.budget.breaker.Counts(); counts.TotalFailures+counts.TotalSuccesses > 0 {
			t.Errorf("the breaker counts %+v", counts)
		}
		if d, _ := w.stall.lasts(began.Add(w.timing.Stalled)); d == 0 {
			t.Error("a log that stalls counts as working")
		}
	})
}

// TestUnreadableSaysNothingOfTheLog: however many entries cannot be read back, the log counts as working.
func TestUnreadableSaysNothingOfTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := retryWorker(nil)
		w.size.noteSize(currentShard, 1, time.Now())
		for id := range int64(2 * tripAfter) {
			time.Sleep(time.Second)
			if r := sendClaimed(t, w, id, nil, 30); r.Problem != gateway.ProblemUnreadable || r.RetryIn < longestRetry/2 {
				t.Errorf("%s, tried again in %v", r.Problem, r.RetryIn)
			}
		}
		if state := w.budget.breaker.State(); state != gobreaker.StateClosed {
			t.Errorf("the breaker is %s", state)
		}
		if d, problem := w.stall.lasts(time.Now().Add(time.Hour)); d > 0 {
			t.Errorf("the log counts as %s", problem)
		}
		if _, ok := w.size.lookUp(currentShard, time.Now()); !ok {
			t.Error("the log is asked for its size before each claim")
		}
	})
}

// TestProbeMakesRoom: whoever waits for the slot that a probe has taken is woken when it is free.
func TestProbeMakesRoom(t *testing.T) {
	w := retryWorker(gateway.ErrNotSent)
	w.probe = func(context.Context, gateway.Log) (gateway.Prepared, error) { return gateway.Prepared{}, nil }
	w.sendProbe(t.Context(), currentShard)
	if len(w.woken) != 1 || w.budget.taken != 0 {
		t.Errorf("woken %d times, %d slots taken", len(w.woken), w.budget.taken)
	}
}
