// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/witness"
)

// newWitnesses returns those that cosign the own log.
func newWitnesses(cfg config.OwnLog, userAgent string) (all []gateway.Witness, err error) {
	for i, w := range cfg.Witnesses {
		one, err := witness.New(witness.Config{Key: w.Key, URL: w.URL, UserAgent: userAgent})
		if err != nil {
			return nil, fmt.Errorf("own_log.witnesses[%d]: %w", i, err)
		}
		all = append(all, one)
	}
	return all, nil
}

var (
	cosignedSize   = newDesc("own_log_cosigned_records", "Records of the last checkpoint of the gateway's own log that the witness has cosigned, as far as this process knows; 0: none.", "log", "witness")
	cosignedTime   = newDesc("own_log_cosigned_timestamp_seconds", "When the witness has cosigned that, by its own words, Unix time; 0: never.", "log", "witness")
	witnessFailing = newDesc("own_log_witness_failing", "1 while the witness cannot be asked, or does not cosign; the gateway's log says why.", "log", "witness")
)

// witnessMetrics are of the own log's witnesses, by their names in the configuration, read when they are asked for.
type witnessMetrics struct{ server *Server }

// Describe implements prometheus.Collector.
func (witnessMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- cosignedSize
	out <- cosignedTime
	out <- witnessFailing
}

// Collect implements prometheus.Collector.
func (m witnessMetrics) Collect(out chan<- prometheus.Metric) {
	own := m.server.ownLog
	if own == nil {
		return
	}
	for _, w := range own.Witnesses() {
		at := 0.0
		if !w.Cosigned.IsZero() {
			at = float64(w.Cosigned.Unix())
		}
		for desc, value := range map[*prometheus.Desc]float64{cosignedSize: float64(w.Size), cosignedTime: at, witnessFailing: flag(w.Failing)} {
			out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, own.id, w.Witness)
		}
	}
}
