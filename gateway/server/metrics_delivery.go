// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
)

// deliveryMetrics are of entries on their way to the logs.
type deliveryMetrics struct {
	worked           *prometheus.CounterVec
	entryTime        *prometheus.HistogramVec
	halted, degraded *prometheus.GaugeVec

	inDoubt, inDoubtElsewhere *prometheus.GaugeVec
	settled, doubled          *prometheus.CounterVec
	failedOver                *prometheus.CounterVec

	inFlight, inFlightBound, breaker *prometheus.GaugeVec
	throttled                        *prometheus.CounterVec
}

// breakerStates are what delivery.Metrics.Breaker tells.
var breakerStates = []string{"closed", "half-open", "open"}

func newDeliveryMetrics() *deliveryMetrics {
	return &deliveryMetrics{
		worked:    newCounter("entry_attempts_total", "Attempts to log an entry, by outcome.", "log", "outcome"),
		entryTime: newHistogram("entry_attempt_seconds", "How long attempts to log an entry took.", waitBuckets, "log"),
		halted:    newGauge("log_halted", "1 when nothing is submitted to the log since it forked.", "log"),
		degraded:  newGauge("log_degraded", "1 while the log cannot be used, so that entries wait; /readyz says why.", "log"),

		inDoubt:          newGauge("entries_in_doubt", "Entries that may have been logged, and are looked for in the log.", "log"),
		inDoubtElsewhere: newGauge("entries_in_doubt_elsewhere", "Entries that may have been logged in a former shard of the log, and are looked for there.", "log"),
		settled:          newCounter("doubts_settled_total", "Doubts that ended: found in the log, or proven absent, so that the entry is sent again.", "log", "how"),
		doubled:          newCounter("entries_doubled_total", "Entries that were met in the log a second time.", "log"),
		failedOver:       newCounter("submissions_failed_over_total", "Submissions that went to another log because this one could not be used.", "log"),

		inFlight:      newGauge("log_in_flight", "Entries under way to the log, probes included.", "log"),
		inFlightBound: newGauge("log_in_flight_limit", "How many may be now: worker.in_flight, or what was found.", "log"),
		breaker:       newGauge("log_breaker", "1 for the state of the log's circuit breaker: closed; open, nothing is sent since the log fails; half-open, one entry is tried.", "log", "state"),
		throttled:     newCounter("log_throttled_seconds_total", "Time in which nothing was sent to the log, due or not: breaker (it fails), retry_after (it said so), rate (logs[].rate), refusals (as it has refused before).", "log", "why"),
	}
}

func (m *deliveryMetrics) list() []prometheus.Collector {
	return []prometheus.Collector{m.worked, m.entryTime, m.halted, m.degraded, m.inDoubt, m.inDoubtElsewhere, m.settled, m.doubled, m.failedOver,
		m.inFlight, m.inFlightBound, m.breaker, m.throttled}
}

func (m *deliveryMetrics) hooks() delivery.Metrics {
	return delivery.Metrics{
		Attempted: func(log, outcome string, d time.Duration) {
			m.worked.WithLabelValues(log, outcome).Inc()
			m.entryTime.WithLabelValues(log).Observe(d.Seconds())
		},
		Halted:   func(log string, halted bool) { m.halted.WithLabelValues(log).Set(flag(halted)) },
		Degraded: func(log string, degraded bool) { m.degraded.WithLabelValues(log).Set(flag(degraded)) },
		InDoubt: func(log string, here, elsewhere int) {
			m.inDoubt.WithLabelValues(log).Set(float64(here))
			m.inDoubtElsewhere.WithLabelValues(log).Set(float64(elsewhere))
		},
		Settled: func(log string, found, absent int) {
			m.settled.WithLabelValues(log, "found").Add(float64(found))
			m.settled.WithLabelValues(log, "absent").Add(float64(absent))
		},
		Doubled:    func(log string, n int) { m.doubled.WithLabelValues(log).Add(float64(n)) },
		FailedOver: func(from, _ string, n int) { m.failedOver.WithLabelValues(from).Add(float64(n)) },
		InFlight: func(log string, bound, taken int) {
			m.inFlightBound.WithLabelValues(log).Set(float64(bound))
			m.inFlight.WithLabelValues(log).Set(float64(taken))
		},
		Breaker: func(log, state string) {
			for _, s := range breakerStates {
				m.breaker.WithLabelValues(log, s).Set(flag(s == state))
			}
		},
		Throttled: func(log, why string, d time.Duration) { m.throttled.WithLabelValues(log, why).Add(d.Seconds()) },
	}
}

