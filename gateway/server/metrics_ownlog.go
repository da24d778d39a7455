// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
)

// What an own log may be doing, beside ownlog.States: those are of the one that is configured.
const (
	ownCloses       = "closes"       // what waits for it goes over to the one that is configured
	ownClosed       = "closed"       // nothing waits for it any more
	ownUnconfigured = "unconfigured" // nobody works on it
)

// ownLogs shows the gateway's own logs, read from the store when it is asked for.
type ownLogs struct {
	store gateway.Store
	state func(l gateway.OwnLog, pending int) string
}

var (
	ownRecordsDesc    = newDesc("own_log_records", "Records in a log of the gateway's own, anchored or not.", "log")
	ownUnanchoredDesc = newDesc("own_log_unanchored_records", "What is accepted for it and no logged anchor covers yet.", "log")
	ownOldestDesc     = newDesc("own_log_unanchored_oldest_seconds", "Age of the oldest of those; 0 when there is none.", "log")
	ownAnchorAgeDesc  = newDesc("own_log_anchor_age_seconds", "How long ago the last anchor that is logged was made; 0 before the first.", "log")
	ownAnchorsDesc    = newDesc("own_log_anchors_pending", "Anchors of it that are not logged yet.", "log")
	ownStateDesc      = newDesc("own_log_state", "1 for what it does: works; looks (whether the store is older than its anchors); waits (/readyz says why); "+
		"refuses (to write: the store is older than its anchors); closes, or closed (another one has taken over); unconfigured.", "log", "state")
)

// Describe implements prometheus.Collector.
func (o ownLogs) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{ownRecordsDesc, ownUnanchoredDesc, ownOldestDesc, ownAnchorAgeDesc, ownAnchorsDesc, ownStateDesc} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (o ownLogs) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	logs, err := o.store.ListOwnLogs(ctx)
	var stats gateway.Stats
	if err == nil && len(logs) > 0 {
		stats, err = o.store.Stats(ctx)
	}
	for _, l := range logs {
		if err == nil {
			err = o.collectLog(ctx, l, stats, out)
		}
	}
	if err != nil {
		out <- prometheus.NewInvalidMetric(ownRecordsDesc, err)
	}
}

func (o ownLogs) collectLog(ctx context.Context, l gateway.OwnLog, stats gateway.Stats, out chan<- prometheus.Metric) error {
	age, pending, err := o.readAnchors(ctx, l)
	if err != nil {
		return fmt.Errorf("reading anchors of %s: %w", l.ID, err)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{l.ID}, labels...)...)
	}
	gauge(ownRecordsDesc, float64(l.Tree.Size))
	gauge(ownUnanchoredDesc, float64(stats.Pending[l.ID]))
	gauge(ownOldestDesc, stats.Oldest[l.ID].Seconds())
	gauge(ownAnchorAgeDesc, age.Seconds())
	gauge(ownAnchorsDesc, float64(pending))
	state := o.state(l, stats.Pending[l.ID])
	for _, s := range append(ownlog.States(), ownCloses, ownClosed, ownUnconfigured) {
		gauge(ownStateDesc, flag(s == state), s)
	}
	return nil
}

// readAnchors returns the age of the last anchor that is kept, and how many are pending: one, as a rule, or none.
func (o ownLogs) readAnchors(ctx context.Context, l gateway.OwnLog) (age time.Duration, pending int, err error) {
	const newest = 10
	tenant := gateway.AnchorTenant(l.ID)
	if l.Anchored.Size > 0 {
		last, err := o.store.Get(ctx, tenant, l.Anchored.Submission)
		if err != nil {
			return 0, 0, err
		}
		age = max(0, time.Since(last.CreatedAt))
	}
	page, _, err := o.store.List(ctx, tenant, gateway.ListParams{State: gateway.Pending, PageSize: newest})
	return age, len(page), err
}

// stateOfOwn returns what an own log does, for which so many entries wait.
func (s *Server) stateOfOwn(l gateway.OwnLog, pending int) string {
	switch {
	case s.ownLog != nil && s.ownLog.id == l.ID:
		return s.ownLog.State()
	case s.facade != nil && s.facade.id == l.ID:
		return s.facade.own.State()
	case l.Closed && pending == 0:
		return ownClosed
	case l.Closed, slices.Contains(s.started.OwnLog.Closed, l.Origin):
		return ownCloses
	}
	return ownUnconfigured
}
