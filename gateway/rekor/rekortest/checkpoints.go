// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"context"
	"fmt"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Checkpoints is a gateway.Checkpoints in memory. The zero value is ready.
type Checkpoints struct {
	mu    sync.Mutex
	kept  map[string]gateway.Checkpoint
	forks map[string][2]gateway.Checkpoint
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

// Fork returns the evidence kept of a fork.
func (c *Checkpoints) Fork(origin string) (evidence [2]gateway.Checkpoint, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	evidence, ok = c.forks[origin]
	return evidence, ok
}

// Checkpoint implements gateway.Checkpoints.
func (c *Checkpoints) Checkpoint(_ context.Context, origin string) (*gateway.Checkpoint, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads++
	cp, ok := c.kept[origin]
	if c.err != nil || !ok {
		return nil, c.err
	}
	return &cp, nil
}

// KeepCheckpoint implements gateway.Checkpoints.
func (c *Checkpoints) KeepCheckpoint(_ context.Context, origin string, cp gateway.Checkpoint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.kept == nil {
		c.kept = map[string]gateway.Checkpoint{}
	}
	if old, ok := c.kept[origin]; !ok || cp.Size > old.Size {
		c.kept[origin] = cp
	}
	return nil
}

// KeepFork implements gateway.Checkpoints.
func (c *Checkpoints) KeepFork(_ context.Context, origin string, a, b gateway.Checkpoint) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.forks == nil {
		c.forks = map[string][2]gateway.Checkpoint{}
	}
	if _, ok := c.forks[origin]; !ok {
		c.forks[origin] = [2]gateway.Checkpoint{a, b}
	}
	return nil
}

// Forked implements gateway.Checkpoints.
func (c *Checkpoints) Forked(_ context.Context, origin string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if _, ok := c.forks[origin]; ok {
		return fmt.Errorf("%w: evidence is kept", gateway.ErrFork)
	}
	return nil
}
