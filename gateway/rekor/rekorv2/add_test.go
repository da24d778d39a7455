// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// kind says which of Add's errors err is.
func kind(err error) string {
	var overload *gateway.OverloadError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &overload):
		return fmt.Sprint("overload ", overload.RetryAfter)
	case errors.Is(err, gateway.ErrFork):
		return "fork"
	case errors.Is(err, gateway.ErrRefused):
		return "refused"
	case errors.Is(err, gateway.ErrNotSent):
		return "not sent"
	case errors.Is(err, gateway.ErrBadAnswer):
		return "bad answer"
	case errors.Is(err, gateway.ErrUnavailable):
		return "unavailable"
	default:
		return "unknown"
	}
}

func tampered(name string, tamper func(*rekorpb.TransparencyLogEntry)) rekortest.Fault {
	return rekortest.Tampered(name, tamper)
}

// TestAddFaults injects each fault in both forms. None of them counts as logged, nor as more
// certain than it is; Find tells the truth after each, and the entry can be added then.
func TestAddFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault rekortest.Fault
		want  string
	}{
		{rekortest.Overloaded(1500 * time.Millisecond), "overload 1.5s"},
		{rekortest.Overloaded(1e6 * time.Hour), "overload 10m0s"},
		{rekortest.PushedBack(), "overload 0s"},
		{rekortest.Answered(codes.ResourceExhausted, "quota"), "overload 0s"},
		{rekortest.Answered(codes.InvalidArgument, "invalid hashedrekord request"), "refused"},
		{rekortest.Answered(codes.Unimplemented, "log frozen"), "not sent"},
		{rekortest.Answered(codes.FailedPrecondition, "log frozen"), "not sent"},
		{rekortest.Answered(codes.Unavailable, "connection reset"), "unknown"},
		{rekortest.Answered(codes.Internal, "internal server error"), "unknown"},
		{rekortest.Answered(codes.Unknown, "failed to integrate entry"), "unknown"},
		{rekortest.Answered(codes.DeadlineExceeded, "timeout"), "unknown"},
		{rekortest.Answered(codes.Canceled, "canceled"), "unknown"},
		{rekortest.Dropped(), "unknown"},
		{rekortest.Hung(), "unknown"},
		{rekortest.DuplicateAt(""), "bad answer"},
		{rekortest.DuplicateAt("-1"), "bad answer"},
		{rekortest.DuplicateAt("0"), "bad answer"},
		{rekortest.DuplicateAt("9223372036854775807"), "unknown"},
		{rekortest.FalseProof(), "bad answer"},
		{rekortest.FalseSignature(), "bad answer"},
		{rekortest.OtherLog(t, "other.test"), "bad answer"},
		{rekortest.OtherLog(t, rekortest.Origin), "bad answer"},
		{rekortest.OtherEntry(), "bad answer"},
		{tampered("no proof", func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof = nil }), "bad answer"},
		{tampered("no checkpoint", func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof.Checkpoint = nil }), "bad answer"},
		{tampered("no body", func(a *rekorpb.TransparencyLogEntry) { a.CanonicalizedBody = nil }), "bad answer"},
		{tampered("another id", func(a *rekorpb.TransparencyLogEntry) { a.LogId.KeyId = make([]byte, 32) }), "bad answer"},
		{tampered("another kind", func(a *rekorpb.TransparencyLogEntry) { a.KindVersion.Kind = "dsse" }), "bad answer"},
		{tampered("negative index", func(a *rekorpb.TransparencyLogEntry) {
			a.LogIndex, a.InclusionProof.LogIndex = -1, -1
		}), "bad answer"},
		{tampered("two indexes", func(a *rekorpb.TransparencyLogEntry) { a.LogIndex++ }), "bad answer"},
		{tampered("index past the end", func(a *rekorpb.TransparencyLogEntry) {
			a.LogIndex, a.InclusionProof.LogIndex = a.InclusionProof.TreeSize, a.InclusionProof.TreeSize
		}), "bad answer"},
		{tampered("another size", func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof.TreeSize++ }), "bad answer"},
		{tampered("another root", func(a *rekorpb.TransparencyLogEntry) { a.InclusionProof.RootHash = make([]byte, 32) }), "bad answer"},
		{tampered("huge", func(a *rekorpb.TransparencyLogEntry) { a.CanonicalizedBody = make([]byte, 2<<20) }), "unknown"},
	}
	signer := rekortest.NewECDSASigner(t)
	for _, test := range tests {
		t.Run(test.fault.Name, func(t *testing.T) {
			t.Parallel()
			runFault(t, signer, test.fault, false, test.want)
		})
		applied := test.fault.ButApplied()
		t.Run(applied.Name, func(t *testing.T) {
			t.Parallel()
			runFault(t, signer, applied, true, test.want)
		})
	}
}

