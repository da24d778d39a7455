// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"reflect"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// Reload reads the files that cfg names again: callers, certificates, the policy, the trusted root and the logs are those of cfg from
// now on. When one of them is faulty, everything stays as it is. What else has changed waits for a restart; the log says so.
func (s *Server) Reload(ctx context.Context, cfg *config.Config) (err error) {
	defer s.panics.Recover("reload", &err)
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if err := checkRegularFiles(cfg); err != nil { // no reload would come after one that does not end
		return err
	}
	if err := cfg.CheckListening(&s.started); err != nil {
		return err
	}
	f, err := readFiles(ctx, cfg, s.now())
	if err != nil {
		return err
	}
	if err := s.certificates.checkAll(f); err != nil {
		return err
	}
	if err := s.changeLogs(ctx, cfg, f); err != nil {
		return err
	}
	s.certificates.setAll(f)
	s.callers.Use(f.callers)
	s.logger.Info("read again", "what", "callers, certificates, policy, trusted root and logs")
	if !reflect.DeepEqual(onlyAtStart(s.started), onlyAtStart(*cfg)) {
		s.logger.Warn("the configuration has changed in what is read at the start only: restart to use it")
	}
	return nil
}

// ReloadCallers has the callers, and the authorities of their certificates, be those of cfg, or changes nothing. Of callers who are gone, what lasts ends.
func (s *Server) ReloadCallers(cfg *config.Config) (err error) {
	defer s.panics.Recover("reload of callers", &err)
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if err := cfg.CheckListening(&s.started); err != nil {
		return err
	}
	for _, path := range cfg.ListCallersFiles() {
		if err := checkRegular(path); err != nil {
			return err
		}
	}
	f, err := readCallers(cfg)
	if err != nil {
		return err
	}
	s.certificates.setClients(f)
	s.callers.Use(f.callers)
	s.logger.Info("read again", "what", "callers")
	return nil
}

// changeLogs has the logs and the policy be those of cfg and f, or changes nothing. The gateway trust file is extended before
// anything is sent to a log that it lacks.
func (s *Server) changeLogs(ctx context.Context, cfg *config.Config, f files) error {
	select { // a log that comes back may still be draining
	case <-s.drained:
	case <-ctx.Done():
		return ctx.Err()
	}
	change, err := s.prepareLogs(cfg, f)
	if err != nil {
		return err
	}
	logs := change.listLogs()
	set, failover, err := selectLogs(cfg.ResolvedLogs(), logs)
	if err == nil {
		err = s.extendTrust(ctx, change.listTrusted())
	}
	if err != nil {
		return errors.Join(err, change.discardLogs())
	}
	s.logs = change.applyLogs()
	s.useFiles(cfg, &f)
	s.domain.SetPolicy(f.policy, cfg.Policy.ListRepresentations()...)
	s.metrics.delivery.nameLogs(cfg.Logs)
	drained, closed := s.domain.setLogs(logs, set, failover), make(chan struct{})
	s.drained = closed
	s.closing.Go(func() {
		defer close(closed)
		change.closeRemoved(drained)
	})
	return nil
}

// useFiles notes what is in use now, and completes f's policy.
func (s *Server) useFiles(cfg *config.Config, f *files) {
	f.policy.ForbiddenSigners = slices.Concat(f.forbidden, s.own)
	s.inUse, s.files, s.seenRoot = *cfg, *f, sha256.Sum256(f.rootFile)
	s.rootFile.Store(&f.rootFile)
	s.noteAgreed(cfg)
	s.noteShards()
}

// onlyAtStart returns what of c Reload does not look at.
func onlyAtStart(c config.Config) config.Config {
	c.Policy, c.HTTP.TLS, c.GRPC.TLS = config.Policy{}, config.TLS{}, config.TLS{}
	c.TrustedRoot, c.Logs, c.Callers = "", nil, nil
	c.InsecureNoAuth, c.InsecurePlaintext = false, false
	c.Listeners = slices.Clone(c.Listeners)
	for i := range c.Listeners {
		l := &c.Listeners[i]
		l.Caller, l.InsecureNoAuth, l.TLS = "", false, config.KeyPair{}
	}
	return c
}

var errTLSAtStart = errors.New("http.tls, grpc.tls or the tls of listeners was added or taken away: restart to change that")

// checkAll refuses to change whether a listener speaks TLS.
func (c *certificates) checkAll(f files) error {
	isChanged := func(c *certificate, now *tls.Certificate) bool { return (c.current.Load() == nil) != (now == nil) }
	if isChanged(&c.http, f.http) || isChanged(&c.grpc, f.grpc) {
		return errTLSAtStart
	}
	for address, listener := range c.callers {
		if now, listed := f.listeners[address]; listed && isChanged(listener, now) {
			return errTLSAtStart
		}
	}
	return nil
}
