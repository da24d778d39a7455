// SPDX-License-Identifier: Apache-2.0

package server

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// auditMetrics are of the audit trail.
type auditMetrics struct {
	records *prometheus.CounterVec
	lost    *prometheus.CounterVec
	failing *prometheus.GaugeVec

	fails atomic.Bool // as failing has it
}

func newAuditMetrics() *auditMetrics {
	m := &auditMetrics{
		records: newCounter("audit_records_total", "What the audit trail is about, by event (docs/operations.md), whether it is recorded somewhere or not.", "event"),
		lost:    newCounter("audit_lost_total", "Records of the audit trail that could not be kept, by where: file, store.", "where"),
		failing: newGauge("audit_failing", "1 while audit.file cannot be written; what audit.on_failure says holds then."),
	}
	// From the start, so that the first one shows as an increase.
	for _, e := range []gateway.AuditEvent{gateway.AuditAccepted, gateway.AuditRepeated, gateway.AuditRefused, gateway.AuditDenied, gateway.AuditStarted, gateway.AuditReloaded, gateway.AuditKeys} {
		m.records.WithLabelValues(string(e))
	}
	m.lost.WithLabelValues("file")
	m.lost.WithLabelValues("store")
	m.failing.WithLabelValues()
	return m
}

func (m *auditMetrics) list() []prometheus.Collector {
	return []prometheus.Collector{m.records, m.lost, m.failing}
}

func (m *auditMetrics) countLost(where string) func() { return m.lost.WithLabelValues(where).Inc }

// setFailing notes whether the file cannot be written, and reports whether that has begun.
func (m *auditMetrics) setFailing(fails bool) (begun bool) {
	m.failing.WithLabelValues().Set(flag(fails))
	return !m.fails.Swap(fails) && fails
}
