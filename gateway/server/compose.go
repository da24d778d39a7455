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
func (s *Server) composeDomain(ctx context.Context, cfg *config.Config, m *metrics, version string) error {
	root, err := trustroot.Load(cfg.TrustedRoot)
	if err != nil {
		return err
	}
	var logs []gateway.Log
	for _, l := range cfg.Logs {
		log, err := s.newLog(l, cfg.Worker, root, m)
		if err != nil {
			return err
		}
		s.logs = append(s.logs, log)
		logs = append(logs, guardedLog{log, s.panics})
	}
	registry := all.Formats()
	policy, err := cfg.Policy.Load(registry.Names())
	if err != nil {
		return err
	}
	if policy.ForbiddenSigners, err = listAuthorities(root); err != nil {
		return err
	}
	attester, own, err := newAttester(ctx, cfg.Attestation, &trustKeeper{store: s.store, logs: logs, logger: s.logger}, version)
	if err != nil {
		return err
	}
	policy.ForbiddenSigners = append(policy.ForbiddenSigners, own...)
	s.domain = joinRooms(s.store, intake.Config{
		Formats: registry, Policy: policy, Logs: logs, Queue: s.store, Archive: s.store, Attester: attester,
		Spool: s.spool, CheckDisk: s.disk.checkDisk, MaxArtifact: cfg.Limits.MaxArtifactBytes,
	}, delivery.Config{
		Logs: logs, Store: s.store, Metrics: m.deliveryMetrics(), Logger: s.logger,
		Timing: delivery.Timing{
			InFlight: cfg.Worker.InFlight, AddTimeout: cfg.Worker.AddTimeout,
			SettleAfter: cfg.Worker.SettleAfter, Drain: cfg.Worker.Drain,
		},
	})
	return nil
}

// connections per log: enough for a proxy that allows 100 calls on each.
const connections = 4

func (s *Server) newLog(l config.Log, w config.Worker, root *trustroot.Root, m *metrics) (*rekorv2.Log, error) {
	trusted, err := keyInUse(root, l.Origin, time.Now())
	if err != nil {
		return nil, fmt.Errorf("log %s: %w", l.ID, err)
	}
	return rekorv2.New(rekorv2.Config{
		ID: l.ID, Origin: l.Origin, GRPCURL: l.GRPCURL, ReadURL: l.ReadURL,
		Verifier: trusted.Verifier, KeyID: trusted.ID,
		RequestTimeout: w.AddTimeout, Connections: connections,
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
