// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/grpc/codes"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// overFake is the joined rooms, the real store and the real adapter over a log that fails on demand.
func overFake(t *testing.T, fake *rekortest.Fake) (*domain, *sqlite.Store) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	log, err := rekorv2.New(rekorv2.Config{
		ID: "fake", Shards: []rekorv2.Shard{{
			Origin: fake.Origin(), GRPCURL: fake.GRPCURL(), ReadURL: fake.ReadURL(), Verifier: fake.Verifier(), KeyID: fake.KeyID(),
		}}, IntegrationDelay: 300 * time.Millisecond, RequestTimeout: 2 * time.Second, ReadTimeout: time.Second,
	}, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	timing := gatewaytest.Quick
	timing.AddTimeout, timing.Drain, timing.Lease = 2*time.Second, time.Second, 0
	return startRooms(t, store, log, timing, nil), store
}

// startRooms runs the rooms over store and log until the test ends.
func startRooms(t *testing.T, store gateway.Store, log gateway.Log, timing delivery.Timing, checkDisk func() error) *domain {
	t.Helper()
	logs := []gateway.Log{log}
	signer, err := attest.New(attest.Config{Active: filepath.Join(t.TempDir(), "key.pem"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	d := joinRooms(store, nil,
		intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(logs...)}), Queue: store, Archive: store, CheckDisk: checkDisk},
		delivery.Config{Logs: logs, Store: store, Probe: newProbe(signer), Timing: timing, Logger: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return d
}

func accept(t *testing.T, s *domain) gateway.Submission {
	t.Helper()
	sub, err := s.Submit(t.Context(), gatewaytest.Signed(t, "hello"), gatewaytest.NoArtifact)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

func settled(t *testing.T, s *domain, id string, within time.Duration) gateway.Submission {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	sub, err := s.Wait(ctx, gateway.DefaultTenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// Whatever the log does to the first write, what was accepted ends up in it once, with a
// receipt, and a false answer never becomes one.
func TestFaultyLog(t *testing.T) {
	faults := []rekortest.Fault{
		rekortest.Answered(codes.Internal, "boom"), rekortest.Answered(codes.Internal, "boom").ButApplied(),
		rekortest.PushedBack(), rekortest.Overloaded(50 * time.Millisecond),
		rekortest.Dropped(), rekortest.Dropped().ButApplied(),
		rekortest.Hung(), rekortest.Hung().ButApplied(),
		rekortest.Delayed(300 * time.Millisecond),
		rekortest.FalseProof(), rekortest.FalseProof().ButApplied(),
		rekortest.FalseSignature(), rekortest.FalseSignature().ButApplied(),
		rekortest.OtherLog(t, "elsewhere.example"), rekortest.OtherLog(t, "elsewhere.example").ButApplied(),
		rekortest.OtherEntry(), rekortest.OtherEntry().ButApplied(),
		rekortest.Tampered("no proof", func(e *rekorpb.TransparencyLogEntry) { e.InclusionProof = nil }).ButApplied(),
	}
	for _, fault := range faults {
		t.Run(fault.Name, func(t *testing.T) {
			t.Parallel()
			fake := rekortest.StartFake(t, rekortest.PublishEvery(50*time.Millisecond))
			fake.Append([]byte("an entry of somebody else's"))
			fake.Publish()
			s, _ := overFake(t, fake)
			fake.Inject(fault)
			sub := settled(t, s, accept(t, s).ID, 30*time.Second)
			if sub.State != gateway.Logged {
				t.Fatalf("state %s, problem %q", sub.State, sub.Entries[0].Problem)
			}
			archived, err := s.store.Archived(t.Context(), sub.Tenant, sub.ID)
			if err != nil {
				t.Fatal(err)
			}
			if n := fake.Logged(archived.Entries[0].Body); n != 1 {
				t.Errorf("logged %d times", n)
			}
			if _, err := s.Receipt(t.Context(), sub); err != nil {
				t.Error(err)
			}
		})
	}
}

// A log that refuses is believed; the submission can be sent again.
func TestRefusingLog(t *testing.T) {
	fake := rekortest.StartFake(t)
	s, _ := overFake(t, fake)
	fake.Inject(rekortest.Answered(codes.InvalidArgument, "invalid hashedrekord request"))
	sub := settled(t, s, accept(t, s).ID, 10*time.Second)
	if sub.State != gateway.Failed || sub.Entries[0].Problem != gateway.ProblemRefused {
		t.Errorf("state %s, problem %q", sub.State, sub.Entries[0].Problem)
	}
}

// A log that shows another history is not submitted to any more, after a restart as well.
func TestForkedLog(t *testing.T) {
	fake := rekortest.StartFake(t, rekortest.PublishEvery(50*time.Millisecond))
	s, store := overFake(t, fake)
	first := settled(t, s, accept(t, s).ID, 20*time.Second)
	if first.State != gateway.Logged {
		t.Fatalf("state %s", first.State)
	}
	fake.Fork(0)
	fake.Publish()
	second := accept(t, s)
	shard := gateway.Shard{Origin: fake.Origin(), KeyID: [32]byte(fake.KeyID())}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if errors.Is(store.Forked(t.Context(), shard), gateway.ErrFork) {
			break
		}
	}
	if err := s.Ready(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("ready says %v, want the fork", err)
	}
	forks, err := store.Forks(t.Context())
	if err != nil || len(forks) != 1 {
		t.Fatalf("evidence %v, %v", forks, err)
	}
	if err := tiles.VerifyFork(forks[0], fake.Verifier()); err != nil {
		t.Errorf("the evidence does not stand alone: %v", err)
	}
	before := fake.Requests()
	third := accept(t, s)
	time.Sleep(300 * time.Millisecond)
	if fake.Requests() != before {
		t.Error("submitted to a forked log")
	}
	for _, id := range []string{second.ID, third.ID} {
		if sub, err := s.Get(t.Context(), gateway.DefaultTenant, id); err != nil || sub.State != gateway.Pending {
			t.Errorf("state %s, error %v: accepted submissions must be kept", sub.State, err)
		}
	}
}

// A log whose reads are down is not written to; nothing is lost.
func TestUnreadableLog(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t, rekortest.PublishEvery(50*time.Millisecond))
	fake.OnRead(rekortest.Unavailable("/"))
	s, _ := overFake(t, fake)
	id := accept(t, s).ID
	time.Sleep(200 * time.Millisecond)
	if fake.Requests() != 0 {
		t.Error("written to although its size was not known")
	}
	wantDegraded(t, s, gateway.ProblemUnavailable)
	fake.OnRead(func(h http.Handler) http.Handler { return h })
	if sub := settled(t, s, id, 30*time.Second); sub.State != gateway.Logged {
		t.Errorf("state %s", sub.State)
	}
	wantDegraded(t, s, "")
}

// A log whose checkpoints are not by the key that is trusted is useless: the gateway takes submissions, and says
// that they wait, before there are any.
func TestUselessLog(t *testing.T) {
	fake, other := rekortest.StartFake(t), rekortest.StartFake(t)
	fake.OnRead(func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(other.Checkpoint(0)) })
	})
	s, _ := overFake(t, fake)
	wantDegraded(t, s, gateway.ProblemBadAnswer)
	if err := s.Ready(t.Context()); err != nil {
		t.Errorf("not ready: %v", err)
	}
	sub := accept(t, s)
	if got := settled(t, s, sub.ID, 100*time.Millisecond); got.State != gateway.Pending {
		t.Errorf("state %s", got.State)
	}
}

// wantDegraded waits until delivery says that of its log; "" is that it can be used.
func wantDegraded(t *testing.T, s *domain, problem string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); s.delivery.Degraded()["fake"] != problem; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("degraded: %v, want %q", s.delivery.Degraded(), problem)
		}
	}
}
