// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// metrics are all that the gateway counts, by subject: each has a file of its own, metrics_*.go. Those of one log
// are its adapter's. docs/metrics.md lists them all; a test holds it to what a gateway serves.
//
// A label takes its values from a closed list, or from names in the configuration: never from callers.
type metrics struct {
	registry    *prometheus.Registry
	requests    *requestMetrics
	submissions *submissionMetrics
	delivery    *deliveryMetrics
	store       *storeMetrics
	audit       *auditMetrics
	reload      *reloadMetrics
	ready       prometheus.Gauge
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	m := &metrics{
		registry: registry, requests: newRequestMetrics(), submissions: newSubmissionMetrics(), delivery: newDeliveryMetrics(), store: newStoreMetrics(), audit: newAuditMetrics(), reload: newReloadMetrics(),
		ready: prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: "ready", Help: "1 while submissions can be taken, as /readyz says."}),
	}
	return m, m.register(slices.Concat(
		[]prometheus.Collector{collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), m.ready},
		m.requests.list(), m.submissions.list(), m.delivery.list(), m.store.list(), m.audit.list(), m.reload.list(),
	)...)
}

func (m *metrics) register(all ...prometheus.Collector) error {
	for _, c := range all {
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("registering metrics: %w", err)
		}
	}
	return nil
}

const namespace = "rekor_gateway"

// Buckets, in seconds: of what is done here, down to the fsync of a fast disk, and of what waits for the log, up to a
// submission that waits for several of its checkpoints.
var (
	workBuckets = []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60}
	waitBuckets = []float64{0.001, 0.005, 0.02, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60}
)

func newCounter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func newGauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func newHistogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

// newReading is a gauge that is read when it is asked for.
func newReading(name, help string, read func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, read)
}

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
