// SPDX-License-Identifier: Apache-2.0

package logmetrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Shard is what is seen of a shard's checkpoints. It is safe for concurrent use.
type Shard struct {
	Now func() time.Time

	size atomic.Uint64 // of the largest checkpoint verified
	// When a checkpoint was read and verified, and when size changed, Unix seconds; 0: not yet.
	readAt, grownAt atomic.Int64
	forked          atomic.Bool
}

// NoteFork notes that the shard has signed checkpoints that contradict each other.
func (s *Shard) NoteFork() { s.forked.Store(true) }

// NoteSize notes the size of the largest checkpoint verified.
func (s *Shard) NoteSize(size uint64) {
	if s.size.Swap(size) != size || s.grownAt.Load() == 0 {
		s.grownAt.Store(s.Now().Unix())
	}
}

// Size returns that size; 0 before the first.
func (s *Shard) Size() uint64 { return s.size.Load() }

// NoteRead notes that the log's checkpoint was read now, and verified.
func (s *Shard) NoteRead() { s.readAt.Store(s.Now().Unix()) }

// checkpointTimes shows when the current shard's checkpoint was read, and when it had grown. Before the first one there
// is nothing to show.
type checkpointTimes struct{ current func() *Shard }

var (
	readDesc = prometheus.NewDesc("rekor_gateway_log_checkpoint_read_timestamp_seconds",
		"When a checkpoint of the log's current shard was last read and verified, Unix time.", nil, nil)
	grownDesc = prometheus.NewDesc("rekor_gateway_log_checkpoint_grown_timestamp_seconds",
		"When the largest verified checkpoint of the log's current shard was first seen, Unix time.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c checkpointTimes) Describe(out chan<- *prometheus.Desc) {
	out <- readDesc
	out <- grownDesc
}

// Collect implements prometheus.Collector.
func (c checkpointTimes) Collect(out chan<- prometheus.Metric) {
	s := c.current()
	if s == nil {
		return
	}
	for desc, at := range map[*prometheus.Desc]int64{readDesc: s.readAt.Load(), grownDesc: s.grownAt.Load()} {
		if at != 0 {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(at))
		}
	}
}