// nameLogs makes the metrics of the logs show from the start.
func (m *deliveryMetrics) nameLogs(logs []config.Log) {
	for _, l := range logs {
		for _, g := range []*prometheus.GaugeVec{m.halted, m.degraded, m.inDoubt, m.inDoubtElsewhere} {
			g.WithLabelValues(l.ID)
		}
		m.doubled.WithLabelValues(l.ID)
		m.failedOver.WithLabelValues(l.ID)
		m.settled.WithLabelValues(l.ID, "found")
		m.settled.WithLabelValues(l.ID, "absent")
		for _, problem := range []string{"logged", gateway.ProblemRefused, gateway.ProblemForbidden, gateway.ProblemOverloaded, gateway.ProblemUnavailable,
			gateway.ProblemBadAnswer, gateway.ProblemFork, gateway.ProblemUnknown, gateway.ProblemUnreadable} {
			m.worked.WithLabelValues(l.ID, problem)
		}
		m.entryTime.WithLabelValues(l.ID)
		for _, why := range []string{delivery.ThrottledBreaker, delivery.ThrottledRetryAfter, delivery.ThrottledRate, delivery.ThrottledRefusals} {
			m.throttled.WithLabelValues(l.ID, why)
		}
	}
}

// queue shows the store's queue, read when it is asked for: of the configured logs, and of those that have pending entries though
// they are not.
type queue struct {
	store gateway.Store
	logs  func() []string // IDs
}

// listLogs returns the IDs of those logs.
func (q queue) listLogs(stats gateway.Stats) []string {
	ids := slices.AppendSeq(q.logs(), maps.Keys(stats.Pending))
	slices.Sort(ids)
	return slices.Compact(ids)
}

var (
	pendingDesc      = newDesc("entries_pending", "Entries accepted and not logged yet.", "log")
	pendingBytesDesc = newDesc("entries_pending_bytes", "What is stored for them, of limits.max_pending_bytes; the artifacts that wait with them (spooled_artifacts) count there, too.", "log")
	leasedDesc       = newDesc("entries_leased", "Of the pending entries, those under way to the log.", "log")
	stuckDesc        = newDesc("entries_stuck", "Of the pending entries, those that were tried ten times or more; the submissions say why.", "log")
	oldestDesc       = newDesc("entries_oldest_seconds", "Age of the oldest pending entry; 0 when there is none.", "log")
	inLineDesc       = newDesc("entries_in_line", "Of the pending entries, those that may be sent now and are not under way, counted up to 10,000.", "log", "priority")
	lineAgeDesc      = newDesc("entries_in_line_oldest_seconds", "Age of the oldest of those; 0 when there is none.", "log", "priority")
)

// Describe implements prometheus.Collector.
func (q queue) Describe(out chan<- *prometheus.Desc) {
	out <- pendingDesc
	out <- pendingBytesDesc
	out <- leasedDesc
	out <- stuckDesc
	out <- oldestDesc
	out <- inLineDesc
	out <- lineAgeDesc
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
	for _, id := range q.listLogs(stats) {
		gauge := func(d *prometheus.Desc, v float64) {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, id)
		}
		gauge(pendingDesc, float64(stats.Pending[id]))
		gauge(pendingBytesDesc, float64(stats.PendingBytes[id]))
		gauge(leasedDesc, float64(stats.Leased[id]))
		gauge(stuckDesc, float64(stats.Stuck[id]))
		gauge(oldestDesc, stats.Oldest[id].Seconds())
	}
	q.collectLines(ctx, q.listLogs(stats), out)
}

func (q queue) collectLines(ctx context.Context, logs []string, out chan<- prometheus.Metric) {
	lines, err := q.store.Lines(ctx)
	if err != nil {
		out <- prometheus.NewInvalidMetric(inLineDesc, err)
		return
	}
	for _, id := range logs {
		for _, p := range []gateway.Priority{gateway.Interactive, gateway.Backfill} {
			line := gateway.Line{Log: id, Priority: p}
			if i := slices.IndexFunc(lines, func(l gateway.Line) bool { return l.Log == id && l.Priority == p }); i >= 0 {
				line = lines[i]
			}
			out <- prometheus.MustNewConstMetric(inLineDesc, prometheus.GaugeValue, float64(line.Entries), id, p.String())
			out <- prometheus.MustNewConstMetric(lineAgeDesc, prometheus.GaugeValue, line.Oldest.Seconds(), id, p.String())
		}
	}
}
