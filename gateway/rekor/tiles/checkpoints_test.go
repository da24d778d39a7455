// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

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
	l := open(t, fake, store)
	for name, envelope := range tests {
		t.Run(name, func(t *testing.T) {
			fake.ServeCheckpoint(envelope)
			if _, err := l.CurrentCheckpoint(t.Context()); kind(err) != "bad answer" {
				t.Errorf("got %v", err)
			}
		})
	}
	fake.ServeCheckpoint(nil)
	wantSize(t, l, 3)
}

// TestLogSetUpAnew: the same origin with another key is another shard, and no fork.
func TestLogSetUpAnew(t *testing.T) {
	fake, anew, store := rekortest.StartFake(t), rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	wantSize(t, open(t, fake, store), 3)
	grow(anew, 2)
	wantSize(t, open(t, anew, store), 2)
	for _, f := range []*rekortest.Fake{fake, anew} {
		if err := store.Forked(t.Context(), shardOf(f)); err != nil {
			t.Error(err)
		}
		if kept, err := store.Checkpoint(t.Context(), shardOf(f)); err != nil || kept.Size != f.Size() {
			t.Errorf("kept %v, %v", kept, err)
		}
	}
}

// TestKeptByAnotherKey: a checkpoint that was kept before keys were, and is by another key of this origin,
// gives way to the first one by this key, whatever their sizes.
func TestKeptByAnotherKey(t *testing.T) {
	former, anew := rekortest.StartFake(t), rekortest.StartFake(t)
	grow(former, 9)
	grow(anew, 5)
	store := new(rekortest.Checkpoints)
	if _, err := store.KeepCheckpoint(t.Context(), shardOf(anew), nil, *parseUnverified(t, former.Checkpoint(9))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		wantSize(t, open(t, anew, store), 5)
	}
	if got, err := store.Checkpoint(t.Context(), shardOf(anew)); err != nil || got.Size != 5 {
		t.Errorf("kept %v, %v", got, err)
	}
	if err := store.Forked(t.Context(), shardOf(anew)); err != nil {
		t.Error(err)
	}
}

// TestKeptDamaged: a checkpoint kept that is damaged is neither used nor replaced.
func TestKeptDamaged(t *testing.T) {
	anew := rekortest.StartFake(t)
	grow(anew, 5)
	root, signature, text := parseUnverified(t, anew.Checkpoint(2)), parseUnverified(t, anew.Checkpoint(2)), parseUnverified(t, anew.Checkpoint(2))
	root.Root[0] ^= 1
	signature.Envelope[len(signature.Envelope)-9] ^= 2
	text.Envelope = []byte("no note")
	for name, kept := range map[string]*gateway.Checkpoint{"root": root, "signature": signature, "text": text} {
		t.Run(name, func(t *testing.T) {
			store := new(rekortest.Checkpoints)
			if _, err := store.KeepCheckpoint(t.Context(), shardOf(anew), nil, *kept); err != nil {
				t.Fatal(err)
			}
			if _, err := open(t, anew, store).CurrentCheckpoint(t.Context()); kind(err) != "unavailable" {
				t.Errorf("got %v", err)
			}
			if got, err := store.Checkpoint(t.Context(), shardOf(anew)); err != nil || !got.Equal(kept) {
				t.Errorf("kept %v, %v", got, err)
			}
			if err := store.Forked(t.Context(), shardOf(anew)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNewCheckpointsRefuses(t *testing.T) {
	fake, other := rekortest.StartFake(t), rekortest.StartFake(t)
	for name, change := range map[string]func(*tiles.CheckpointsConfig){
		"no origin":      func(c *tiles.CheckpointsConfig) { c.Shard.Origin = "" },
		"another origin": func(c *tiles.CheckpointsConfig) { c.Shard.Origin = "other.test" },
		"no key":         func(c *tiles.CheckpointsConfig) { c.Shard.KeyID = [32]byte{} },
		"another key":    func(c *tiles.CheckpointsConfig) { c.Shard = shardOf(other) },
		"no verifier":    func(c *tiles.CheckpointsConfig) { c.Verifier = nil },
		"no store":       func(c *tiles.CheckpointsConfig) { c.Store = nil },
		"no reader":      func(c *tiles.CheckpointsConfig) { c.Reader = nil },
		"no logger":      func(c *tiles.CheckpointsConfig) { c.Logger = nil },
	} {
		cfg := tiles.CheckpointsConfig{
			Shard: shardOf(fake), Verifier: fake.Verifier(), Store: new(rekortest.Checkpoints),
			Reader: newReader(t, readerConfig(fake)), Logger: slog.New(slog.DiscardHandler),
		}
		change(&cfg)
		if c, err := tiles.NewCheckpoints(cfg); err == nil || c != nil {
			t.Errorf("%s: got %v, %v", name, c, err)
		}
	}
}

func TestStoreFails(t *testing.T) {
	fake, store := rekortest.StartFake(t), new(rekortest.Checkpoints)
	l := open(t, fake, store)
	broken := errors.New("disk full")
	store.Fail(broken)
	if _, err := l.CurrentCheckpoint(t.Context()); !errors.Is(err, broken) || kind(err) != "unknown" {
		t.Errorf("got %v", err)
	}
	store.Fail(nil)
	wantSize(t, l, 0)
}
