// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	"context"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/throttle"
)

// composeDomain makes the domain of the store, the logs, the key and the policies.
func (s *Server) composeDomain(ctx context.Context, cfg *config.Config, f files, m *metrics, version string) error {
	change, err := s.prepareLogs(cfg, f)
	if err != nil {
		return err
	}
	s.logs = change.applyLogs()
	s.useRekorLogs(cfg.RekorAPI)
	logs := change.listLogs()
	if s.ownLog, err = s.openOwnLog(ctx, cfg.OwnLog); err != nil {
		return err
	}
	if s.facade, err = s.openFacade(ctx, cfg); err != nil {
		return err
	}
	trusted := change.listTrusted()
	attester, own, err := s.newAttester(ctx, cfg.Attestation, trusted, version)
	if err != nil {
		return err
	}
	ownLogKeys, err := s.ownLog.listKeys()
	if err != nil {
		return err
	}
	s.own = slices.Concat(own, ownLogKeys, s.facade.listKeys())
	s.useFiles(cfg, f)
	s.shardsNew = change.haveMoved(trusted)
	p, err := newPolicies(cfg, f, s.listForbidden(f), logs, s.ownLog.recorder())
	if err != nil {
		return err
	}
	s.watched = logs
	s.domain = joinRooms(s.store, s.ownLog, intake.Config{
		Formats: all.Formats(), Policies: p.Policies, Queue: s.store, Archive: s.store, Attester: attester,
		Observe: s.observeStep, Storing: s.tracing.noteRequest, Spool: s.spool, Blobs: diskBlobs{s.store, s.disk}, CheckDisk: s.checkTaking, Quotas: s.quotas.listQuotas, Origin: s.audit.originOf, Left: s.audit.noteLeft, MaxArtifact: int64(cfg.Limits.MaxArtifactBytes),
	}, delivery.Config{
		Logs: logs, Elsewhere: slices.Concat(s.ownLog.listIDs(), s.facade.listIDs()), Store: s.store, Blobs: s.store, Metrics: m.delivery.hooks(), Logger: s.logger, Failover: p.failover,
		Probe:  newProbe(attester),
		Shared: s.replicas != nil,
		Limits: func(id string) delivery.Limits { return newLimits(&s.inUse, id) }, // which is cfg now
		Timing: delivery.Timing{AddTimeout: cfg.Worker.AddTimeout, Drain: cfg.Worker.Drain},
	})
	s.ownLog.anchorIn(p.anchors)
	s.facade.anchorIn(logs)
	s.domain.facade = s.facade
	owns, err := s.store.ListOwnLogs(ctx)
	if err != nil {
		return err
	}
	for _, l := range owns { // former ones, too
		s.domain.AddLogs([]string{l.ID})
	}
	s.domain.roomEntries, s.domain.roomBytes = cfg.Limits.MaxPending, int64(cfg.Limits.MaxPendingBytes)
	return nil
}

// newLimits returns what bounds the sending to the log called id.
func newLimits(cfg *config.Config, id string) delivery.Limits {
	limits, inFlight := delivery.Limits{Throttle: throttle.New()}, cfg.Worker.InFlight
	for _, l := range cfg.Logs {
		if l.ID == id {
			limits.Rate, limits.Burst, inFlight = l.Rate, l.RateBurst, cmp.Or(l.InFlight, inFlight)
		}
	}
	if inFlight != config.AutoInFlight {
		limits.InFlight = int(inFlight)
	}
	return limits
}
