// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"errors"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
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

// TestLogSetUpAnew: the same origin with another key is no fork, and not to be used either.
func TestLogSetUpAnew(t *testing.T) {
	fake, anew, store := rekortest.StartFake(t), rekortest.StartFake(t), new(rekortest.Checkpoints)
	grow(fake, 3)
	wantSize(t, open(t, fake, store), 3)
	grow(anew, 5)
	l := open(t, anew, store)
	if _, err := l.CurrentCheckpoint(t.Context()); kind(err) != "unavailable" {
		t.Errorf("got %v", err)
	}
	if err := store.Forked(t.Context(), anew.Origin()); err != nil {
		t.Error(err)
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
