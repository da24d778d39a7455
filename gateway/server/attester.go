// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/statement"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// newAttester returns nil when no key is configured. own are the identities of all of the
// gateway's keys. It sets extendTrust.
func (s *Server) newAttester(ctx context.Context, c config.Attestation, logs []trustedLog, version string) (a gateway.Attester, own [][sha256.Size]byte, err error) {
	keeper := s.newTrustKeeper(logs)
	s.extendTrust = func(context.Context, []trustedLog) error { return nil }
	if c.Key == "" {
		return nil, nil, nil
	}
	if c.GatewayTrust != "" {
		if err := keeper.prepareFirstStart(ctx, c); err != nil {
			return nil, nil, err
		}
	}
	signer, err := attest.New(attest.Config{
		Active: c.Key, Create: c.CreateKey, Password: choosePassword(c), Others: c.OtherKeys,
		Verifier: statement.Verifier{Name: "rekor-gateway", Version: version},
	})
	if err != nil {
		return nil, nil, err
	}
	own = signer.IDs()
	if c.GatewayTrust == "" {
		return signer, own, nil
	}
	s.extendTrust = func(ctx context.Context, logs []trustedLog) error {
		keeper := s.newTrustKeeper(logs)
		if _, err := keeper.keepTrust(ctx, c, signer.SPKI(), signer.OtherSPKIs()); err != nil {
			return err
		}
		return keeper.keepOwnTrust(ctx, c.GatewayTrust, s.ownLog, logs)
	}
	if err := s.extendTrust(ctx, logs); err != nil {
		return nil, nil, err
	}
	trust, err := trustroot.LoadGateway(c.GatewayTrust)
	if err != nil {
		return nil, nil, err
	}
	s.restartRange = func(origin string) error {
		keeper := s.newTrustKeeper(nil)
		return errors.Join(keeper.restartRange(c.GatewayTrust, signer.SPKI(), origin), keeper.restartAnchors(c.GatewayTrust, s.ownLog, origin))
	}
	return signer, append(own, trust.IDs()...), nil
}

// newTrustKeeper returns one for these logs, and the gateway's own.
func (s *Server) newTrustKeeper(logs []trustedLog) *trustKeeper {
	return &trustKeeper{store: s.store, anchors: s.store, logs: slices.Concat(logs, s.ownLog.trusted()), logger: s.logger}
}

// newProbe returns what makes a log's probes: statements by the gateway's key that say nothing. It is nil where
// nothing is attested.
func newProbe(a gateway.Attester) func(context.Context, gateway.Log) (gateway.Prepared, error) {
	prober, ok := a.(gateway.Prober)
	if !ok {
		return nil
	}
	return func(ctx context.Context, log gateway.Log) (gateway.Prepared, error) {
		signed, err := prober.Probe(ctx)
		if err != nil {
			return gateway.Prepared{}, err
		}
		p, _, err := log.Prepare(gateway.Offer{Statement: &signed})
		return p, err
	}
}

func choosePassword(c config.Attestation) attest.Password {
	switch {
	case c.PasswordFile != "":
		return attest.PasswordFromFile(c.PasswordFile)
	case c.PasswordEnv != "":
		return attest.PasswordFromEnv(c.PasswordEnv)
	}
	return nil
}
