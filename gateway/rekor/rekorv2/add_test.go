// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

func TestAddDelayed(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t)
	fake.Inject(rekortest.Delayed(200 * time.Millisecond))
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("late"))
	got, err := l.Add(t.Context(), l.Describe().Shard, e)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, e, fake.Verifier())
}

func TestAddWithoutServer(t *testing.T) {
	fake := rekortest.StartFake(t)
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("never"))
	fake.StopWrites()
	if _, err := l.Add(t.Context(), l.Describe().Shard, e); logtest.OutcomeOf(err) != "not sent" {
		t.Errorf("got %v", err)
	}
	if fake.Requests() != 0 {
		t.Error("it was sent")
	}
}

func TestAddFrozen(t *testing.T) {
	fake := rekortest.StartFake(t)
	fake.Freeze()
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("too late"))
	if _, err := l.Add(t.Context(), l.Describe().Shard, e); logtest.OutcomeOf(err) != "not sent" || !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// TestAddDuplicateEarly: the log names an index that its checkpoint does not reach yet.
func TestAddDuplicateEarly(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t, rekortest.PublishEvery(-1))
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("twice"))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			got, err := l.Add(t.Context(), l.Describe().Shard, e)
			if err != nil {
				t.Error(err)
				return
			}
			checkInclusion(t, got, e, fake.Verifier())
		})
	}
	time.Sleep(200 * time.Millisecond)
	fake.Publish()
	wg.Wait()
	if fake.Requests() != 2 || fake.Logged(e.Body) != 1 {
		t.Errorf("%d requests, logged %d times", fake.Requests(), fake.Logged(e.Body))
	}
}

// TestAddManyProveOnce: answers under one checkpoint share its proof.
func TestAddManyProveOnce(t *testing.T) {
	fake := rekortest.StartFake(t, rekortest.PublishEvery(-1))
	fake.Append([]byte("first"))
	store := new(rekortest.Checkpoints)
	l := open(t, config(fake), store)
	if _, err := l.Size(t.Context(), l.Describe().Shard); err != nil {
		t.Fatal(err)
	}
	before := store.Reads()
	signer := rekortest.NewECDSASigner(t)
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		e := logtest.Prepare(t, l, signer.Record(fmt.Sprint(i)))
		wg.Go(func() {
			if _, err := l.Add(t.Context(), l.Describe().Shard, e); err != nil {
				t.Error(err)
			}
		})
	}
	for fake.Requests() < n {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(50 * time.Millisecond)
	fake.Publish()
	wg.Wait()
	if reads := store.Reads() - before; reads > 5 {
		t.Errorf("%d proofs for %d answers", reads, n)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t, rekortest.TLS)
	cfg := config(fake)
	cfg.RootCAs, cfg.Connections = fake.RootCAs(), 3
	l := open(t, cfg, new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("secure"))
	got, err := l.Add(t.Context(), l.Describe().Shard, e)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, e, fake.Verifier())
	if _, err := l.Size(t.Context(), l.Describe().Shard); err != nil {
		t.Error(err)
	}

	stranger := open(t, config(fake), new(rekortest.Checkpoints)) // does not trust the certificate
	if _, err := stranger.Add(t.Context(), stranger.Describe().Shard, e); logtest.OutcomeOf(err) != "not sent" {
		t.Errorf("untrusted write: %v", err)
	}
	if _, err := stranger.Size(t.Context(), stranger.Describe().Shard); logtest.OutcomeOf(err) != "unavailable" {
		t.Errorf("untrusted read: %v", err)
	}
}
