// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/transparency-dev/formats/log"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// wantFork checks that the log is refused for good, and after a restart, and that the evidence
// kept stands alone.
func wantFork(t *testing.T, fake *rekortest.Fake, l *process, store gateway.Checkpoints) {
	t.Helper()
	forks, err := store.Forks(t.Context())
	if err != nil || len(forks) != 1 || forks[0].Shard != shardOf(fake) {
		t.Fatalf("evidence is %v, %v", forks, err)
	}
	if err := tiles.VerifyFork(forks[0], fake.Verifier()); err != nil {
		t.Errorf("evidence: %v", err)
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
	if err := store.KeepFork(t.Context(), forkOf(t, fake, fake.Checkpoint(3), fake.ForgedCheckpoint(0, 3))); err != nil {
		t.Fatal(err)
	}
	grow(fake, 1)
	if got, err := l.Accept(t.Context(), fake.Checkpoint(4)); !errors.Is(err, gateway.ErrFork) || got != nil {
		t.Fatalf("got %v, %v", got, err)
	}
	wantFork(t, fake, l, store)
}

// forkOf is the evidence that two checkpoints of one size make.
func forkOf(t *testing.T, fake *rekortest.Fake, a, b []byte) gateway.Fork {
	t.Helper()
	small, err := tiles.OpenCheckpoint(a, fake.Origin(), fake.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	large, err := tiles.OpenCheckpoint(b, fake.Origin(), fake.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return gateway.Fork{Shard: shardOf(fake), Small: *small, Large: *large, PrefixRoot: large.Root}
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

// overtaken lets other processes keep their checkpoints just before this one would.
type overtaken struct {
	gateway.Checkpoints
	others [][]byte // envelopes, one before each call
	parse  func(envelope []byte) *gateway.Checkpoint
}

func (o *overtaken) KeepCheckpoint(ctx context.Context, shard gateway.Shard, old *gateway.Checkpoint, c gateway.Checkpoint) (*gateway.Checkpoint, error) {
	if len(o.others) > 0 {
		kept, err := o.Checkpoint(ctx, shard)
		if err != nil {
			return nil, err
		}
		if _, err := o.Checkpoints.KeepCheckpoint(ctx, shard, kept, *o.parse(o.others[0])); err != nil {
			return nil, err
		}
		o.others = o.others[1:]
	}
	return o.Checkpoints.KeepCheckpoint(ctx, shard, old, c)
}

// TestOvertaken: other replicas keep checkpoints while this one proves its own against what was
// kept before. It is proven against theirs then, whatever the sizes: no replica may keep one
// side of a fork over the other.
func TestOvertaken(t *testing.T) {
	t.Parallel()
	fake := rekortest.StartFake(t)
	grow(fake, 20)
	good, forged := fake.Checkpoint, func(size uint64) []byte { return fake.ForgedCheckpoint(0, size) }
	var many [][]byte
	for size := range uint64(10) {
		many = append(many, good(size+1))
	}
	tests := map[string]struct {
		first  []byte // kept before; nil is nothing
		others [][]byte
		want   string
		size   uint64 // kept then
	}{
		"by a smaller one, first of all": {nil, [][]byte{good(7)}, "ok", 20},
		"by a smaller one":               {good(5), [][]byte{good(7)}, "ok", 20},
		"twice":                          {good(5), [][]byte{good(7), good(9)}, "ok", 20},
		"by the same one":                {good(5), [][]byte{good(20)}, "ok", 20},
		"by a forged one, first of all":  {nil, [][]byte{forged(7)}, "fork", 7},
		"by a forged one":                {good(5), [][]byte{forged(7)}, "fork", 7},
		"by a forged one of equal size":  {good(5), [][]byte{forged(20)}, "fork", 20},
		"by a good one, then a forged":   {good(5), [][]byte{good(7), forged(9)}, "fork", 9},
		"by one that is not by the key":  {good(5), [][]byte{rekortest.StartFake(t).Checkpoint(0)}, "unavailable", 0},
		"ever again":                     {nil, many, "unavailable", 10},
		"often":                          {nil, many[:9], "ok", 20},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := &overtaken{Checkpoints: new(rekortest.Checkpoints), others: test.others, parse: func(envelope []byte) *gateway.Checkpoint {
				return parseUnverified(t, envelope)
			}}
			if test.first != nil {
				if _, err := store.Checkpoints.KeepCheckpoint(t.Context(), shardOf(fake), nil, *store.parse(test.first)); err != nil {
					t.Fatal(err)
				}
			}
			l := open(t, fake, store)
			got, err := l.Accept(t.Context(), good(20))
			if kind(err) != test.want || (got != nil) != (err == nil) {
				t.Fatalf("got %v, %v; want %s", got, err, test.want)
			}
			if kept, err := store.Checkpoint(t.Context(), shardOf(fake)); err != nil || kept.Size != test.size {
				t.Errorf("kept %v, %v; want size %d", kept, err, test.size)
			}
			if test.want == "fork" {
				wantFork(t, fake, l, store)
			} else if err := store.Forked(t.Context(), shardOf(fake)); err != nil {
				t.Error(err)
			}
		})
	}
}

func parseUnverified(t *testing.T, envelope []byte) *gateway.Checkpoint {
	t.Helper()
	var cp log.Checkpoint
	if _, err := cp.Unmarshal(envelope); err != nil {
		t.Fatal(err)
	}
	return &gateway.Checkpoint{Size: cp.Size, Root: [32]byte(cp.Hash), Envelope: envelope}
}

// TestVerifyFork takes evidence that was found and stored, and changes it in each part.
func TestVerifyFork(t *testing.T) {
	fake, stranger, store := rekortest.StartFake(t), rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 5)
	l := open(t, fake, store)
	wantSize(t, l, 5)
	fake.Fork(1)
	grow(fake, 2)
	if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, gateway.ErrFork) {
		t.Fatal(err)
	}
	wantFork(t, fake, l, store)
	forks, err := store.Forks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f := forks[0]
	honest := forkOf(t, fake, fake.Checkpoint(5), fake.Checkpoint(7))
	honestTree := newTree(t, &honest.Large, l.reader)
	if honest.PrefixRoot, honest.Consistency, err = honestTree.ProvePrefix(t.Context(), 5); err != nil {
		t.Fatal(err)
	}
	empty := forkOf(t, fake, fake.Checkpoint(0), fake.Checkpoint(7))
	empty.PrefixRoot = [32]byte{1}
	same := forkOf(t, fake, fake.Checkpoint(7), fake.Checkpoint(7))
	tests := map[string]func(f *gateway.Fork){
		"another origin":       func(f *gateway.Fork) { f.Origin = "other.test" },
		"another key":          func(f *gateway.Fork) { f.KeyID = [32]byte(stranger.KeyID()) },
		"small size":           func(f *gateway.Fork) { f.Small.Size = 4 },
		"small root":           func(f *gateway.Fork) { f.Small.Root[0] ^= 1 },
		"small envelope":       func(f *gateway.Fork) { f.Small.Envelope = []byte("note") },
		"signed by a stranger": func(f *gateway.Fork) { f.Small.Envelope = stranger.SignCheckpoint(f.Small.Size, f.Small.Root[:]) },
		"large size":           func(f *gateway.Fork) { f.Large.Size = 8 },
		"large root":           func(f *gateway.Fork) { f.Large.Root[0] ^= 1 },
		"large envelope":       func(f *gateway.Fork) { f.Large.Envelope = f.Small.Envelope },
		"another prefix root":  func(f *gateway.Fork) { f.PrefixRoot[0] ^= 1 },
		"no prefix root":       func(f *gateway.Fork) { f.PrefixRoot = [32]byte{} },
		"no contradiction":     func(f *gateway.Fork) { f.PrefixRoot = f.Small.Root },
		"another hash":         func(f *gateway.Fork) { f.Consistency[0][0] ^= 1 },
		"one hash less":        func(f *gateway.Fork) { f.Consistency = f.Consistency[1:] },
		"one hash more":        func(f *gateway.Fork) { f.Consistency = append(f.Consistency, make([]byte, 32)) },
		"a long hash":          func(f *gateway.Fork) { f.Consistency[0] = append(f.Consistency[0], 0) },
		"no hashes":            func(f *gateway.Fork) { f.Consistency = nil },
		"sides swapped":        func(f *gateway.Fork) { f.Small, f.Large = f.Large, f.Small },
		"honest":               func(f *gateway.Fork) { *f = honest },
		"empty tree":           func(f *gateway.Fork) { *f = empty },
		"the same checkpoint":  func(f *gateway.Fork) { *f = same },
	}
	for name, change := range tests {
		changed := f
		changed.Consistency = nil
		for _, hash := range f.Consistency {
			changed.Consistency = append(changed.Consistency, bytes.Clone(hash))
		}
		if err := tiles.VerifyFork(changed, fake.Verifier()); err != nil {
			t.Fatalf("unchanged: %v", err)
		}
		change(&changed)
		if err := tiles.VerifyFork(changed, fake.Verifier()); err == nil {
			t.Errorf("%s: verified", name)
		}
	}
	if err := tiles.VerifyFork(f, stranger.Verifier()); err == nil {
		t.Error("verified with a stranger's key")
	}
	f.KeyID = [32]byte{}
	if err := tiles.VerifyFork(f, fake.Verifier()); err != nil {
		t.Errorf("without a key id: %v", err)
	}
	if err := tiles.VerifyFork(f, stranger.Verifier()); err == nil {
		t.Error("verified with a stranger's key and no key id")
	}
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
			if kept, err := store.Checkpoint(t.Context(), shardOf(fake)); err != nil || kept.Size != 5 {
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

func (b *brokenForks) KeepFork(ctx context.Context, f gateway.Fork) error {
	if b.broken {
		return errors.New("disk full")
	}
	return b.Checkpoints.KeepFork(ctx, f)
}
