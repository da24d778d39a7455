// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
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
	forks, err := store.Forks(t.Context())
	if err != nil || len(forks) != 1 || forks[0].Shard != l.Describe().Shard {
		t.Fatalf("evidence is %v, %v", forks, err)
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

// TestForkFoundMeanwhile: another process finds a fork while an entry is under way. Its answer
// does not count any more.
func TestForkFoundMeanwhile(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	l := open(t, config(fake), store)
	wantSize(t, l, 3)
	if err := store.KeepFork(t.Context(), gateway.Fork{Shard: l.Describe().Shard}); err != nil {
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
			if kept, err := store.Checkpoint(t.Context(), l.Describe().Shard); err != nil || kept.Size != 5 {
				t.Errorf("kept %v, %v", kept, err)
			}
			fake.OnRead(nil)
			wantSize(t, l, 8)
		})
	}
}

// TestFindBehindCache: the checkpoint fetched is older than one seen in an answer, be it by
// another process; the newer one counts.
func TestFindBehindCache(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 3)
	store := new(rekortest.Checkpoints)
	l, other := open(t, config(fake), store), open(t, config(fake), store)
	fake.ServeCheckpoint(fake.Checkpoint(3))
	wantSize(t, other, 3)
	e := prepare(t, l, rekortest.NewECDSASigner(t).Record("new"))
	if _, err := l.Add(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, l := range []*rekorv2.Log{l, other} {
		found, err := l.Find(t.Context(), []gateway.LeafHash{e.LeafHash}, 3)
		if err != nil {
			t.Fatal(err)
		}
		checkInclusion(t, found[e.LeafHash], e, fake.Verifier())
	}
}
