// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// grow appends n entries of others.
func grow(fake *rekortest.Fake, n int) {
	bodies := make([][]byte, n)
	for i := range bodies {
		bodies[i] = fmt.Appendf(nil, "entry %d after %d", i, fake.Size())
	}
	fake.Append(bodies...)
}

func wantSize(t *testing.T, l *rekorv2.Log, want uint64) {
	t.Helper()
	if got, err := l.Size(t.Context()); err != nil || got != want {
		t.Fatalf("size %d, %v; want %d", got, err, want)
	}
}

// wantFork checks that the log is refused for good, and after a restart, with both checkpoints
// kept.
func wantFork(t *testing.T, fake *rekortest.Fake, l *rekorv2.Log, store *rekortest.Checkpoints) {
	t.Helper()
	evidence, ok := store.Fork(fake.Origin())
	if !ok || evidence[0].Root == evidence[1].Root || len(evidence[0].Envelope) == 0 || len(evidence[1].Envelope) == 0 {
		t.Fatalf("evidence is %v", evidence)
	}
	requests := fake.Requests()
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("after the fork"))
	for _, l := range []*rekorv2.Log{l, open(t, config(fake), store)} {
		if _, err := l.Add(t.Context(), e); !errors.Is(err, gateway.ErrFork) || errors.Is(err, gateway.ErrNotSent) {
			t.Errorf("adding: %v", err)
		}
		if _, err := l.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
			t.Errorf("size: %v", err)
		}
		if _, err := l.Find(t.Context(), []gateway.LeafHash{e.LeafHash}, 0); !errors.Is(err, gateway.ErrFork) {
			t.Errorf("finding: %v", err)
		}
	}
	if fake.Requests() != requests {
		t.Error("an entry was sent to a forked log")
	}
}

func TestForkOfEqualSize(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 5)
	l := open(t, config(fake), store)
	wantSize(t, l, 5)
	fake.OnRead(rekortest.Unavailable("/tile/")) // two signatures are proof enough
	fake.Fork(2)
	if _, err := l.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("got %v", err)
	}
	wantFork(t, fake, l, store)
}

// TestForkOfLargerSize takes sizes around powers of two, where proofs leave nodes out, and
// around a tile's width.
func TestForkOfLargerSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 3, 4, 7, 8, 255, 256, 257, 600} {
		for _, more := range []int{1, 2, 256} {
			t.Run(fmt.Sprint(size, "+", more), func(t *testing.T) {
				t.Parallel()
				fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
				grow(fake, size)
				l := open(t, config(fake), store)
				wantSize(t, l, uint64(size))
				grow(fake, more)
				wantSize(t, l, uint64(size+more)) // no false alarm
				fake.Fork(uint64(size / 2))
				grow(fake, more)
				if _, err := l.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
					t.Fatalf("got %v", err)
				}
				wantFork(t, fake, l, store)
			})
		}
	}
}

func TestForkOfSmallerSize(t *testing.T) {
	for _, size := range []uint64{1, 2, 3, 4, 6} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
			grow(fake, 7)
			l := open(t, config(fake), store)
			wantSize(t, l, 7)
			fake.ServeCheckpoint(fake.Checkpoint(size))
			wantSize(t, l, 7) // stale, but right
			fake.ServeCheckpoint(fake.ForgedCheckpoint(0, size))
			if _, err := l.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
				t.Fatalf("got %v", err)
			}
			wantFork(t, fake, l, store)
		})
	}
}

// TestForkInAnswer: the answer to a write shows the fork.
func TestForkInAnswer(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	l := open(t, config(fake), store)
	wantSize(t, l, 3)
	fake.Fork(1)
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("on the other side"))
	if got, err := l.Add(t.Context(), e); !errors.Is(err, gateway.ErrFork) || got != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	wantFork(t, fake, l, store)
}

// TestForkNotStoredAtOnce: while the store fails, the log is refused all the same, and the
// evidence is stored once it works again.
func TestForkNotStoredAtOnce(t *testing.T) {
	fake, inner := rekortest.StartFake(t), new(rekortest.Checkpoints)
	store := &brokenForks{Checkpoints: inner}
	grow(fake, 3)
	l := open(t, config(fake), store)
	wantSize(t, l, 3)
	fake.Fork(1)
	store.broken = true
	for range 2 {
		if _, err := l.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
			t.Fatalf("got %v", err)
		}
	}
	store.broken = false
	if _, err := l.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("got %v", err)
	}
	wantFork(t, fake, l, inner)
}

// TestForkBetweenReplicas: each of two processes sees one side of the fork; the shared store
// brings them together.
func TestForkBetweenReplicas(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	a, b := open(t, config(fake), store), open(t, config(fake), store)
	wantSize(t, a, 3)
	wantSize(t, b, 3)
	grow(fake, 1)
	wantSize(t, a, 4)
	fake.Fork(3) // b's last checkpoint, of size 3, fits both histories
	grow(fake, 1)
	if _, err := b.Size(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("got %v", err)
	}
	wantFork(t, fake, b, store)
}

