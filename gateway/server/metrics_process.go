// SPDX-License-Identifier: Apache-2.0

package server

import (
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// watchServer adds what is read of s when it is asked for, and the limits that it has.
func (m *metrics) watchServer(s *Server, cfg *config.Config, version string) error {
	m.delivery.nameLogs(cfg.Logs)
	l := cfg.Limits
	return m.register(
		buildInfo(version),
		newReading("request_memory_bytes", "What requests and connections may hold in memory, of limits.max_request_memory.",
			func() float64 { return float64(s.memory.Used()) }),
		newReading("requests_in_flight", "Requests and calls under way, over HTTP and gRPC, of limits.max_requests.",
			func() float64 { return float64(s.admission.requests.InFlight.Count()) }),
		newReading("spool_bytes", "What the spool holds, of limits.max_spool_bytes.", func() float64 { return float64(s.spool.Used()) }),
		newLimit("request_memory_limit_bytes", "limits.max_request_memory.", l.MaxRequestMemory),
		newLimit("requests_in_flight_limit", "limits.max_requests.", l.MaxRequests),
		newLimit("spool_limit_bytes", "limits.max_spool_bytes.", l.MaxSpoolBytes),
		newLimit("entries_pending_limit", "limits.max_pending, over all logs; 0 is none.", l.MaxPending),
		newLimit("entries_pending_limit_bytes", "limits.max_pending_bytes, over all logs; 0 is none.", l.MaxPendingBytes),
		newLimit("disk_free_limit_bytes", "limits.min_free_disk.", l.MinFreeDisk),
		queue{s.store, func() []string { return s.domain.listConfigured() }}, ownLogs{s.store, s.stateOfOwn}, storeFiles{cfg.Store.SQLite.Path}, s.disk, &s.certificates, &s.drift, issuerKeys{s.callers}, witnessMetrics{s}, sourceMetrics{s},
	)
}

func newLimit[T int | config.Size](name, help string, limit T) prometheus.Collector {
	return newReading(name, help, func() float64 { return float64(limit) })
}

// buildInfo is 1, with what the program was built of.
func buildInfo(version string) prometheus.Collector {
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	g := newGauge("build_info", "1, with the version of the program and what it was built of.", "version", "revision", "goversion")
	g.WithLabelValues(version, revision, runtime.Version()).Set(1)
	return g
}
