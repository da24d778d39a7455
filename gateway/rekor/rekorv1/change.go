// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// Change is another configuration of a log, opened and not in use yet. It is applied or discarded, once, and before the next one is prepared.
type Change struct {
	log    *Log
	cfg    Config
	client *http.Client
	trees  []*tree
	opened []*tree // of those, what this change opened
}

// PrepareChange opens what cfg names. Trees that stay at their URL go on.
func (l *Log) PrepareChange(cfg Config) (*Change, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", cfg.ID, err)
	}
	if cfg.ID != l.id {
		return nil, fmt.Errorf("log %s cannot become log %s", l.id, cfg.ID)
	}
	l.mu.RLock()
	known := l.state
	l.mu.RUnlock()
	c := &Change{log: l, cfg: cfg, client: known.client}
	same := known.client != nil && known.cfg.URL == cfg.URL
	if !same {
		c.client = newClient(cfg)
	}
	for i, want := range cfg.Trees {
		at := slices.IndexFunc(known.trees, func(t *tree) bool { return same && t.current == (i == 0) && t.isFor(want) })
		if at >= 0 {
			c.trees = append(c.trees, known.trees[at])
			continue
		}
		t, err := l.openTree(cfg, want, i == 0, c.client)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), c.Discard())
		}
		c.trees, c.opened = append(c.trees, t), append(c.opened, t)
	}
	return c, nil
}

// Shard returns the one that is written to once the change is applied.
func (c *Change) Shard() gateway.Shard { return c.trees[0].name }

// Size returns that shard's size; see gateway.Log.
func (c *Change) Size(ctx context.Context) (uint64, error) {
	cp, err := c.trees[0].checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	return cp.Size, nil
}

// Apply puts the change into use. Calls under way to what was taken away end in doubt, and are settled.
func (c *Change) Apply() {
	l := c.log
	l.mu.Lock()
	gone := l.state
	l.state = state{cfg: c.cfg, client: c.client, trees: c.trees}
	l.mu.Unlock()
	for _, t := range gone.trees {
		if !slices.Contains(c.trees, t) {
			t.checkpoints.Close()
		}
	}
	if gone.client != nil && gone.client != c.client {
		gone.client.CloseIdleConnections()
	}
}

// Discard closes what the change opened.
func (c *Change) Discard() error {
	for _, t := range c.opened {
		t.checkpoints.Close()
	}
	return nil
}

// openTree returns a tree; it does not connect yet.
func (l *Log) openTree(cfg Config, want Tree, current bool, client *http.Client) (t *tree, err error) {
	t = &tree{
		Tree: want, name: want.name(), current: current, api: api{base: cfg.baseOf(want), client: client, timeout: cfg.ReadTimeout, answers: l.answers, spare: &l.spare, userAgent: cfg.UserAgent},
		requestTimeout: cfg.RequestTimeout, seen: logmetrics.Shard{Now: cfg.Now},
	}
	t.checkpoints, err = tiles.NewCheckpoints(tiles.CheckpointsConfig{
		Shard: t.name, Verifier: want.Log.Verifier, Store: l.store, Reader: t, Logger: l.logger, Size: t.seen.NoteSize, Forked: t.seen.NoteFork,
	})
	return t, err
}

// isFor reports whether a tree as configured now can go on with what is open.
func (t *tree) isFor(c Tree) bool {
	return t.name == c.name() && t.Closed == c.Closed && t.URL == c.URL && t.Log.Start.Equal(c.Log.Start) && t.Log.End.Equal(c.Log.End)
}
