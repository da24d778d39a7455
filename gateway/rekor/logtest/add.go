// SPDX-License-Identifier: Apache-2.0

package logtest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// shortPatience is for faults that may give no answer at all.
const shortPatience = 200 * time.Millisecond

func testDescribe(t *testing.T, s Server) {
	info := s.Open(t, new(rekortest.Checkpoints), 0).Describe()
	if info.ID == "" || !strings.HasPrefix(info.Origin, s.Verifier().Name()) || info.KeyID == [32]byte{} || info.APIVersion == 0 {
		t.Errorf("described as %+v", info)
	}
}

// testLogged: an entry that Add reports as logged is in the log, once, and the size has grown.
func testLogged(t *testing.T, s Server) {
	l := s.Open(t, new(rekortest.Checkpoints), 0)
	for i := range uint64(3) {
		e := prepareSigned(t, l, t.Name())
		got, err := l.Add(t.Context(), l.Describe().Shard, e)
		if err != nil {
			t.Fatal(err)
		}
		s.CheckInclusion(t, got, e)
		if size, err := l.Size(t.Context(), l.Describe().Shard); err != nil || size != i+1 || indexOf(got) != i {
			t.Errorf("index %d, size %d, %v; want %d entries", indexOf(got), size, err, i+1)
		}
		if s.Logged(e.Body) != 1 {
			t.Errorf("logged %d times", s.Logged(e.Body))
		}
	}
}

// testDuplicate: the answer to a duplicate is as full, in another process too.
func testDuplicate(t *testing.T, s Server) {
	store := new(rekortest.Checkpoints)
	l := s.Open(t, store, 0)
	s.Append([]byte("first"))
	e := prepareSigned(t, l, "twice")
	for _, l := range []gateway.Log{l, l, s.Open(t, store, 0), s.Open(t, new(rekortest.Checkpoints), 0)} {
		got, err := l.Add(t.Context(), l.Describe().Shard, e)
		if err != nil {
			t.Fatal(err)
		}
		s.CheckInclusion(t, got, e)
		if indexOf(got) != 1 {
			t.Errorf("index %d", indexOf(got))
		}
		s.Append([]byte("another"))
	}
	if n := s.Logged(e.Body); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// testNotSent: an entry that could not be sent is reported as ErrNotSent.
func testNotSent(t *testing.T, s Server) {
	store := new(rekortest.Checkpoints)
	l := s.Open(t, store, 0)
	e := prepareSigned(t, l, "never")
	store.Fail(errors.New("disk full"))
	if _, err := l.Add(t.Context(), l.Describe().Shard, e); OutcomeOf(err) != "not sent" {
		t.Errorf("without a store: %v", err)
	}
	store.Fail(nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Add(ctx, l.Describe().Shard, e); OutcomeOf(err) != "not sent" {
		t.Errorf("cancelled: %v", err)
	}
	if s.Requests() != 0 {
		t.Error("it was sent")
	}
}

// testDamaged: an entry that the log would not log as it is stored is never sent, and one that is another log's waits.
func testDamaged(t *testing.T, s Server) {
	l := s.Open(t, new(rekortest.Checkpoints), 0)
	good := prepareSigned(t, l, "good")
	other := good
	other.LeafHash[0] ^= 1
	for _, e := range []gateway.Prepared{{Kind: good.Kind}, {Kind: good.Kind, Body: append([]byte(" "), good.Body...)}, other} {
		if _, err := l.Add(t.Context(), l.Describe().Shard, e); OutcomeOf(err) != "refused" {
			t.Errorf("got %v", err)
		}
	}
	good.Kind = "jar/0.0.1"
	if _, err := l.Add(t.Context(), l.Describe().Shard, good); OutcomeOf(err) != "not sent" || !errors.Is(err, gateway.ErrOtherKind) {
		t.Errorf("of another kind: %v", err)
	}
	if s.Requests() != 0 {
		t.Error("a damaged entry was sent")
	}
}

// CheckFault injects a fault in one form. Add must return the error for the fault's kind, Find must
// then report whether the entry is logged, and adding it again must succeed.
func CheckFault(t *testing.T, s Server, fault Fault, applied bool) {
	s.Append([]byte("first"), []byte("second"))
	store := new(rekortest.Checkpoints)
	l, faulty := s.Open(t, store, 0), s.Open(t, store, 0)
	if fault.Kind == Doubtful { // some hang
		faulty = s.Open(t, store, shortPatience)
	}
	from, err := l.Size(t.Context(), l.Describe().Shard)
	if err != nil {
		t.Fatal(err)
	}
	e := prepareSigned(t, l, t.Name())
	fault.Inject(s, applied)
	got, err := faulty.Add(t.Context(), faulty.Describe().Shard, e)
	if OutcomeOf(err) != fault.wantOutcome() || got != nil {
		t.Fatalf("%v with error %v; want %s", got, err, fault.wantOutcome())
	}

	found, err := l.Find(t.Context(), l.Describe().Shard, []gateway.LeafHash{e.LeafHash}, from, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	if found.AbsentTo < from {
		t.Errorf("absence is proven to %d only", found.AbsentTo)
	}
	if got := found.Inclusions[e.LeafHash]; (got != nil) != applied {
		t.Fatalf("found: %t", got != nil)
	} else if applied {
		s.CheckInclusion(t, got, e)
	}
	if got, err = l.Add(t.Context(), l.Describe().Shard, e); err != nil {
		t.Fatalf("adding again: %v", err)
	}
	s.CheckInclusion(t, got, e)
	if n := s.Logged(e.Body); n != 1 {
		t.Errorf("logged %d times", n)
	}
}
