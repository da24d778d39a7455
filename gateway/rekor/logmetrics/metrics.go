// SPDX-License-Identifier: Apache-2.0

// Package logmetrics are the metrics of a log, the same for every adapter.
package logmetrics

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// The calls that metrics tell apart.
const (
	CallAdd  = "add"
	CallFind = "find"
	CallSize = "size"
)

// Metrics are one log's. They are safe for concurrent use.
type Metrics struct {
	reg     prometheus.Registerer
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	size    prometheus.GaugeFunc
	forked  prometheus.GaugeFunc
	answers Answers
	times   checkpointTimes
}

// New registers the metrics of the log called id. Current returns what is seen of the shard that is written to now, or nil once the log is closed.
func New(id string, answers Answers, current func() *Shard, reg prometheus.Registerer) (*Metrics, error) {
	of := gauges{current}
	m := &Metrics{
		reg: prometheus.WrapRegistererWith(prometheus.Labels{"log": id}, reg),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rekor_gateway_log_calls_total",
			Help: "Calls to the transparency log, by kind and outcome.",
		}, []string{"call", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "rekor_gateway_log_call_seconds",
			Help:    "How long calls to the transparency log took, verification included.",
			Buckets: []float64{0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 15, 20, 30, 60},
		}, []string{"call"}),
		size: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rekor_gateway_log_checkpoint_size",
			Help: "Size of the log's current shard at the largest checkpoint verified.",
		}, of.checkpointSize),
		forked: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "rekor_gateway_log_forked",
			Help: "1 when the log's current shard signed checkpoints that contradict each other; nothing more is submitted to it.",
		}, of.isForked),
		answers: answers, times: checkpointTimes{current},
	}
	for _, c := range m.listCollectors() {
		if err := m.reg.Register(c); err != nil {
			return nil, fmt.Errorf("registering metrics: %w", err)
		}
	}
	return m, nil
}

func (m *Metrics) listCollectors() []prometheus.Collector {
	return []prometheus.Collector{m.calls, m.seconds, m.size, m.forked, m.answers, m.times}
}

// Unregister takes the metrics away.
func (m *Metrics) Unregister() {
	for _, c := range m.listCollectors() {
		m.reg.Unregister(c)
	}
}

// ObserveCall counts a call that began at start.
func (m *Metrics) ObserveCall(call string, start time.Time, err error) {
	m.calls.WithLabelValues(call, outcomeLabel(err)).Inc()
	m.seconds.WithLabelValues(call).Observe(time.Since(start).Seconds())
}

// outcomeLabel names an error for a metric label.
func outcomeLabel(err error) string {
	var overload *gateway.OverloadError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &overload):
		return "overloaded"
	case errors.Is(err, gateway.ErrFork):
		return "fork"
	case errors.Is(err, gateway.ErrRefused):
		return "refused"
	case errors.Is(err, gateway.ErrNotSent):
		return "not_sent"
	case errors.Is(err, gateway.ErrBadAnswer):
		return "bad_answer"
	case errors.Is(err, gateway.ErrUnavailable):
		return "unavailable"
	default:
		return "unknown"
	}
}

// gauges have values of the current shard.
type gauges struct{ current func() *Shard }

func (g gauges) checkpointSize() float64 {
	s := g.current()
	if s == nil {
		return 0
	}
	return float64(s.size.Load())
}

func (g gauges) isForked() float64 {
	if s := g.current(); s != nil && s.forked.Load() {
		return 1
	}
	return 0
}
