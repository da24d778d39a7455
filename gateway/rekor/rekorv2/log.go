// SPDX-License-Identifier: Apache-2.0

// Package rekorv2 writes to and reads from one Rekor v2 log (rekor-tiles): entries go over
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
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// userAgent is the User-Agent header of all requests to the log.
const userAgent = "rekor-gateway"

// Log is one Rekor v2 log, that is, one shard. It is safe for concurrent use.
type Log struct {
	cfg         Config
	writers     *writers
	reader      *tiles.Reader
	checkpoints *tiles.Checkpoints
	metrics     *metrics
}

var _ gateway.Log = (*Log)(nil)

// New returns the log; it does not connect yet. The store keeps its checkpoints. Metrics are
// registered with reg, labelled with the log's ID.
func New(cfg Config, store gateway.Checkpoints, logger *slog.Logger, reg prometheus.Registerer) (*Log, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	reader, err := tiles.NewReader(tiles.ReaderConfig{
		URL: cfg.ReadURL, RootCAs: cfg.RootCAs, UserAgent: userAgent, Timeout: cfg.ReadTimeout, MaxBundle: maxBundle,
	})
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", cfg.ID, err)
	}
	writers, err := newWriters(cfg)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", cfg.ID, err)
	}
	metrics, err := newMetrics(cfg.ID, reg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), writers.closeConns())
	}
	checkpoints, err := tiles.NewCheckpoints(tiles.CheckpointsConfig{
		Shard: cfg.shard(), Verifier: cfg.Verifier, Store: store, Reader: reader,
		Logger: logger.With("log", cfg.ID),
		Size:   func(size uint64) { metrics.size.Set(float64(size)) },
		Forked: func() { metrics.forked.Set(1) },
	})
	if err != nil {
		metrics.unregisterMetrics()
		return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), writers.closeConns())
	}
	return &Log{cfg: cfg, writers: writers, reader: reader, metrics: metrics, checkpoints: checkpoints}, nil
}

// Close ends all connections, calls under way among them.
func (l *Log) Close() error {
	l.checkpoints.Close()
	l.reader.Close()
	l.metrics.unregisterMetrics()
	return l.writers.closeConns()
}

// Describe implements gateway.Log.
func (l *Log) Describe() gateway.LogInfo {
	return gateway.LogInfo{ID: l.cfg.ID, Shard: l.cfg.shard(), APIVersion: 2, IntegrationDelay: l.cfg.IntegrationDelay}
}

// Size implements gateway.Log.
func (l *Log) Size(ctx context.Context) (size uint64, err error) {
	defer func(start time.Time) { l.metrics.observeCall(callSize, start, err) }(time.Now())
	cp, err := l.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return 0, err
	}
	return cp.Size, nil
}

// Find implements gateway.Log.
func (l *Log) Find(ctx context.Context, leaves []gateway.LeafHash, from, to uint64) (out gateway.Found, err error) {
	defer func(start time.Time) { l.metrics.observeCall(callFind, start, err) }(time.Now())
	cp, err := l.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return gateway.Found{}, err
	}
	tree, err := tiles.NewTree(cp, l.reader)
	if err != nil {
		return gateway.Found{}, err
	}
	searched, err := tree.Find(ctx, leaves, from, to)
	out = gateway.Found{
		Inclusions: make(map[gateway.LeafHash]*gateway.Inclusion, len(searched.Found)), AbsentTo: searched.AbsentTo, Doubled: searched.Doubled,
	}
	for leaf, f := range searched.Found {
		inclusion, err := l.newInclusion(cp, f.Index, f.Hashes)
		if err != nil {
			return gateway.Found{}, err
		}
		out.Inclusions[leaf] = inclusion
	}
	return out, err
}
