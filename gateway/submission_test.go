// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

func TestSubmitIsLoggedAndHasReceipt(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	sub := wait(t, s, submit(t, s, gatewaytest.Signed(t, "hello")).ID)
	if sub.State != gateway.Logged || sub.Representation() != gateway.Native {
		t.Fatalf("state %s, representation %s", sub.State, sub.Representation())
	}
	r, err := s.Receipt(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.GetEntries()[0].GetBundle().GetVerificationMaterial().GetTlogEntries(); len(got) != 1 {
		t.Errorf("receipt has %d log entries", len(got))
	}
}

func TestSameSubmissionIsOne(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	s := startGateway(t, log)
	r := gatewaytest.Signed(t, "hello")
	first, second := submit(t, s, r), submit(t, s, r)
	if first.Existing || !second.Existing || first.ID != second.ID {
		t.Errorf("first %v, second %v", first.Existing, second.Existing)
	}
	r.Tenant = "other"
	if other := submit(t, s, r); other.Existing || other.ID == first.ID {
		t.Error("another tenant got the first one's submission")
	}
	wait(t, s, first.ID)
	if logged, sent := log.Count(); logged != 1 || sent != 1 {
		t.Errorf("logged %d times, sent %d times", logged, sent)
	}
	if _, err := s.Get(t.Context(), "other", first.ID); !errors.Is(err, gateway.ErrNotFound) {
		t.Errorf("another tenant's submission: %v", err)
	}
}

// Labels are those that a tenant sent first; nobody else sees them.
func TestLabelsStayAsTheyWere(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	r := gatewaytest.Signed(t, "hello")
	send := func(tenant string, labels map[string]string) gateway.Submission {
		r.Tenant, r.Labels = tenant, labels
		return submit(t, s, r)
	}
	first := map[string]string{"build": "1"}
	sent := send(gateway.DefaultTenant, first)
	for name, sub := range map[string]gateway.Submission{
		"first": sent, "with others": send(gateway.DefaultTenant, map[string]string{"build": "2", "more": "x"}), "with none": send(gateway.DefaultTenant, nil),
	} {
		if sub.ID != sent.ID || !maps.Equal(sub.Labels, first) {
			t.Errorf("%s: labels %v", name, sub.Labels)
		}
	}
	if stored, err := s.Get(t.Context(), gateway.DefaultTenant, sent.ID); err != nil || !maps.Equal(stored.Labels, first) {
		t.Errorf("stored labels %v, %v", stored.Labels, err)
	}
	if other := send("other", nil); other.ID == sent.ID || len(other.Labels) != 0 {
		t.Errorf("another tenant sees labels %v", other.Labels)
	}
}

// Whatever the first Add answers, the entry ends up in the log exactly once.
func TestSetbacks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault gatewaytest.Fault
		sends int
	}{
		"not sent":                  {gatewaytest.Fault{Err: gateway.ErrNotSent}, 2},
		"overloaded":                {gatewaytest.Fault{Err: &gateway.OverloadError{RetryAfter: 50 * time.Millisecond}}, 2},
		"answer lost, not applied":  {gatewaytest.Fault{Err: errLost}, 2},
		"answer lost, applied":      {gatewaytest.Fault{Err: errLost, Applied: true}, 1},
		"answer lost, applied late": {gatewaytest.Fault{Err: errLost, Applied: true, Late: 200 * time.Millisecond}, 1},
		"false answer, not applied": {gatewaytest.Fault{Err: gateway.ErrBadAnswer}, 2},
		"false answer, applied":     {gatewaytest.Fault{Err: gateway.ErrBadAnswer, Applied: true}, 1},
		"timed out, applied":        {gatewaytest.Fault{Err: context.DeadlineExceeded, Applied: true}, 1},
		"first time":                {gatewaytest.Fault{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := gatewaytest.NewLog(c.fault)
			s := startGateway(t, log)
			sub := wait(t, s, submit(t, s, gatewaytest.Signed(t, name)).ID)
			if sub.State != gateway.Logged {
				t.Fatalf("state %s, problem %s", sub.State, sub.Entries[0].Problem)
			}
			if logged, sent := log.Count(); logged != 1 || sent != c.sends {
				t.Errorf("logged %d times, sent %d times, want 1 and %d", logged, sent, c.sends)
			}
		})
	}
}

