// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TreeOf implements gateway.Log. A tree can go on under another key of the same origin alone. What was proven once
// is not asked again.
func (l *Log) TreeOf(ctx context.Context, name gateway.Shard) (gateway.Shard, error) {
	s, done, err := l.useShard(name)
	if err != nil {
		return gateway.Shard{}, err
	}
	defer done()
	if proven := s.goesOnIn.Load(); proven != nil {
		if _, over, err := l.useShard(*proven); err == nil {
			over()
			return *proven, nil
		}
	}
	for _, other := range l.listSuccessors(s) {
		if l.isSameTree(ctx, s, other) {
			s.goesOnIn.Store(&other)
			return other, nil
		}
	}
	return name, nil
}

// listSuccessors returns shards of the same origin with other keys, the current one first. There is none for the current
// one itself.
func (l *Log) listSuccessors(s *shard) []gateway.Shard {
	l.mu.RLock()
	defer l.mu.RUnlock()
	current, _ := l.currentLocked()
	if s == current || current == nil {
		return nil
	}
	var others []gateway.Shard
	if current.name.Origin == s.name.Origin {
		others = append(others, current.name)
	}
	l.eachFormer(func(other *shard, _ bool) {
		if other != s && other.name.Origin == s.name.Origin {
			others = append(others, other.name)
		}
	})
	return others
}

// isSameTree reports whether it can be shown now that the tree of s goes on in that of another shard.
func (l *Log) isSameTree(ctx context.Context, s *shard, name gateway.Shard) bool {
	other, done, err := l.useShard(name)
	if err != nil {
		return false
	}
	defer done()
	goesOn, err := other.checkpoints.ContinuesTree(ctx, s.checkpoints)
	if err != nil {
		l.logger.Debug("a tree is not shown to go on under another key", "origin", name.Origin, "error", err)
		return false
	}
	if goesOn {
		l.logger.Info("the tree goes on under another key: what is in doubt is looked for there", "origin", name.Origin)
	}
	return goesOn
}
