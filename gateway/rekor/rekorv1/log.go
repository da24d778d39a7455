// SPDX-License-Identifier: Apache-2.0

// Package rekorv1 writes to and reads from one Rekor v1 log, over its HTTP API.
//
// A log has trees, of which one is written to at a time; each is a shard, with the origin "HOST - TREE". Nothing that the log says counts
// before it is verified: the entry is what was sent, its inclusion proof leads to a checkpoint with the log's signature, that checkpoint is
// consistent with the last one kept, and the log's promise (signed entry timestamp) of the entry, its time and its index is right.
//
// There are no tiles, so that absence cannot be proven: it is the log's word, and says nothing of what the log has not integrated yet. What is in
// doubt is asked for by its hash. A tree takes no entry twice, however long ago it was logged, and answers with the one that is there.
package rekorv1

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// Log is one Rekor v1 log with its trees. It is safe for concurrent use.
type Log struct {
	id     string
	store  gateway.Checkpoints
	logger *slog.Logger

	metrics *logmetrics.Metrics
	answers logmetrics.Answers
	spare   spare

	mu    sync.RWMutex // guards what follows
	state state
}

// state is what a change of the configuration changes.
type state struct {
	cfg    Config
	client *http.Client
	trees  []*tree // as cfg.Trees
	closed bool
}

var _ gateway.Log = (*Log)(nil)

// New returns the log; it does not connect yet. The store keeps its checkpoints. Metrics are registered with reg, labelled with the log's ID.
func New(cfg Config, store gateway.Checkpoints, logger *slog.Logger, reg prometheus.Registerer) (*Log, error) {
	l := &Log{id: cfg.ID, store: store, logger: logger.With("log", cfg.ID), answers: logmetrics.NewAnswers()}
	change, err := l.PrepareChange(cfg)
	if err != nil {
		return nil, err
	}
	if l.metrics, err = logmetrics.New(cfg.ID, l.answers, l.watchCurrent, reg); err != nil {
		return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), change.Discard())
	}
	change.Apply()
	return l, nil
}

// Close ends idle connections, and proofs under way. The log is not used any more.
func (l *Log) Close() error {
	l.mu.Lock()
	l.state.closed = true
	now := l.state
	l.mu.Unlock()
	for _, t := range now.trees {
		t.checkpoints.Close()
	}
	now.client.CloseIdleConnections()
	l.metrics.Unregister()
	return nil
}

// watchCurrent returns what is seen of the current tree, for metrics; nil once the log is closed.
func (l *Log) watchCurrent() *logmetrics.Shard {
	s := l.use()
	if s.closed || len(s.trees) == 0 {
		return nil
	}
	return &s.trees[0].seen
}

// use returns what the log is now.
func (l *Log) use() state {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state
}

// current returns the tree that is written to, the first one, and whether its key is in use and still trusted.
func (s state) current() (t *tree, writable bool) {
	now := s.cfg.Now()
	t = s.trees[0]
	inUse := !t.Log.Start.After(now) && (t.Log.End.IsZero() || t.Log.End.After(now))
	return t, !s.closed && inUse && (s.cfg.TrustedUntil.IsZero() || now.Before(s.cfg.TrustedUntil))
}

// findTree returns a tree by its name.
func (l *Log) findTree(name gateway.Shard) (*tree, error) {
	s := l.use()
	for _, t := range s.trees {
		if t.name == name && !s.closed {
			return t, nil
		}
	}
	return nil, fmt.Errorf("%w: the tree %s with key id %x is not configured", gateway.ErrUnavailable, name.Origin, name.KeyID[:4])
}

// Describe implements gateway.Log.
func (l *Log) Describe() gateway.LogInfo {
	s := l.use()
	t, writable := s.current()
	return gateway.LogInfo{
		ID: l.id, Shard: t.name, APIVersion: 1, Retired: !writable, IntegrationDelay: s.cfg.IntegrationDelay,
		InlineMax: s.cfg.InlineMax, ByHash: true,
	}
}

// Former implements gateway.Log.
func (l *Log) Former() []gateway.FormerShard {
	var former []gateway.FormerShard
	for _, t := range l.use().trees[1:] {
		former = append(former, gateway.FormerShard{Shard: t.name, Closed: t.Closed})
	}
	return former
}

// TreeOf implements gateway.Log: no tree of Rekor v1 goes on in another.
func (l *Log) TreeOf(_ context.Context, name gateway.Shard) (gateway.Shard, error) {
	_, err := l.findTree(name)
	if err != nil {
		return gateway.Shard{}, err
	}
	return name, nil
}

// Size implements gateway.Log.
func (l *Log) Size(ctx context.Context, name gateway.Shard) (size uint64, err error) {
	defer func(start time.Time) { l.metrics.ObserveCall(logmetrics.CallSize, start, err) }(time.Now())
	t, err := l.findTree(name)
	if err != nil {
		return 0, err
	}
	cp, err := t.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	t.seen.NoteRead()
	return cp.Size, nil
}

// Accepts implements gateway.Log.
func (l *Log) Accepts(o gateway.Offer) error { return accepts(o, l.use().cfg.InlineMax) }

// Prepare implements gateway.Log.
func (l *Log) Prepare(o gateway.Offer) (gateway.Prepared, *receiptpb.LogEntry, error) {
	if o.Whole != nil {
		return prepareWhole(l.id, o.Whole, l.use().cfg.InlineMax)
	}
	return recording.Prepare(l.id, hashedrekord.RekorV1, o)
}