// TestForkFoundMeanwhile: another process finds a fork while an entry is under way. Its answer
// does not count any more.
func TestForkFoundMeanwhile(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	l := open(t, config(fake), store)
	wantSize(t, l, 3)
	x := gateway.Checkpoint{Size: 3, Root: [32]byte{1}, Envelope: fake.Checkpoint(3)}
	y := gateway.Checkpoint{Size: 3, Root: [32]byte{2}, Envelope: fake.ForgedCheckpoint(0, 3)}
	if err := store.KeepFork(t.Context(), fake.Origin(), x, y); err != nil {
		t.Fatal(err)
	}
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("under way"))
	if got, err := l.Add(t.Context(), e); !errors.Is(err, gateway.ErrFork) || got != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	wantFork(t, fake, l, store)
}

// TestBadTilesAreNoFork: the tiles' host alone cannot stop submissions for good.
func TestBadTilesAreNoFork(t *testing.T) {
	t.Parallel()
	reads := map[string]func(*rekortest.Fake){
		"bad answer": func(f *rekortest.Fake) { f.OnRead(rekortest.Corrupted("/tile/")) },
		"truncated":  func(f *rekortest.Fake) { f.OnRead(rekortest.Truncated("/tile/")) },
		"unavailable": func(f *rekortest.Fake) {
			f.OnRead(rekortest.Unavailable("/tile/"))
		},
	}
	for want, read := range reads {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
			grow(fake, 5)
			l := open(t, config(fake), store)
			wantSize(t, l, 5)
			grow(fake, 2)
			read(fake)
			if want == "truncated" {
				want = "bad answer"
			}
			if _, err := l.Size(t.Context()); kind(err) != want {
				t.Errorf("size: %v", err)
			}
			e := prepare(t, l, rekortest.NewECDSASigner(t).Record("doubtful"))
			if got, err := l.Add(t.Context(), e); kind(err) != want || got != nil {
				t.Errorf("adding: %v, %v", got, err)
			}
			if kept, err := store.Checkpoint(t.Context(), fake.Origin()); err != nil || kept.Size != 5 {
				t.Errorf("kept %v, %v", kept, err)
			}
			fake.OnRead(nil)
			wantSize(t, l, 8)
		})
	}
}

func TestCheckpointRefused(t *testing.T) {
	fake := rekortest.StartFake(t)
	stranger := rekortest.StartFake(t) // same origin, another key
	grow(fake, 3)
	grow(stranger, 3)
	tests := map[string][]byte{
		"another key":     stranger.Checkpoint(3),
		"no signature":    []byte("log.test\n3\nAAAA\n\n"),
		"too large":       make([]byte, 65<<10),
		"garbage":         []byte("<html>"),
		"cut":             fake.Checkpoint(3)[:60],
		"empty, but root": fake.SignCheckpoint(0, make([]byte, 32)),
		"short root":      fake.SignCheckpoint(3, make([]byte, 31)),
		"size over int64": fake.SignCheckpoint(1<<63, make([]byte, 32)),
	}
	store := new(rekortest.Checkpoints)
	l := open(t, config(fake), store)
	for name, envelope := range tests {
		t.Run(name, func(t *testing.T) {
			fake.ServeCheckpoint(envelope)
			if _, err := l.Size(t.Context()); kind(err) != "bad answer" {
				t.Errorf("got %v", err)
			}
		})
	}
	fake.ServeCheckpoint(nil)
	wantSize(t, l, 3)
}

// TestLogSetUpAnew: the same origin with another key is no fork, and not to be used either.
func TestLogSetUpAnew(t *testing.T) {
	fake, anew, store := rekortest.StartFake(t), rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	wantSize(t, open(t, config(fake), store), 3)
	grow(anew, 5)
	l := open(t, config(anew), store)
	if _, err := l.Size(t.Context()); kind(err) != "unavailable" {
		t.Errorf("got %v", err)
	}
	if err := store.Forked(t.Context(), anew.Origin()); err != nil {
		t.Error(err)
	}
}

func TestStoreFails(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	l := open(t, config(fake), store)
	broken := errors.New("disk full")
	store.Fail(broken)
	if _, err := l.Size(t.Context()); !errors.Is(err, broken) || kind(err) != "unknown" {
		t.Errorf("got %v", err)
	}
	store.Fail(nil)
	wantSize(t, l, 0)
}

// brokenForks cannot store forks.
type brokenForks struct {
	*rekortest.Checkpoints
	broken bool
}

func (b *brokenForks) KeepFork(ctx context.Context, origin string, x, y gateway.Checkpoint) error {
	if b.broken {
		return errors.New("disk full")
	}
	return b.Checkpoints.KeepFork(ctx, origin, x, y)
}
