// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// storeMetrics are of the transactions that accepting and delivering consist of.
type storeMetrics struct {
	batch, took *prometheus.HistogramVec
	failures    *prometheus.CounterVec
	spooled     *prometheus.GaugeVec // artifacts and their bytes
}

// The operations of the store that are measured.
const (
	opCommit = "commit" // of submissions
	opSpool  = "spool"  // of parts of artifacts; the others are of entries
	opClaim  = "claim"
	opFinish = "finish"
	opSettle = "settle"
)

func newStoreMetrics() *storeMetrics {
	m := &storeMetrics{
		batch: newHistogram("store_batch_size", "Submissions (commit), parts of an artifact (spool), or entries (claim, finish, settle) in one transaction of the store.",
			[]float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}, "operation"),
		took:     newHistogram("store_operation_seconds", "How long those transactions took, the fsync included.", workBuckets, "operation"),
		failures: newCounter("store_failures_total", "Transactions of the store that failed.", "operation"),
		spooled:  newGauge("spooled_artifacts", "Artifacts in the store that wait to be sent with their entries, or are being spooled (unit artifacts), and their bytes (unit bytes); the bytes of those that wait count in limits.max_pending_bytes.", "unit"),
	}
	for _, op := range []string{opCommit, opSpool, opClaim, opFinish, opSettle} {
		m.batch.WithLabelValues(op)
		m.took.WithLabelValues(op)
		m.failures.WithLabelValues(op)
	}
	return m
}

func (m *storeMetrics) list() []prometheus.Collector {
	return []prometheus.Collector{m.batch, m.took, m.failures, m.spooled}
}

// noteBlobs notes what is spooled.
func (m *storeMetrics) noteBlobs(swept gateway.SweptBlobs) {
	m.spooled.WithLabelValues("artifacts").Set(float64(swept.Blobs))
	m.spooled.WithLabelValues("bytes").Set(float64(swept.Bytes))
}

// observe notes a transaction of n submissions or entries. One that did nothing, or was ended from here, says nothing.
func (m *storeMetrics) observe(ctx context.Context, op string, n int, started time.Time, err error) {
	switch {
	case err != nil && !errors.Is(err, gateway.ErrLeaseLost):
		if ctx.Err() == nil {
			m.failures.WithLabelValues(op).Inc()
		}
	case n > 0:
		m.batch.WithLabelValues(op).Observe(float64(n))
		m.took.WithLabelValues(op).Observe(time.Since(started).Seconds())
	}
}

// measuredStore is a store whose transactions are measured.
type measuredStore struct {
	Store
	metrics *storeMetrics
}

// Enqueue implements gateway.Store.
func (s measuredStore) Enqueue(ctx context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	started := time.Now()
	stored, err := s.Store.Enqueue(ctx, subs)
	s.metrics.observe(ctx, opCommit, len(subs), started, err)
	return stored, err
}

// AppendBlob implements gateway.Store. That there is no room, or that the blob is gone, is no failure.
func (s measuredStore) AppendBlob(ctx context.Context, id gateway.BlobID, part int, data []byte) error {
	started := time.Now()
	err := s.Store.AppendBlob(ctx, id, part, data)
	if !errors.Is(err, gateway.ErrQueueFull) && !errors.Is(err, gateway.ErrBlobGone) {
		s.metrics.observe(ctx, opSpool, 1, started, err)
	}
	return err
}

// Claim implements gateway.Store.
func (s measuredStore) Claim(ctx context.Context, p gateway.ClaimParams) ([]gateway.Claimed, error) {
	started := time.Now()
	claimed, err := s.Store.Claim(ctx, p)
	s.metrics.observe(ctx, opClaim, len(claimed), started, err)
	return claimed, err
}

// Finish implements gateway.Store.
func (s measuredStore) Finish(ctx context.Context, outcomes []gateway.Outcome) ([]gateway.Progress, error) {
	started := time.Now()
	changed, err := s.Store.Finish(ctx, outcomes)
	s.metrics.observe(ctx, opFinish, len(outcomes), started, err)
	return changed, err
}

// Settle implements gateway.Store.
func (s measuredStore) Settle(ctx context.Context, settlements []gateway.Settlement) ([]gateway.Progress, error) {
	started := time.Now()
	changed, err := s.Store.Settle(ctx, settlements)
	s.metrics.observe(ctx, opSettle, len(settlements), started, err)
	return changed, err
}

// storeFiles shows how large the files of a SQLite store are, and nothing of another one.
type storeFiles struct{ path string }

var storeBytesDesc = newDesc("store_bytes", "Size of the store's files: the database, and what SQLite has not moved into it yet (wal).", "file")

// Describe implements prometheus.Collector.
func (s storeFiles) Describe(out chan<- *prometheus.Desc) { out <- storeBytesDesc }

// Collect implements prometheus.Collector.
func (s storeFiles) Collect(out chan<- prometheus.Metric) {
	if s.path == "" {
		return
	}
	for name, path := range map[string]string{"database": s.path, "wal": s.path + "-wal"} {
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		out <- prometheus.MustNewConstMetric(storeBytesDesc, prometheus.GaugeValue, float64(info.Size()), name)
	}
}
