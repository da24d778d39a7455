// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Checkpoints is a gateway.Checkpoints in memory. The zero value is ready.
type Checkpoints struct {
	mu    sync.Mutex // guards what follows
	kept  map[gateway.Shard]gateway.Checkpoint
	forks []gateway.Fork
	reads int
	err   error
}

var _ gateway.Checkpoints = (*Checkpoints)(nil)

// Fail makes every call fail with err, until it is called with nil.
func (c *Checkpoints) Fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// Reads returns how often a kept checkpoint was asked for.
func (c *Checkpoints) Reads() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reads
}

// Checkpoint implements gateway.Checkpoints.
func (c *Checkpoints) Checkpoint(_ context.Context, shard gateway.Shard) (*gateway.Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	if c.err != nil {
		return nil, c.err
	}
	return c.keptCheckpoint(shard), nil
}

func (c *Checkpoints) keptCheckpoint(shard gateway.Shard) *gateway.Checkpoint {
	cp, ok := c.kept[shard]
	if !ok {
		return nil
	}
	return &cp
}

// KeepCheckpoint implements gateway.Checkpoints.
func (c *Checkpoints) KeepCheckpoint(_ context.Context, shard gateway.Shard, old *gateway.Checkpoint, cp gateway.Checkpoint) (*gateway.Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	if cp.Size > math.MaxInt64 {
		return nil, fmt.Errorf("keeping checkpoint: size %d is out of range", cp.Size)
	}
	if c.kept == nil {
		c.kept = map[gateway.Shard]gateway.Checkpoint{}
	}
	if c.keptCheckpoint(shard).Equal(old) {
		c.kept[shard] = cp
	}
	return c.keptCheckpoint(shard), nil
}

// KeepFork implements gateway.Checkpoints.
func (c *Checkpoints) KeepFork(_ context.Context, f gateway.Fork) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	wrong := func(hash []byte) bool { return len(hash) != sha256.Size }
	if f.Small.Size > math.MaxInt64 || f.Large.Size > math.MaxInt64 || slices.ContainsFunc(f.Consistency, wrong) {
		return fmt.Errorf("keeping fork: size or hash is out of range")
	}
	same := func(g gateway.Fork) bool {
		return g.Shard == f.Shard && g.Small.Equal(&f.Small) && g.Large.Equal(&f.Large)
	}
	if !slices.ContainsFunc(c.forks, same) {
		c.forks = append(c.forks, f)
	}
	return nil
}

// Forked implements gateway.Checkpoints.
func (c *Checkpoints) Forked(_ context.Context, shard gateway.Shard) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if slices.ContainsFunc(c.forks, func(f gateway.Fork) bool { return f.Shard == shard }) {
		return fmt.Errorf("%w: evidence is kept", gateway.ErrFork)
	}
	return nil
}

// Forks implements gateway.Checkpoints.
func (c *Checkpoints) Forks(context.Context) ([]gateway.Fork, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.forks), c.err
}
