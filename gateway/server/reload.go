// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
)

// Reload reads the files that cfg names again: callers, certificates, the policies, the trusted root and the logs are those of cfg from
// now on. When one of them is faulty, everything stays as it is. What else has changed waits for a restart; the log says so.
func (s *Server) Reload(ctx context.Context, cfg *config.Config) (err error) {
	defer func() {
		s.audit.noteOperator(gateway.AuditReloaded, "callers, certificates, policy, trusted root and logs", err)
	}()
	defer s.panics.Recover("reload", &err)
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if err := checkRegularFiles(cfg); err != nil { // no reload would come after one that does not end
		return err
	}
	if err := cfg.CheckListening(&s.started); err != nil {
		return err
	}
	if err := s.checkTUF(cfg); err != nil {
		return err
	}
	f, err := readFiles(ctx, cfg, func() (sources.Snapshot, error) { return s.readSnapshot(ctx, cfg) }, s.now())
	if err != nil {
		return err
	}
	if err := s.certificates.checkAll(f); err != nil {
		return err
	}
	callers := len(s.inUse.Callers)
	if err := s.changeLogs(ctx, cfg, f); err != nil {
		return err
	}
	s.certificates.setAll(f)
	s.warnOpened(callers, cfg)
	s.callers.Use(f.callers)
	s.quotas.use(cfg)
	s.logger.Info("read again", "what", "callers, certificates, policies, trusted root and logs")
	before, now := onlyAtStart(s.started), onlyAtStart(*cfg)
	if changed := config.ListChanged(&before, &now); len(changed) > 0 {
		s.logger.Warn("the configuration has changed in what is read at the start only: restart to use it", "keys", changed)
	}
	return nil
}

// warnOpened says that there is no access control any more, where there were callers before.
func (s *Server) warnOpened(before int, cfg *config.Config) {
	if before > 0 && len(cfg.Callers) == 0 {
		s.logger.Warn("the configuration has no callers any more: everybody who reaches this gateway may do everything")
	}
}

// ReloadCallers has the callers, the authorities of their certificates, and the policies be those of cfg, whose other parts are not looked at, or
// changes nothing. Of callers who are gone, what lasts ends.
func (s *Server) ReloadCallers(ctx context.Context, cfg *config.Config) (err error) {
	defer func() { s.audit.noteOperator(gateway.AuditReloaded, "callers and policies", err) }()
	defer s.panics.Recover("reload of callers", &err)
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if err := cfg.CheckListening(&s.started); err != nil {
		return err
	}
	if err := checkAllRegular(cfg.ListCallersFiles()); err != nil {
		return err
	}
	now := s.inUse
	now.Callers, now.Policy, now.Policies = cfg.Callers, cfg.Policy, cfg.Policies
	if err := now.CheckPolicies(); err != nil {
		if !reflect.DeepEqual(cfg.Logs, now.Logs) {
			err = fmt.Errorf("%w; %w", err, errLogsLater)
		}
		return err
	}
	f, err := s.readCallersAgain(ctx, cfg, &now)
	if err != nil {
		return err
	}
	if err := s.checkSelectedAnew(&now, f); err != nil {
		return err
	}
	p, err := newPolicies(&now, f, s.listForbidden(f), s.watched, s.ownLog.recorder())
	if err != nil {
		return err
	}
	s.certificates.setClients(f)
	s.warnOpened(len(s.inUse.Callers), cfg)
	s.useFiles(&now, f)
	s.domain.setPolicies(p)
	s.callers.Use(f.callers) // after the policies, which are by caller: who is new has one
	s.quotas.use(cfg)
	s.logger.Info("read again", "what", "callers and policies")
	return nil
}

// checkSelectedAnew is checkSelected of the policies whose logs are not as before: what those of before lack, since a log has ended, must not keep a
// caller from being taken away.
func (s *Server) checkSelectedAnew(now *config.Config, f files) error {
	known := s.inUse.PolicyNames()
	for _, name := range now.PolicyNames() {
		if slices.Contains(known, name) && reflect.DeepEqual(now.PolicyNamed(name).Logs, s.inUse.PolicyNamed(name).Logs) {
			continue
		}
		if err := f.checkPolicySelected(now, name, s.now()); err != nil {
			return err
		}
	}
	return nil
}

// readCallersAgain returns the files in use, but for those of the callers of cfg and the policies of now.
func (s *Server) readCallersAgain(ctx context.Context, cfg, now *config.Config) (f files, err error) {
	callers, err := readCallers(cfg)
	if err != nil {
		return f, err
	}
	f = s.files
	f.callers, f.httpClients, f.grpcClients = callers.callers, callers.httpClients, callers.grpcClients
	f.policies, err = now.LoadPolicies(ctx, all.Formats())
	return f, err
}

// changeLogs has the logs and the policies be those of cfg and f, or changes nothing. The gateway trust file is extended before
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
	trusted := change.listTrusted()
	p, err := newPolicies(cfg, f, s.listForbidden(f), logs, s.ownLog.recorder())
	if err == nil {
		err = s.extendTrust(ctx, trusted)
	}
	if err != nil {
		return errors.Join(err, change.discardLogs())
	}
	s.logs, s.watched = change.applyLogs(), logs
	s.useRekorLogs(s.started.RekorAPI)
	s.useFiles(cfg, f)
	s.shardsNew = change.haveMoved(trusted)
	s.retries.Reset()
	s.metrics.delivery.nameLogs(cfg.Logs)
	drained, closed := s.domain.setLogs(logs, p), make(chan struct{})
	s.drained = closed
	s.closing.Go(func() {
		defer close(closed)
		change.closeRemoved(drained)
	})
	return nil
}

// listForbidden returns the signers whom no policy lets pass: those of the trusted root, and the gateway's own.
func (s *Server) listForbidden(f files) [][sha256.Size]byte { return slices.Concat(f.forbidden, s.own) }

// useFiles notes what is in use now.
func (s *Server) useFiles(cfg *config.Config, f files) {
	root := f.snapshot.TrustedRoot
	if s.rootFile.Load() != nil && !bytes.Equal(root, *s.rootFile.Load()) {
		s.audit.noteOperator(gateway.AuditKeys, fmt.Sprintf("trusted root sha256:%x", sha256.Sum256(root)), nil)
	}
	s.inUse, s.files, s.seenTrust = *cfg, f, f.snapshot.Sum()
	s.rootFile.Store(&root)
	s.expires.Store(&f.snapshot.Expires)
	s.noteAgreed(cfg)
	s.shardsNew = s.noteShards() || s.shardsNew
}

// onlyAtStart returns what of c Reload does not look at.
func onlyAtStart(c config.Config) config.Config {
	c.Policies = nil
	c.Policy, c.HTTP.TLS, c.GRPC.TLS = config.Policy{}, config.TLS{}, config.TLS{}
	c.TrustedRoot, c.Source, c.Logs, c.Callers = "", config.Source{}, nil, nil
	c.Limits.SignerSubmissionsPerDay = 0
	c.Worker.InFlight = 0 // which bounds each log that has no bound of its own
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
