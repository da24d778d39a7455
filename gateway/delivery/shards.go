// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// shards are what a worker knows of its log's shards. They are safe for concurrent use.
type shards struct {
	mu       sync.Mutex // guards what follows
	canaries map[gateway.Shard]*canaries
	scanners map[gateway.Shard]*runningScanner
	stuck    map[gateway.Shard]int  // entries that cannot be settled as things stand
	told     int                    // what the operator was told last of those
	readable map[gateway.Shard]bool // as followShards saw them last
}

// runningScanner is a scanner and what ends it.
type runningScanner struct {
	*scanner
	stop context.CancelFunc
}

func newShards() shards {
	return shards{canaries: map[gateway.Shard]*canaries{}, scanners: map[gateway.Shard]*runningScanner{}, stuck: map[gateway.Shard]int{}}
}

// canariesOf returns the canaries of a shard.
func (s *shards) canariesOf(shard gateway.Shard) *canaries {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.canaries[shard]
	if c == nil {
		c = new(canaries)
		s.canaries[shard] = c
	}
	return c
}

// wakeScanners tells all scanners that something is in doubt.
func (s *shards) wakeScanners() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, running := range s.scanners {
		running.wakeScanner()
	}
}

// noteStuck notes how many entries of a shard cannot be settled as things stand.
func (s *shards) noteStuck(shard gateway.Shard, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stuck[shard] = n
}

// settleUntil runs a scanner for each shard that can be read, and watches what is in doubt, until ctx ends.
func (w *worker) settleUntil(ctx context.Context) {
	var scanning sync.WaitGroup
	defer scanning.Wait()
	for ctx.Err() == nil {
		w.followShards(ctx, &scanning)
		if counts, err := w.store.CountDoubtful(ctx, w.id); err == nil { // else the scanners say so
			w.noteDoubts(counts)
		}
		w.countLate(ctx, time.Now())
		select {
		case <-ctx.Done():
		case <-time.After(w.timing.Poll):
		}
	}
}

// listReadable returns the shards that can be read now, and whether each is closed.
func (w *worker) listReadable() map[gateway.Shard]bool {
	readable := map[gateway.Shard]bool{w.log.Describe().Shard: false}
	for _, f := range w.log.Former() {
		readable[f.Shard] = f.Closed
	}
	return readable
}

// followShards starts scanners of shards that have come, and ends those of shards that have gone.
func (w *worker) followShards(ctx context.Context, scanning *sync.WaitGroup) {
	readable := w.listReadable()
	w.shards.mu.Lock()
	defer w.shards.mu.Unlock()
	for shard, running := range w.shards.scanners {
		if _, ok := readable[shard]; !ok {
			running.stop()
			delete(w.shards.scanners, shard)
		} else if !maps.Equal(readable, w.shards.readable) {
			running.wakeScanner()
		}
	}
	w.shards.readable = readable
	for shard := range w.shards.canaries {
		if _, ok := readable[shard]; !ok {
			delete(w.shards.canaries, shard)
			delete(w.shards.stuck, shard)
		}
	}
	for shard := range readable {
		if w.shards.scanners[shard] != nil {
			continue
		}
		scanCtx, stop := context.WithCancel(ctx)
		s := newScanner(w, shard)
		w.shards.scanners[shard] = &runningScanner{scanner: s, stop: stop}
		scanning.Go(func() {
			defer stop()
			s.scanUntil(scanCtx)
		})
	}
}

// noteDoubts tells the operator of what is in doubt, and of what cannot be settled as things stand: that is visible until
// somebody sees to it.
func (w *worker) noteDoubts(counts map[gateway.Shard]int) {
	current, here, elsewhere := w.log.Describe().Shard, 0, 0
	readable := w.listReadable()
	w.shards.mu.Lock()
	stuck := 0
	for shard, n := range counts {
		if shard == current || shard == (gateway.Shard{}) {
			here += n
			continue
		}
		elsewhere += n
		if _, ok := readable[shard]; ok {
			n = min(n, w.shards.stuck[shard])
		}
		stuck += n
	}
	changed := stuck != w.shards.told
	w.shards.told = stuck
	w.shards.mu.Unlock()
	w.metrics.InDoubt(w.id, here, elsewhere)
	if changed {
		w.tellStuck(stuck)
	}
}