func TestRefusedIsFailedAndCanBeSentAgain(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog(gatewaytest.Fault{Err: gateway.ErrRefused})
	s := startGateway(t, log)
	r := gatewaytest.Signed(t, "hello")
	failed := wait(t, s, submit(t, s, r).ID)
	if failed.State != gateway.Failed || failed.Entries[0].Problem != gateway.ProblemRefused {
		t.Fatalf("state %s, problem %q", failed.State, failed.Entries[0].Problem)
	}
	again := submit(t, s, r)
	if again.ID != failed.ID {
		t.Error("sent again, it became another submission")
	}
	if sub := wait(t, s, again.ID); sub.State != gateway.Logged {
		t.Errorf("state %s after it was sent again", sub.State)
	}
}

// A process that ends with an Add under way leaves the entry in doubt; the next one settles it.
func TestRestartSettlesWhatWasUnderWay(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"not applied": false, "applied": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "gateway.db")
			log := gatewaytest.NewLog(gatewaytest.Fault{Err: errLost, Applied: applied})
			s, stop := run(t, log, path, nil)
			id := submit(t, s, gatewaytest.Signed(t, name)).ID
			for _, sent := log.Count(); sent == 0; _, sent = log.Count() {
				time.Sleep(5 * time.Millisecond)
			}
			stop()
			s, _ = run(t, log, path, nil)
			if sub := wait(t, s, id); sub.State != gateway.Logged {
				t.Fatalf("state %s", sub.State)
			}
			if logged, _ := log.Count(); logged != 1 {
				t.Errorf("logged %d times", logged)
			}
		})
	}
}

func TestDownLogLosesNothing(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	s := startGateway(t, log)
	id := submit(t, s, gatewaytest.Signed(t, "hello")).ID
	time.Sleep(50 * time.Millisecond)
	if _, sent := log.Count(); sent != 0 {
		t.Error("sent although the log's size was not known")
	}
	log.SetDown(nil)
	if sub := wait(t, s, id); sub.State != gateway.Logged {
		t.Errorf("state %s", sub.State)
	}
}

func TestForkStopsSubmissions(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrFork)
	halted := make(chan bool, 1)
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Metrics = delivery.Metrics{Halted: func(string, bool) {
			select {
			case halted <- true:
			default:
			}
		}}
	})
	id := submit(t, s, gatewaytest.Signed(t, "hello")).ID
	<-halted
	if sub, err := s.Get(t.Context(), gateway.DefaultTenant, id); err != nil || sub.State != gateway.Pending {
		t.Errorf("state %s, error %v", sub.State, err)
	}
	if _, sent := log.Count(); sent != 0 {
		t.Error("sent to a forked log")
	}
}

// A log that does not let the gateway in is the operator's fault: the entry waits, is not in doubt, and
// the operator is told, also when the log lets it in again.
func TestForbiddenWaits(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog(gatewaytest.Fault{Err: gateway.ErrForbidden})
	degraded := make(chan bool, 4)
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Metrics = delivery.Metrics{Degraded: func(_ string, d bool) { degraded <- d }}
	})
	id := submit(t, s, gatewaytest.Signed(t, "hello")).ID
	if !<-degraded {
		t.Error("degraded is false")
	}
	var sub gateway.Submission
	for deadline := time.Now().Add(time.Minute); sub.ID == "" || sub.Entries[0].Problem == "" && time.Now().Before(deadline); {
		var err error
		if sub, err = s.Get(t.Context(), gateway.DefaultTenant, id); err != nil {
			t.Fatal(err)
		}
	}
	if e := sub.Entries[0]; sub.State != gateway.Pending || e.Problem != gateway.ProblemForbidden || e.InDoubt {
		t.Errorf("submission %s, entry %+v", sub.State, e)
	}
	wait(t, s, submit(t, s, gatewaytest.Signed(t, "another")).ID)
	if <-degraded {
		t.Error("degraded is true although the log lets us in again")
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	s := startGateway(t, log)
	var full error
	for i := 0; i < 200 && full == nil; i++ {
		_, full = s.Submit(t.Context(), gatewaytest.Signed(t, "hello"), gatewaytest.NoArtifact)
	}
	if !errors.Is(full, gateway.ErrQueueFull) {
		t.Errorf("got %v", full)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	s, _ := run(t, log, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) { c.Timing.InFlight = 7 })
	requests := make([]gateway.Request, 60)
	for i := range requests {
		requests[i] = gatewaytest.Signed(t, "hello")
	}
	var all sync.WaitGroup
	for _, r := range requests {
		all.Go(func() {
			sub, err := s.Submit(context.Background(), r, gatewaytest.NoArtifact)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := s.Wait(t.Context(), gateway.DefaultTenant, sub.ID); err != nil || got.State != gateway.Logged {
				t.Errorf("state %s, error %v", got.State, err)
			}
		})
	}
	all.Wait()
	if logged, sent := log.Count(); logged != 60 || sent != 60 {
		t.Errorf("logged %d, sent %d", logged, sent)
	}
}

