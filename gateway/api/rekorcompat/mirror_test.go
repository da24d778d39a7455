// SPDX-License-Identifier: Apache-2.0

package rekorcompat

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// countedLog counts what it is asked for, and takes a while for it.
type countedLog struct {
	shard                         atomic.Pointer[gateway.Shard]
	checkpoints, tiles, now, most atomic.Int64
	fails                         atomic.Pointer[error]
	size                          int
}

func newCountedLog(size int) *countedLog {
	l := &countedLog{size: size}
	l.shard.Store(&gateway.Shard{Origin: "log.example"})
	return l
}

func (l *countedLog) Describe() gateway.LogInfo     { return gateway.LogInfo{Shard: *l.shard.Load()} }
func (l *countedLog) Former() []gateway.FormerShard { return nil }

func (l *countedLog) ReadCheckpoint(ctx context.Context, s gateway.Shard) (*gateway.Checkpoint, error) {
	n := l.checkpoints.Add(1)
	time.Sleep(100 * time.Millisecond)
	if failed := l.fails.Load(); failed != nil {
		return nil, *failed
	}
	return &gateway.Checkpoint{Size: uint64(n), Envelope: []byte(s.Origin)}, ctx.Err()
}

func (l *countedLog) read() ([]byte, error) {
	l.tiles.Add(1)
	l.most.Store(max(l.most.Load(), l.now.Add(1)))
	defer l.now.Add(-1)
	time.Sleep(100 * time.Millisecond)
	return make([]byte, l.size), nil
}

func (l *countedLog) ReadTile(context.Context, gateway.Shard, uint64, uint64, uint8) ([]byte, error) {
	return l.read()
}
func (l *countedLog) ReadEntries(context.Context, gateway.Shard, uint64, uint8) ([]byte, error) {
	return l.read()
}

// A thousand readers of the same ask the log as often as there are places, and of a checkpoint once a second; a failure is kept for as long, and what is kept is of the
// shard that there is now.
func TestMirrorAsksSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newCountedLog(100)
		m := newMirror(func() Log { return log })
		readAll := func() {
			var all sync.WaitGroup
			for range 1000 {
				all.Go(func() {
					if _, err := m.readTile(t.Context(), 0, 0, 0); err != nil {
						t.Error(err)
					}
					if _, err := m.readEntries(t.Context(), 0, 0); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		readAll()
		first := log.tiles.Load()
		if log.checkpoints.Load() != 1 || first > tilesAtOnce+bundlesAtOnce {
			t.Errorf("%d checkpoints, %d tiles and bundles", log.checkpoints.Load(), log.tiles.Load())
		}
		time.Sleep(keepCheckpoint)
		readAll()
		if log.checkpoints.Load() != 2 || log.tiles.Load() != first {
			t.Errorf("a second later: %d checkpoints, %d tiles and bundles", log.checkpoints.Load(), log.tiles.Load())
		}
		time.Sleep(keepTile)
		log.shard.Store(&gateway.Shard{Origin: "next.example"})
		readAll()
		if log.checkpoints.Load() != 3 || log.tiles.Load() == first || log.tiles.Load() > first+tilesAtOnce+bundlesAtOnce {
			t.Errorf("of the next shard: %d checkpoints, %d tiles and bundles", log.checkpoints.Load(), log.tiles.Load())
		}
		down := fmt.Errorf("%w: reading", gateway.ErrUnavailable)
		log.fails.Store(&down)
		time.Sleep(keepCheckpoint)
		for range 100 {
			if _, err := m.readTile(t.Context(), 0, 0, 0); formats.ReasonOf(err) != "LOG_UNAVAILABLE" {
				t.Errorf("%v", err)
			}
		}
		if log.checkpoints.Load() != 4 {
			t.Errorf("the log that is down is asked %d times", log.checkpoints.Load()-3)
		}
		log.fails.Store(nil)
		time.Sleep(keepCheckpoint)
		readAll()
	})
}

// What is large is read by two at once, and not kept; what is read counts for who reads it, and nobody waits longer than he likes.
func TestMirrorIsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newCountedLog(largeBundle + 1)
		m := newMirror(func() Log { return log })
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				if _, err := m.readEntries(t.Context(), uint64(i), 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if log.most.Load() != bundlesAtOnce || m.bundles.kept.Len() != 0 {
			t.Errorf("%d at once, %d kept", log.most.Load(), m.bundles.kept.Len())
		}
		memory := gateway.NewMemory(largeBundle)
		held, err := memory.Admit(0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.readEntries(gateway.WithHeld(t.Context(), held), 0, 0); !errors.Is(err, gateway.ErrMemoryFull) {
			t.Errorf("more than there is room for: %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		for range bundlesAtOnce {
			all.Go(func() { _, _ = m.readEntries(t.Context(), 0, 0) })
		}
		synctest.Wait()
		if _, err := m.readEntries(ctx, 1, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("behind others: %v", err)
		}
		all.Wait()
	})
}

func TestMirrorWithoutLog(t *testing.T) {
	m := newMirror(func() Log { return nil })
	if _, err := m.readTile(t.Context(), 0, 0, 0); formats.ReasonOf(err) != "NOT_FOUND" {
		t.Errorf("%v", err)
	}
}
