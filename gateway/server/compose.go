// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// composeDomain makes the domain of the store, the logs, the key and the policy.
func (s *Server) composeDomain(ctx context.Context, cfg *config.Config, f files, m *metrics, version string) error {
	var logs []gateway.Log
	for _, l := range cfg.Logs {
		log, err := s.newLog(l, cfg.Worker, f.logs[l.ID], m)
		if err != nil {
			return err
		}
		s.logs = append(s.logs, log)
		logs = append(logs, s.tracing.watchLog(guardedLog{log, s.panics}))
	}
	attester, own, err := newAttester(ctx, cfg.Attestation, &trustKeeper{store: s.store, logs: logs, logger: s.logger}, version)
	if err != nil {
		return err
	}
	s.forbidden = append(f.forbidden, own...)
	f.policy.ForbiddenSigners = s.forbidden
	s.guarded = logs
	set, failover, err := selectLogs(cfg.ResolvedLogs(), logs)
	if err != nil {
		return err
	}
	s.domain = joinRooms(s.store, intake.Config{
		Formats: all.Formats(), Policy: f.policy, Logs: set, Queue: s.store, Archive: s.store, Attester: attester,
		Observe: s.observeStep, Storing: s.tracing.noteRequest, Spool: s.spool, CheckDisk: s.disk.checkDisk, MaxArtifact: int64(cfg.Limits.MaxArtifactBytes),
	}, delivery.Config{
		Logs: logs, Store: s.store, Metrics: m.delivery.hooks(), Logger: s.logger, Failover: failover,
		Restored: s.store.Incarnation().Restored, Probe: newProbe(attester),
		Timing: delivery.Timing{InFlight: cfg.Worker.InFlight, AddTimeout: cfg.Worker.AddTimeout, Drain: cfg.Worker.Drain},
	})
	s.domain.roomEntries, s.domain.roomBytes = cfg.Limits.MaxPending, int64(cfg.Limits.MaxPendingBytes)
	return nil
}

// connections per log: enough for a proxy that allows 100 calls on each.
const connections = 4

func (s *Server) newLog(l config.Log, w config.Worker, trusted trustroot.Log, m *metrics) (*rekorv2.Log, error) {
	return rekorv2.New(rekorv2.Config{
		ID: l.ID,
		Shards: []rekorv2.Shard{{
			Origin: l.Origin, GRPCURL: l.GRPCURL, ReadURL: l.ReadURL, Verifier: trusted.Verifier, KeyID: trusted.ID,
		}},
		IntegrationDelay: l.IntegrationDelay, RequestTimeout: w.AddTimeout, Connections: connections,
	}, s.store, s.logger, m.registry)
}

// keyInUse returns the log called origin whose key is in use at the given time: the one that
// came into use last, where a new key overlaps the old one.
func keyInUse(root *trustroot.Root, origin string, at time.Time) (trustroot.Log, error) {
	var found *trustroot.Log
	for _, l := range root.Logs() {
		inUse := !l.Start.After(at) && (l.End.IsZero() || l.End.After(at))
		if l.Origin == origin && inUse && (found == nil || l.Start.After(found.Start)) {
			found = &l
		}
	}
	if found == nil {
		return trustroot.Log{}, fmt.Errorf("the trusted root has no key in use for a log called %s", origin)
	}
	return *found, nil
}
