// SPDX-License-Identifier: Apache-2.0

package tiles_test

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// slowSource proves whatever it is asked for, after a while.
type slowSource struct {
	tiles.Source
	takes time.Duration
}

func (s slowSource) ProvePrefix(ctx context.Context, small, _ *gateway.Checkpoint) (root [sha256.Size]byte, hashes [][]byte, err error) {
	select {
	case <-ctx.Done():
		return root, nil, ctx.Err()
	case <-time.After(s.takes):
		return small.Root, nil, nil
	}
}

// TestProofsInARow: each of many checkpoints that come at once has the time of a proof to itself, and none waits for ever.
func TestProofsInARow(t *testing.T) {
	fake := rekortest.StartFake(t)
	grow(fake, 20)
	for name, c := range map[string]struct {
		takes time.Duration
		want  int // of nineteen
	}{
		"quick": {time.Second, 19},
		"slow":  {20 * time.Second, 6}, // until two minutes are over, and the one that is being proven then
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				checkpoints, err := tiles.NewCheckpoints(tiles.CheckpointsConfig{
					Shard: shardOf(fake), Verifier: fake.Verifier(), Store: new(rekortest.Checkpoints), Reader: slowSource{takes: c.takes}, Logger: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				defer checkpoints.Close()
				if _, err := checkpoints.Accept(t.Context(), fake.Checkpoint(1)); err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				var mu sync.Mutex
				accepted := 0
				for size := range uint64(19) {
					all.Go(func() {
						_, err := checkpoints.Accept(t.Context(), fake.Checkpoint(size+2))
						mu.Lock()
						defer mu.Unlock()
						switch {
						case err == nil:
							accepted++
						case kind(err) != "unavailable":
							t.Error(err)
						}
					})
				}
				all.Wait()
				if accepted < c.want || accepted > c.want+1 {
					t.Errorf("%d accepted", accepted)
				}
			})
		})
	}
}
