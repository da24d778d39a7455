// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"slices"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// maxCovering bounds the anchors that are remembered: receipts are asked for soon after their anchor.
const maxCovering = 16

// coveringAnchors remembers which anchor covers a record, since thousands have the same. It is safe for concurrent use.
type coveringAnchors struct {
	mu   sync.Mutex
	list []coveringAnchor // the one found last at the end; guarded by mu
}

// coveringAnchor is the smallest anchor of all records from an index on, up to its size.
type coveringAnchor struct {
	from   uint64
	anchor gateway.OwnAnchor
}

// find returns ok false where nothing is known of the record.
func (c *coveringAnchors) find(index uint64) (a gateway.OwnAnchor, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, known := range slices.Backward(c.list) {
		if known.from <= index && index < known.anchor.Size {
			return known.anchor, true
		}
	}
	return a, false
}

// add notes that a is the smallest anchor that covers the record: no other one is as small for those between that and its size.
func (c *coveringAnchors) add(index uint64, a gateway.OwnAnchor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.list {
		if c.list[i].anchor == a {
			c.list[i].from = min(c.list[i].from, index)
			return
		}
	}
	if len(c.list) == maxCovering {
		c.list = slices.Delete(c.list, 0, 1)
	}
	c.list = append(c.list, coveringAnchor{index, a})
}

// findAnchor returns the smallest anchor that covers a record, as far as it is the smallest still: each one proves it.
func (l *Reader) findAnchor(ctx context.Context, index uint64) (gateway.OwnAnchor, error) {
	if a, ok := l.covering.find(index); ok {
		return a, nil
	}
	a, err := l.store.OwnAnchor(ctx, l.id, index)
	if err == nil {
		l.covering.add(index, a)
	}
	return a, err
}