func runFault(t *testing.T, signer *rekortest.Signer, fault rekortest.Fault, applied bool, want string) {
	fake := rekortest.StartFake(t)
	fake.Append([]byte("first"), []byte("second"))
	store := new(rekortest.Checkpoints)
	l, faulty := open(t, config(fake), store), open(t, config(fake), store)
	if want == "unknown" { // some hang
		cfg := config(fake)
		cfg.RequestTimeout, cfg.ReadTimeout = 200*time.Millisecond, 200*time.Millisecond
		faulty = open(t, cfg, store)
	}
	from, err := l.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	e := prepare(t, l, signer.Record(t.Name()))
	fake.Inject(fault)
	got, err := faulty.Add(t.Context(), e)
	if kind(err) != want || got != nil {
		t.Fatalf("%v with error %v; want %s", got, err, want)
	}

	found, err := l.Find(t.Context(), []gateway.LeafHash{e.LeafHash}, from)
	if err != nil {
		t.Fatal(err)
	}
	if got := found[e.LeafHash]; (got != nil) != applied {
		t.Fatalf("found: %t", got != nil)
	} else if applied {
		checkInclusion(t, got, e, fake.Verifier())
	}
	if got, err = l.Add(t.Context(), e); err != nil {
		t.Fatalf("adding again: %v", err)
	}
	checkInclusion(t, got, e, fake.Verifier())
	if n := fake.Logged(e.Body); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// TestAddOtherHistory: an answer that is right in itself, under a checkpoint that the tiles do
// not lead to. Whether the log or the tiles' host lies cannot be told, so it is no fork.
func TestAddOtherHistory(t *testing.T) {
	signer := rekortest.NewECDSASigner(t)
	runFault(t, signer, rekortest.OtherHistory(0), false, "unavailable") // no tile is that long
	runFault(t, signer, rekortest.OtherHistory(0).ButApplied(), true, "bad answer")
}

func TestAddDelayed(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t)
	fake.Inject(rekortest.Delayed(200 * time.Millisecond))
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("late"))
	got, err := l.Add(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, e, fake.Verifier())
}

func TestAddNotSent(t *testing.T) {
	fake := rekortest.StartFake(t)
	store := new(rekortest.Checkpoints)
	l := open(t, config(fake), store)
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("never"))

	store.Fail(errors.New("disk full"))
	if _, err := l.Add(t.Context(), e); kind(err) != "not sent" {
		t.Errorf("without a store: %v", err)
	}
	store.Fail(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Add(ctx, e); kind(err) != "not sent" {
		t.Errorf("cancelled: %v", err)
	}
	fake.StopWrites()
	if _, err := l.Add(t.Context(), e); kind(err) != "not sent" {
		t.Errorf("without a server: %v", err)
	}
	if fake.Requests() != 0 {
		t.Error("it was sent")
	}
}

func TestAddFrozen(t *testing.T) {
	fake := rekortest.StartFake(t)
	fake.Freeze()
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("too late"))
	if _, err := l.Add(t.Context(), e); kind(err) != "not sent" || !errors.Is(err, gateway.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestAddRefusesDamagedEntries(t *testing.T) {
	fake := rekortest.StartFake(t)
	l := open(t, config(fake), new(rekortest.Checkpoints))
	good := prepare(t, l, rekortest.NewECDSASigner(t).Record("good"))
	other := good
	other.LeafHash[0] ^= 1
	for _, e := range []gateway.Entry{{}, {Body: append([]byte(" "), good.Body...)}, other} {
		if _, err := l.Add(t.Context(), e); kind(err) != "refused" {
			t.Errorf("got %v", err)
		}
	}
	if fake.Requests() != 0 {
		t.Error("a damaged entry was sent")
	}
}

// TestAddDuplicateEarly: the log names an index that its checkpoint does not reach yet.
func TestAddDuplicateEarly(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t, rekortest.PublishEvery(-1))
	l := open(t, config(fake), new(rekortest.Checkpoints))
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("twice"))
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			got, err := l.Add(t.Context(), e)
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
	if _, err := l.Size(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := store.Reads()
	signer := rekortest.NewECDSASigner(t)
	const n = 200
	var wg sync.WaitGroup
	for i := range n {
		e := prepare(t, l, signer.Record(fmt.Sprint(i)))
		wg.Go(func() {
			if _, err := l.Add(t.Context(), e); err != nil {
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
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("secure"))
	got, err := l.Add(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, e, fake.Verifier())
	if _, err := l.Size(t.Context()); err != nil {
		t.Error(err)
	}

	stranger := open(t, config(fake), new(rekortest.Checkpoints)) // does not trust the certificate
	if _, err := stranger.Add(t.Context(), e); kind(err) != "not sent" {
		t.Errorf("untrusted write: %v", err)
	}
	if _, err := stranger.Size(t.Context()); kind(err) != "unavailable" {
		t.Errorf("untrusted read: %v", err)
	}
}
