// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc/codes"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
)

// buckets, in seconds, reach from an instant refusal to a submission that waits for several of the
// log's checkpoints.
var buckets = []float64{0.001, 0.005, 0.02, 0.1, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60}

type metrics struct {
	registry                *prometheus.Registry
	requests, calls, worked *prometheus.CounterVec
	requestTime, callTime   *prometheus.HistogramVec
	entryTime               *prometheus.HistogramVec
	halted, degraded        *prometheus.GaugeVec

	inDoubt, inDoubtElsewhere *prometheus.GaugeVec
	settled, doubled, panics  *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) (*metrics, error) {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	m := &metrics{
		registry:    registry,
		requests:    newCounter("http_requests_total", "HTTP requests, by route and status.", "method", "route", "status"),
		requestTime: newHistogram("http_request_seconds", "How long HTTP requests took, the wait for the log included.", "route"),
		calls:       newCounter("grpc_calls_total", "gRPC calls, by method and code.", "method", "code"),
		callTime:    newHistogram("grpc_call_seconds", "How long gRPC calls took, the wait for the log included.", "method"),
		worked:      newCounter("entry_attempts_total", "Attempts to log an entry, by outcome.", "log", "outcome"),
		entryTime:   newHistogram("entry_attempt_seconds", "How long attempts to log an entry took.", "log"),
		halted:      newGauge("log_halted", "1 when nothing is submitted to the log since it forked.", "log"),
		degraded:    newGauge("log_degraded", "1 while the log cannot be used, so that entries wait; /readyz says why.", "log"),

		inDoubt:          newGauge("entries_in_doubt", "Entries that may have been logged, and are looked for in the log.", "log"),
		inDoubtElsewhere: newGauge("entries_in_doubt_elsewhere", "Entries that may have been logged in a former shard of the log; they wait until it is configured again.", "log"),
		settled:          newCounter("doubts_settled_total", "Doubts that ended: found in the log, or proven absent, so that the entry is sent again.", "log", "how"),
		doubled:          newCounter("entries_doubled_total", "Entries that were met in the log a second time.", "log"),
		panics:           newCounter("panics_total", "Panics that were recovered, by the place.", "where"),
	}
	for _, c := range []prometheus.Collector{
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		m.requests, m.requestTime, m.calls, m.callTime, m.worked, m.entryTime, m.halted, m.degraded,
		m.inDoubt, m.inDoubtElsewhere, m.settled, m.doubled, m.panics,
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

const namespace = "rekor_gateway"

func newCounter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func newGauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func newHistogram(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
}

func (m *metrics) countRequest(method, route string, status int, d time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.requestTime.WithLabelValues(route).Observe(d.Seconds())
}

func (m *metrics) countCall(method string, code codes.Code, d time.Duration) {
	m.calls.WithLabelValues(method, code.String()).Inc()
	m.callTime.WithLabelValues(method).Observe(d.Seconds())
}

func (m *metrics) countPanic(where string) { m.panics.WithLabelValues(where).Inc() }

// watchMemory adds what requests hold together.
func (m *metrics) watchMemory(memory *gateway.Memory) error {
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "request_memory_bytes", Help: "What requests and connections may hold in memory, of limits.max_request_memory.",
	}, func() float64 { return float64(memory.Used()) })
	if err := m.registry.Register(held); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	return nil
}

func (m *metrics) deliveryMetrics() delivery.Metrics {
	return delivery.Metrics{
		Attempted: func(log, outcome string, d time.Duration) {
			m.worked.WithLabelValues(log, outcome).Inc()
			m.entryTime.WithLabelValues(log).Observe(d.Seconds())
		},
		Halted:   func(log string, halted bool) { setFlag(m.halted, log, halted) },
		Degraded: func(log string, degraded bool) { setFlag(m.degraded, log, degraded) },
		InDoubt: func(log string, here, elsewhere int) {
			m.inDoubt.WithLabelValues(log).Set(float64(here))
			m.inDoubtElsewhere.WithLabelValues(log).Set(float64(elsewhere))
		},
		Settled: func(log string, found, absent int) {
			m.settled.WithLabelValues(log, "found").Add(float64(found))
			m.settled.WithLabelValues(log, "absent").Add(float64(absent))
		},
		Doubled: func(log string, n int) { m.doubled.WithLabelValues(log).Add(float64(n)) },
	}
}

func setFlag(g *prometheus.GaugeVec, log string, on bool) {
	v := 0.0
	if on {
		v = 1
	}
	g.WithLabelValues(log).Set(v)
}

// watchQueue adds the store's queue for the given logs, counted when it is asked for.
func (m *metrics) watchQueue(store gateway.Store, logs []config.Log) error {
	if err := m.registry.Register(queue{store, logs}); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	return nil
}

type queue struct {
	store gateway.Store
	logs  []config.Log
}

var (
	pendingDesc      = prometheus.NewDesc(namespace+"_entries_pending", "Entries accepted and not logged yet.", []string{"log"}, nil)
	pendingBytesDesc = prometheus.NewDesc(namespace+"_entries_pending_bytes", "What is stored for them, of limits.max_pending_bytes.", []string{"log"}, nil)
	leasedDesc       = prometheus.NewDesc(namespace+"_entries_leased", "Of the pending entries, those under way to the log.", []string{"log"}, nil)
	oldestDesc       = prometheus.NewDesc(namespace+"_entries_oldest_seconds", "Age of the oldest pending entry; 0 when there is none.", []string{"log"}, nil)
)

// Describe implements prometheus.Collector.
func (q queue) Describe(out chan<- *prometheus.Desc) {
	out <- pendingDesc
	out <- pendingBytesDesc
	out <- leasedDesc
	out <- oldestDesc
}

// Collect implements prometheus.Collector.
func (q queue) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	stats, err := q.store.Stats(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(pendingDesc, err)
		return
	}
	for _, l := range q.logs {
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, l.ID)
		}
		gauge(pendingDesc, float64(stats.Pending[l.ID]))
		gauge(pendingBytesDesc, float64(stats.PendingBytes[l.ID]))
		gauge(leasedDesc, float64(stats.Leased[l.ID]))
		gauge(oldestDesc, stats.Oldest[l.ID].Seconds())
	}
}
