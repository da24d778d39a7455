// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Change is another configuration of a log, opened and not in use yet. It is applied or discarded, once, and before the next
// one is prepared.
type Change struct {
	log    *Log
	cfg    Config
	shards []*shard
	opened []*shard // of those, what this change opened
}

// PrepareChange opens what cfg names. Shards that stay go on with their connections.
func (l *Log) PrepareChange(cfg Config) (*Change, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", cfg.ID, err)
	}
	if cfg.ID != l.id {
		return nil, fmt.Errorf("log %s cannot become log %s", l.id, cfg.ID)
	}
	l.mu.RLock()
	known := l.shards
	l.mu.RUnlock()
	c := &Change{log: l, cfg: cfg}
	for _, want := range cfg.Shards {
		at := slices.IndexFunc(known, func(s *shard) bool { return s.isFor(want) })
		if at >= 0 {
			c.shards = append(c.shards, known[at])
			continue
		}
		s, err := l.openShard(cfg, want)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), c.Discard())
		}
		c.shards, c.opened = append(c.shards, s), append(c.opened, s)
	}
	return c, nil
}

// Shard returns the one that is written to once the change is applied.
func (c *Change) Shard() gateway.Shard { return c.current().name }

func (c *Change) current() *shard {
	at, _ := chooseCurrent(c.cfg.Shards, c.cfg.Now())
	return c.shards[at]
}

// Size returns that shard's size; see gateway.Log.
func (c *Change) Size(ctx context.Context) (uint64, error) {
	cp, err := c.current().checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	return cp.Size, nil
}

// Apply puts the change into use. What was taken away is closed once the calls to it are over.
func (c *Change) Apply() {
	l := c.log
	l.mu.Lock()
	defer l.mu.Unlock()
	gone := l.shards
	l.cfg, l.shards = c.cfg, c.shards
	for _, s := range gone {
		if !slices.Contains(l.shards, s) {
			l.closing.Go(func() { l.closeLater(s) })
		}
	}
}

// closeLater closes a shard once the calls to it are over, or the log is closed.
func (l *Log) closeLater(s *shard) {
	over := make(chan struct{})
	go func() { s.calls.Wait(); close(over) }()
	select {
	case <-over:
	case <-l.stop:
	}
	if err := s.closeShard(); err != nil {
		l.logger.Warn("closing the connections of a former shard", "origin", s.name.Origin, "error", err)
	}
	<-over
}

// Discard closes what the change opened.
func (c *Change) Discard() error {
	var errs []error
	for _, s := range c.opened {
		errs = append(errs, s.closeShard())
	}
	return errors.Join(errs...)
}
