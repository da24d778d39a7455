// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
)

// composeDomain makes the domain of the store, the logs, the key and the policy.
func (s *Server) composeDomain(ctx context.Context, cfg *config.Config, f files, m *metrics, version string) error {
	change, err := s.prepareLogs(cfg, f)
	if err != nil {
		return err
	}
	s.logs = change.applyLogs()
	logs := change.listLogs()
	attester, own, err := s.newAttester(ctx, cfg.Attestation, change.listTrusted(), version)
	if err != nil {
		return err
	}
	s.own = own
	s.useFiles(cfg, &f)
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
