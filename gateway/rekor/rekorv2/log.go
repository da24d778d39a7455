// SPDX-License-Identifier: Apache-2.0

// Package rekorv2 writes to and reads from one Rekor v2 log (rekor-tiles): entries go over
// gRPC, checkpoints and proofs come from the log's tiles (C2SP tlog-tiles).
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
)

// userAgent is how the log's operator sees us.
const userAgent = "rekor-gateway"

// Log is one Rekor v2 log, that is, one shard. It is safe for concurrent use.
type Log struct {
	cfg         Config
	writers     *writers
	reader      *reader
	checkpoints *tracker
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
	reader, err := newReader(cfg)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", cfg.ID, err)
	}
	writers, err := newWriters(cfg)
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", cfg.ID, err)
	}
	metrics, err := newMetrics(cfg.ID, reg)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log %s: %w", cfg.ID, err), writers.close())
	}
	logger = logger.With("log", cfg.ID)
	return &Log{
		cfg: cfg, writers: writers, reader: reader, metrics: metrics,
		checkpoints: newTracker(cfg, store, reader, logger, metrics),
	}, nil
}

// Close ends all connections, calls under way among them.
func (l *Log) Close() error {
	l.checkpoints.close()
	l.reader.close()
	l.metrics.close()
	return l.writers.close()
}

// Describe implements gateway.Log.
func (l *Log) Describe() gateway.LogInfo {
	return gateway.LogInfo{ID: l.cfg.ID, Origin: l.cfg.Origin, APIVersion: 2}
}

// Size implements gateway.Log.
func (l *Log) Size(ctx context.Context) (size uint64, err error) {
	defer func(start time.Time) { l.metrics.observe(callSize, start, err) }(time.Now())
	cp, err := l.current(ctx)
	if err != nil {
		return 0, err
	}
	return cp.Size, nil
}

// current fetches the log's checkpoint, verifies it, and returns it or the kept one, whichever
// is larger: a cache in front of the tiles may be behind what answers have shown, to this
// process or to another.
func (l *Log) current(ctx context.Context) (*gateway.Checkpoint, error) {
	if err := l.checkpoints.guard(ctx); err != nil {
		return nil, err
	}
	raw, err := l.reader.checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	cp, err := l.checkpoints.accept(ctx, raw)
	if err != nil {
		return nil, err
	}
	kept, err := l.checkpoints.kept(ctx)
	if err != nil {
		return nil, err
	}
	if kept != nil && kept.Size > cp.Size {
		return kept, nil
	}
	return cp, nil
}
