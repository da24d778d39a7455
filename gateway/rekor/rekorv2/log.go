// SPDX-License-Identifier: Apache-2.0

// Package rekorv2 writes to and reads from one Rekor v2 log (rekor-tiles), shard by shard: entries go over
// gRPC, checkpoints and proofs come from the log's tiles (package tiles).
//
// Nothing that the log says counts before it is verified: the entry is what was sent, the
// inclusion proof leads to a checkpoint with the log's signature, and that checkpoint is
// consistent with the last one kept. The tiles' host is not trusted for anything: wrong tiles
// make an answer bad, but only two checkpoints, both signed by the log, can make a fork.
package rekorv2

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// Log is one Rekor v2 log with its shards. It is safe for concurrent use.
type Log struct {
	id      string
	store   gateway.Checkpoints
	logger  *slog.Logger
	metrics *logmetrics.Metrics
	answers answerCounter

	stop    chan struct{}  // closed by Close
	closing sync.WaitGroup // of shards that were taken away

	mu     sync.RWMutex // guards what follows
	cfg    Config
	shards []*shard // as in cfg; none once it is closed
}

var _ gateway.Log = (*Log)(nil)

// New returns the log; it does not connect yet. The store keeps its checkpoints. Metrics are
// registered with reg, labelled with the log's ID.
func New(cfg Config, store gateway.Checkpoints, logger *slog.Logger, reg prometheus.Registerer) (*Log, error) {
	l := &Log{id: cfg.ID, store: store, logger: logger.With("log", cfg.ID), stop: make(chan struct{}), answers: answerCounter{logmetrics.NewAnswers()}}
	change, err := l.PrepareChange(cfg)
	if err != nil {
		return nil, err
	}
	if l.metrics, err = logmetrics.New(l.id, l.answers.Answers, l.watchCurrent, reg); err != nil {
		return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), change.Discard())
	}
	change.Apply()
	return l, nil
}

// Close ends all connections, calls under way among them.
func (l *Log) Close() error {
	close(l.stop)
	l.mu.Lock()
	shards := l.shards
	l.shards = nil
	l.mu.Unlock()
	var errs []error
	for _, s := range shards {
		errs = append(errs, s.closeShard())
	}
	l.closing.Wait()
	l.metrics.Unregister()
	return errors.Join(errs...)
}

// currentLocked returns the shard that is written to now, or, with writable false, the last one that was. It is nil once
// the log is closed. The caller holds the lock.
func (l *Log) currentLocked() (current *shard, writable bool) {
	if l.shards == nil {
		return nil, false
	}
	now := l.cfg.Now()
	at, writable := chooseCurrent(l.cfg.Shards, now)
	return l.shards[at], writable && (l.cfg.TrustedUntil.IsZero() || now.Before(l.cfg.TrustedUntil))
}

// current returns what currentLocked does.
func (l *Log) current() (*shard, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.currentLocked()
}

// watchCurrent returns what is seen of the current shard, for metrics; nil once the log is closed.
func (l *Log) watchCurrent() *logmetrics.Shard {
	s, _ := l.current()
	if s == nil {
		return nil
	}
	return &s.seen
}

// eachFormer calls f with each shard that can be read and is not the current one. The caller holds the lock.
func (l *Log) eachFormer(f func(s *shard, closed bool)) {
	current, _ := l.currentLocked()
	now := l.cfg.Now()
	for i, s := range l.shards {
		if c := l.cfg.Shards[i]; s != current && c.rankAt(now) != notBegun {
			f(s, c.Closed)
		}
	}
}

// findLocked returns a shard that can be read, or nil. The caller holds the lock.
func (l *Log) findLocked(name gateway.Shard) *shard {
	found, _ := l.currentLocked()
	if found != nil && found.name == name {
		return found
	}
	found = nil
	l.eachFormer(func(s *shard, _ bool) {
		if s.name == name {
			found = s
		}
	})
	return found
}

// useShard returns a shard that can be read, and what ends its use. Its connections stay open until then.
func (l *Log) useShard(name gateway.Shard) (*shard, func(), error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s := l.findLocked(name)
	if s == nil {
		return nil, nil, errNotConfigured(name)
	}
	s.calls.Add(1)
	return s, s.calls.Done, nil
}

// Describe implements gateway.Log.
func (l *Log) Describe() gateway.LogInfo {
	l.mu.RLock()
	defer l.mu.RUnlock()
	info := gateway.LogInfo{ID: l.id, APIVersion: 2, IntegrationDelay: l.cfg.IntegrationDelay}
	if s, writable := l.currentLocked(); s != nil {
		info.Shard, info.Retired = s.name, !writable
	}
	return info
}

// Former implements gateway.Log. A shard whose key is not in use yet is none.
func (l *Log) Former() []gateway.FormerShard {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var former []gateway.FormerShard
	l.eachFormer(func(s *shard, closed bool) {
		former = append(former, gateway.FormerShard{Shard: s.name, Closed: closed})
	})
	return former
}

// Size implements gateway.Log.
func (l *Log) Size(ctx context.Context, name gateway.Shard) (size uint64, err error) {
	defer func(start time.Time) { l.metrics.ObserveCall(logmetrics.CallSize, start, err) }(time.Now())
	s, done, err := l.useShard(name)
	if err != nil {
		return 0, err
	}
	defer done()
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	s.seen.NoteRead()
	return cp.Size, nil
}

// Find implements gateway.Log.
func (l *Log) Find(ctx context.Context, name gateway.Shard, leaves []gateway.LeafHash, from, to uint64) (out gateway.Found, err error) {
	defer func(start time.Time) { l.metrics.ObserveCall(logmetrics.CallFind, start, err) }(time.Now())
	s, done, err := l.useShard(name)
	if err != nil {
		return gateway.Found{}, err
	}
	defer done()
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return gateway.Found{}, err
	}
	tree, err := tiles.NewTree(cp, s.reader)
	if err != nil {
		return gateway.Found{}, err
	}
	searched, err := tree.Find(ctx, leaves, from, to)
	out = gateway.Found{
		Inclusions: make(map[gateway.LeafHash]*gateway.Inclusion, len(searched.Found)), AbsentTo: searched.AbsentTo, Doubled: searched.Doubled,
	}
	for leaf, f := range searched.Found {
		inclusion, err := s.newInclusion(cp, f.Index, f.Hashes)
		if err != nil {
			return gateway.Found{}, err
		}
		out.Inclusions[leaf] = inclusion
	}
	return out, err
}

// EachEntry implements gateway.EntryReader.
func (l *Log) EachEntry(ctx context.Context, name gateway.Shard, from uint64, f func(index uint64, body []byte) error) error {
	s, done, err := l.useShard(name)
	if err != nil {
		return err
	}
	defer done()
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return err
	}
	tree, err := tiles.NewTree(cp, s.reader)
	if err != nil {
		return err
	}
	return tree.EachEntry(ctx, from, f)
}
