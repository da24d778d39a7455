// SPDX-License-Identifier: Apache-2.0

package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var (
	sourceRefreshed = newDesc("source_refreshed_timestamp_seconds", "When the TUF repository that the logs come from was last read without a fault, Unix time; 0: not since the start.")
	sourceExpiry    = newDesc("source_expiry_timestamp_seconds", "When what is in use of it expires, Unix time; nothing is sent from then on.")
	sourceFailing   = newDesc("source_failing", "1 while the last refresh from it has failed; the gateway's log says why.")
)

// sourceMetrics tell how current a TUF repository is, where there is one.
type sourceMetrics struct{ server *Server }

// Describe implements prometheus.Collector.
func (sourceMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- sourceRefreshed
	out <- sourceExpiry
	out <- sourceFailing
}

// Collect implements prometheus.Collector.
func (m sourceMetrics) Collect(out chan<- prometheus.Metric) {
	if m.server.tuf == nil {
		return
	}
	status, expires := m.server.tuf.Status(), time.Time{}
	if at := m.server.expires.Load(); at != nil {
		expires = *at // of what is in use, which is not always what was fetched
	}
	for desc, value := range map[*prometheus.Desc]float64{
		sourceRefreshed: unixOf(status.Refreshed), sourceExpiry: unixOf(expires), sourceFailing: flag(status.Failed),
	} {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
}

// unixOf returns 0 for the zero time.
func unixOf(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.Unix())
}
