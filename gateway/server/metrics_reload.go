// SPDX-License-Identifier: Apache-2.0

package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Reloaded is what is read again at once.
type Reloaded string

// What is read again: the whole configuration at a signal, callers and policies or the trusted root when their files change.
const (
	ReloadedAll     Reloaded = "all"
	ReloadedCallers Reloaded = "callers"
	ReloadedRoot    Reloaded = "trusted_root"
)

// reloadMetrics say whether what is in use is what the files have, by their last reading.
type reloadMetrics struct {
	successful *prometheus.GaugeVec
	succeeded  *prometheus.GaugeVec
}

// newReloadMetrics is for a gateway that has read everything just now.
func newReloadMetrics() *reloadMetrics {
	m := &reloadMetrics{
		successful: newGauge("config_last_reload_successful", "1 unless the last reading again failed, so that what was in use before stays so, by what is read: all, callers, trusted_root.", "what"),
		succeeded:  newGauge("config_last_reload_success_timestamp_seconds", "When that was last read without a fault, as Unix time; the start counts.", "what"),
	}
	m.note(ReloadedAll, nil)
	return m
}

func (m *reloadMetrics) list() []prometheus.Collector {
	return []prometheus.Collector{m.successful, m.succeeded}
}

// note takes down how reading what has ended. The whole has the other two in it.
func (m *reloadMetrics) note(what Reloaded, err error) {
	read := []Reloaded{what}
	if what == ReloadedAll && err == nil {
		read = []Reloaded{ReloadedAll, ReloadedCallers, ReloadedRoot}
	}
	for _, part := range read {
		m.successful.WithLabelValues(string(part)).Set(flag(err == nil))
		if err == nil {
			m.succeeded.WithLabelValues(string(part)).Set(float64(time.Now().UnixMilli()) / 1e3)
		}
	}
}

// NoteReload takes down how reading something again has ended: also where what is given to Reload could not be read.
func (s *Server) NoteReload(what Reloaded, err error) { s.metrics.reload.note(what, err) }
