// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// watchedVerifier counts what it verifies, and panics if it is told to.
type watchedVerifier struct {
	note.Verifier
	verified atomic.Int64
	panics   atomic.Bool
}

func (v *watchedVerifier) Verify(message, signature []byte) bool {
	v.verified.Add(1)
	if v.panics.Load() {
		panic("in the goroutine of the work")
	}
	return v.Verifier.Verify(message, signature)
}

// heldStore answers once release is closed.
type heldStore struct {
	*rekortest.Checkpoints
	release chan struct{}
}

func (s heldStore) Forked(ctx context.Context, shard gateway.Shard) error {
	<-s.release
	return s.Checkpoints.Forked(ctx, shard)
}

func openWatched(t *testing.T, fake *rekortest.Fake, store gateway.Checkpoints, v note.Verifier) *tiles.Checkpoints {
	t.Helper()
	c, err := tiles.NewCheckpoints(tiles.CheckpointsConfig{
		Shard: shardOf(fake), Verifier: v, Store: store, Reader: newReader(t, readerConfig(fake)), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestBurst: of many answers that carry one checkpoint at the same time, one verifies it.
func TestBurst(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 3)
	envelope, v := fake.Checkpoint(3), &watchedVerifier{Verifier: fake.Verifier()}
	synctest.Test(t, func(t *testing.T) {
		store := heldStore{new(rekortest.Checkpoints), make(chan struct{})}
		c := openWatched(t, fake, store, v)
		var answers sync.WaitGroup
		for range 50 {
			answers.Go(func() {
				if cp, err := c.Accept(t.Context(), envelope); err != nil || cp.Size != 3 {
					t.Errorf("got %v, %v", cp, err)
				}
			})
		}
		synctest.Wait() // all wait for the store
		if n := v.verified.Load(); n != 1 {
			t.Errorf("verified %d times", n)
		}
		close(store.release)
		answers.Wait()
		c.Close()
	})
}

// TestPanicOfWork: it is the caller's, who can recover from it, and ends neither the process nor what comes later.
func TestPanicOfWork(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 3)
	v := &watchedVerifier{Verifier: fake.Verifier()}
	c := openWatched(t, fake, new(rekortest.Checkpoints), v)
	t.Cleanup(c.Close)
	v.panics.Store(true)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = c.Accept(t.Context(), fake.Checkpoint(3))
	}()
	v.panics.Store(false)
	if cp, err := c.Accept(t.Context(), fake.Checkpoint(3)); err != nil || cp.Size != 3 {
		t.Errorf("got %v, %v", cp, err)
	}
}
