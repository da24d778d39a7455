// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// knownFork returns ErrFork when this process knows of a fork.
func (c *Checkpoints) knownFork() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fork
}

// foundFork refuses the log from now on and stores the evidence. If that fails, Guard tries
// again at each call.
func (c *Checkpoints) foundFork(ctx context.Context, a, b *gateway.Checkpoint) error {
	err := fmt.Errorf("%w: its checkpoints of size %d and %d contradict each other", gateway.ErrFork, a.Size, b.Size)
	c.cfg.Logger.ErrorContext(ctx, "log is forked; nothing more is submitted to it",
		"a", string(a.Envelope), "b", string(b.Envelope))
	c.mu.Lock()
	c.evidence = &[2]gateway.Checkpoint{*a, *b}
	c.mu.Unlock()
	c.refuse(err)
	c.storeEvidence(ctx)
	return err
}

func (c *Checkpoints) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fork == nil {
		c.fork = err
		c.cfg.Forked()
	}
}

func (c *Checkpoints) storeEvidence(ctx context.Context) {
	c.mu.Lock()
	evidence := c.evidence
	c.mu.Unlock()
	if evidence == nil {
		return
	}
	if err := c.cfg.Store.KeepFork(ctx, c.cfg.Origin, evidence[0], evidence[1]); err != nil {
		c.cfg.Logger.ErrorContext(ctx, "keeping the evidence of a fork", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evidence = nil
}

// Guard returns gateway.ErrFork when a fork is known, to this process or to the store.
func (c *Checkpoints) Guard(ctx context.Context) error {
	if err := c.knownFork(); err != nil {
		c.storeEvidence(ctx)
		return err
	}
	c.mu.Lock()
	fresh := time.Since(c.guardedAt) < guardInterval
	c.mu.Unlock()
	if fresh {
		return nil
	}
	return c.askStore(ctx)
}

func (c *Checkpoints) askStore(ctx context.Context) error {
	switch err := c.cfg.Store.Forked(ctx, c.cfg.Origin); {
	case errors.Is(err, gateway.ErrFork):
		c.refuse(err)
		return err
	case err != nil:
		return fmt.Errorf("asking the store about forks: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.guardedAt = time.Now()
	return c.fork
}
