// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// wantFork checks that the log is refused for good, and after a restart, with both checkpoints
// kept.
func wantFork(t *testing.T, fake *rekortest.Fake, l *process, store *rekortest.Checkpoints) {
	t.Helper()
	evidence, ok := store.Fork(fake.Origin())
	if !ok || evidence[0].Root == evidence[1].Root || len(evidence[0].Envelope) == 0 || len(evidence[1].Envelope) == 0 {
		t.Fatalf("evidence is %v", evidence)
	}
	for _, l := range []*process{l, open(t, fake, store)} {
		if err := l.Guard(t.Context()); !errors.Is(err, gateway.ErrFork) {
			t.Errorf("guarding: %v", err)
		}
		if cp, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) || cp != nil {
			t.Errorf("current checkpoint: %v, %v", cp, err)
		}
		if cp, err := l.Accept(t.Context(), fake.Checkpoint(fake.Size())); !errors.Is(err, gateway.ErrFork) || cp != nil {
			t.Errorf("accepting: %v, %v", cp, err)
		}
	}
}

func TestForkOfEqualSize(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 5)
	l := open(t, fake, store)
	wantSize(t, l, 5)
	fake.OnRead(rekortest.Unavailable("/tile/")) // two signatures are proof enough
	fake.Fork(2)
	if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
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
				l := open(t, fake, store)
				wantSize(t, l, uint64(size))
				grow(fake, more)
				wantSize(t, l, uint64(size+more)) // no false alarm
				fake.Fork(uint64(size / 2))
				grow(fake, more)
				if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
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
			l := open(t, fake, store)
			wantSize(t, l, 7)
			fake.ServeCheckpoint(fake.Checkpoint(size))
			wantSize(t, l, 7) // stale, but right
			fake.ServeCheckpoint(fake.ForgedCheckpoint(0, size))
			if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
				t.Fatalf("got %v", err)
			}
			wantFork(t, fake, l, store)
		})
	}
}

// TestForkFoundMeanwhile: another process finds a fork while an answer is under way. Its
// checkpoint does not count any more.
func TestForkFoundMeanwhile(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	l := open(t, fake, store)
	wantSize(t, l, 3)
	x := gateway.Checkpoint{Size: 3, Root: [32]byte{1}, Envelope: fake.Checkpoint(3)}
	y := gateway.Checkpoint{Size: 3, Root: [32]byte{2}, Envelope: fake.ForgedCheckpoint(0, 3)}
	if err := store.KeepFork(t.Context(), fake.Origin(), x, y); err != nil {
		t.Fatal(err)
	}
	grow(fake, 1)
	if got, err := l.Accept(t.Context(), fake.Checkpoint(4)); !errors.Is(err, gateway.ErrFork) || got != nil {
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
	l := open(t, fake, store)
	wantSize(t, l, 3)
	fake.Fork(1)
	store.broken = true
	for range 2 {
		if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
			t.Fatalf("got %v", err)
		}
	}
	store.broken = false
	if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("got %v", err)
	}
	wantFork(t, fake, l, inner)
}

// TestForkBetweenReplicas: each of two processes sees one side of the fork; the shared store
// brings them together.
func TestForkBetweenReplicas(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	a, b := open(t, fake, store), open(t, fake, store)
	wantSize(t, a, 3)
	wantSize(t, b, 3)
	grow(fake, 1)
	wantSize(t, a, 4)
	fake.Fork(3) // b's last checkpoint, of size 3, fits both histories
	grow(fake, 1)
	if _, err := b.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatalf("got %v", err)
	}
	wantFork(t, fake, b, store)
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
			l := open(t, fake, store)
			wantSize(t, l, 5)
			grow(fake, 2)
			read(fake)
			if want == "truncated" {
				want = "bad answer"
			}
			if _, err := l.CurrentCheckpoint(t.Context()); kind(err) != want {
				t.Errorf("current checkpoint: %v", err)
			}
			if got, err := l.Accept(t.Context(), fake.Checkpoint(6)); kind(err) != want || got != nil {
				t.Errorf("accepting: %v, %v", got, err)
			}
			if kept, err := store.Checkpoint(t.Context(), fake.Origin()); err != nil || kept.Size != 5 {
				t.Errorf("kept %v, %v", kept, err)
			}
			fake.OnRead(nil)
			wantSize(t, l, 7)
		})
	}
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