// A submission that is waited for by another form of its ID is woken all the same.
func TestWaitByAnotherFormOfTheID(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := gatewaytest.NewLog()
		log.SetDown(gateway.ErrUnavailable)
		s := startGateway(t, log)
		id := submit(t, s, gatewaytest.Signed(t, "hello")).ID
		time.AfterFunc(100*time.Millisecond, func() { log.SetDown(nil) })
		started := time.Now()
		if sub := wait(t, s, strings.ToUpper(id)); sub.State != gateway.Logged || sub.ID != id {
			t.Fatalf("state %s of %s", sub.State, sub.ID)
		}
		if took := time.Since(started); took > 1900*time.Millisecond {
			t.Errorf("woken after %v: nobody told", took)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	s := startGateway(t, log)
	id := submit(t, s, gatewaytest.Signed(t, "hello")).ID
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	sub, err := s.Wait(ctx, gateway.DefaultTenant, id)
	if err != nil || sub.State != gateway.Pending {
		t.Errorf("state %s, error %v", sub.State, err)
	}
}

func TestBeginRefuses(t *testing.T) {
	t.Parallel()
	s := startGateway(t, gatewaytest.NewLog())
	digest := gatewaytest.Signed(t, "x").Digest
	for name, c := range map[string]struct {
		change func(*gateway.Request)
		want   formats.Reason
	}{
		"no signature":           {func(r *gateway.Request) { r.Signature = nil }, formats.ReasonMissingSignature},
		"unknown format":         {func(r *gateway.Request) { r.Format = "gif" }, formats.ReasonUnknownFormat},
		"two digests":            {func(r *gateway.Request) { r.SignedDigest = digest }, formats.ReasonMalformedDigest},
		"label without a name":   {func(r *gateway.Request) { r.Labels = map[string]string{"": "x"} }, gateway.ReasonMalformedLabel},
		"label for a terminal":   {func(r *gateway.Request) { r.Labels = map[string]string{"x": "\x1b[2J"} }, gateway.ReasonMalformedLabel},
		"label with a zero":      {func(r *gateway.Request) { r.Labels = map[string]string{"x\x00": ""} }, gateway.ReasonMalformedLabel},
		"another representation": {func(r *gateway.Request) { r.Representation = gateway.Projected }, formats.ReasonRepresentationRefused},
		"no such representation": {func(r *gateway.Request) { r.Representation = "GILDED" }, formats.ReasonRepresentationRefused},
		"nobody attests":         {func(r *gateway.Request) { r.Representation = gateway.Attested }, formats.ReasonRepresentationRefused},
	} {
		r := gatewaytest.Signed(t, "hello")
		c.change(&r)
		if _, err := s.Begin(t.Context(), r); formats.ReasonOf(err) != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

// Of a batch that does not fit, what fits is taken.
func TestQueueFullTakesWhatFits(t *testing.T) {
	t.Parallel()
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	s := startGateway(t, log)
	var taken, full atomic.Int32
	var all sync.WaitGroup
	for range 130 {
		r := gatewaytest.Signed(t, "hello")
		all.Go(func() {
			switch _, err := s.Submit(context.Background(), r, gatewaytest.NoArtifact); {
			case err == nil:
				taken.Add(1)
			case errors.Is(err, gateway.ErrQueueFull):
				full.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	all.Wait()
	if taken.Load() != maxPending || full.Load() != 130-maxPending {
		t.Errorf("%d taken, %d refused", taken.Load(), full.Load())
	}
}
