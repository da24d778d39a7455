// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/tls"
	"errors"
	"reflect"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// Reload reads the files that cfg names again: certificates and the policy are those of cfg from now on. When one of
// them is faulty, everything stays as it is. What else has changed waits for a restart; the log says so.
func (s *Server) Reload(ctx context.Context, cfg *config.Config) (err error) {
	defer s.panics.Recover("reload", &err)
	f, err := readFiles(ctx, cfg)
	if err != nil {
		return err
	}
	if err := s.certificates.replaceAll(f); err != nil {
		return err
	}
	f.policy.ForbiddenSigners = s.forbidden
	s.domain.SetPolicy(f.policy)
	if set, failover, err := selectLogs(cfg.ResolvedLogs(), s.guarded); err != nil {
		s.logger.Warn("policy.logs is as it was: it names a log that is used from the next start on", "error", err)
	} else {
		s.domain.setLogs(set, failover)
	}
	s.logger.Info("read again", "what", "certificates and policy")
	if !reflect.DeepEqual(onlyAtStart(s.started), onlyAtStart(*cfg)) {
		s.logger.Warn("the configuration has changed in what is read at the start only: restart to use it")
	}
	return nil
}

// onlyAtStart returns what of c Reload does not look at.
func onlyAtStart(c config.Config) config.Config {
	c.Policy, c.HTTP.TLS, c.GRPC.TLS = config.Policy{}, config.TLS{}, config.TLS{}
	return c
}

var errTLSAtStart = errors.New("http.tls or grpc.tls was added or taken away: restart to change that")

// replaceAll changes both certificates or none. Whether a listener speaks TLS stays.
func (c *certificates) replaceAll(f files) error {
	isChanged := func(c *certificate, now *tls.Certificate) bool { return (c.current.Load() == nil) != (now == nil) }
	if isChanged(&c.http, f.http) || isChanged(&c.grpc, f.grpc) {
		return errTLSAtStart
	}
	c.setAll(f)
	return nil
}
