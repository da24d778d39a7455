// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// closingStore is a store that this package opened and closes.
type closingStore interface {
	gateway.Store
	Close() error
}

// Options are what a configuration file does not say.
type Options struct {
	// Registry takes the metrics and is served at /metrics; nil makes one.
	Registry *prometheus.Registry
	// Logger is required.
	Logger *slog.Logger
	// Version of the program, for the statements it signs.
	Version string
}

// Server is a gateway that listens already and serves once Run is called.
type Server struct {
	logger *slog.Logger
	drain  time.Duration

	disk    *diskGuard
	spool   *upload.Spool
	store   closingStore // nil until it is open
	logs    []*rekorv2.Log
	domain  *domain
	limiter ratelimit.Limiter // nil: no limit

	listeners listeners
	http      *http.Server
	grpc      *grpc.Server
	admin     *http.Server
	health    *health.Server
	stopping  atomic.Bool
}

// Build opens everything that cfg names. It binds the ports first, so that a second gateway on
// the same machine fails before it touches the store. Whoever does not call Run calls Close.
func Build(ctx context.Context, cfg *config.Config, o Options) (*Server, error) {
	s := &Server{logger: o.Logger, drain: cfg.Worker.Drain}
	if err := s.buildServer(ctx, cfg, o); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) buildServer(ctx context.Context, cfg *config.Config, o Options) error {
	var err error
	if s.listeners, err = bindListeners(ctx, cfg); err != nil {
		return err
	}
	if s.limiter, err = newLimiter(cfg.Limits); err != nil {
		return err
	}
	m, err := newMetrics(o.Registry)
	if err != nil {
		return err
	}
	if err := s.openStore(ctx, cfg); err != nil {
		return err
	}
	s.disk = newDiskGuard(cfg, s.logger)
	s.spool = upload.NewSpool(upload.SpoolConfig{
		Dir: cfg.Limits.SpoolDir, Max: cfg.Limits.MaxSpoolBytes, CheckDisk: s.disk.checkDisk,
	})
	if err := m.watchQueue(s.store, cfg.Logs); err != nil {
		return err
	}
	if err := m.registry.Register(s.disk); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := s.composeDomain(ctx, cfg, m, o.Version); err != nil {
		return err
	}
	if s.http, err = s.newHTTP(cfg, m); err != nil {
		return err
	}
	if s.grpc, err = s.newGRPC(cfg, m); err != nil {
		return err
	}
	s.admin = s.newAdmin(m)
	return nil
}

func (s *Server) openStore(ctx context.Context, cfg *config.Config) error {
	store, err := sqlite.Open(ctx, cfg.Store.SQLite.Path, sqlite.Options{
		MaxPending: cfg.Limits.MaxPending, MaxPendingBytes: cfg.Limits.MaxPendingBytes, Logger: s.logger,
	})
	if err != nil {
		return err
	}
	s.store = store
	if store.Incarnation().Restored {
		s.logger.Warn("an older copy of the store was put in place of the one that was last used; what was accepted since that copy is lost")
	}
	return nil
}

// Close gives back what Build took. It is for a Server that is not run.
func (s *Server) Close() error {
	err := s.listeners.closeListeners()
	if s.grpc != nil {
		s.grpc.Stop()
	}
	return errors.Join(err, s.closeStores())
}

func (s *Server) closeStores() error {
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	return errors.Join(errs...)
}

// Addresses are where a Server listens, as URLs.
type Addresses struct {
	HTTP  string `json:"http"`
	GRPC  string `json:"grpc"`
	Admin string `json:"admin"`
}

// Addresses returns where s listens.
func (s *Server) Addresses() Addresses {
	url := func(scheme string, l net.Listener, secure bool) string {
		if secure {
			scheme += "s"
		}
		return scheme + "://" + l.Addr().String()
	}
	return Addresses{
		HTTP:  url("http", s.listeners.http, s.listeners.httpSecure),
		GRPC:  url("grpc", s.listeners.grpc, s.listeners.grpcSecure),
		Admin: url("http", s.listeners.admin, false),
	}
}

// Ready returns nil when submissions can be taken.
func (s *Server) Ready(ctx context.Context) error {
	if s.stopping.Load() {
		return gateway.ErrClosed
	}
	if err := s.disk.checkDisk(); err != nil {
		return err
	}
	return s.domain.Ready(ctx)
}

// listeners are bound by Build and closed by the servers that serve them.
type listeners struct {
	http, grpc, admin      net.Listener
	httpSecure, grpcSecure bool
}

func bindListeners(ctx context.Context, cfg *config.Config) (listeners, error) {
	l := listeners{httpSecure: cfg.HTTP.TLS.CertFile != "", grpcSecure: cfg.GRPC.TLS.CertFile != ""}
	for _, b := range []struct {
		to           *net.Listener
		key, address string
	}{
		{&l.http, "http.listen", cfg.HTTP.Listen},
		{&l.grpc, "grpc.listen", cfg.GRPC.Listen},
		{&l.admin, "admin.listen", cfg.Admin.Listen},
	} {
		var err error
		if *b.to, err = new(net.ListenConfig).Listen(ctx, "tcp", b.address); err != nil {
			return l, &ListenError{Key: b.key, Address: b.address, err: err}
		}
	}
	return l, nil
}

func (l listeners) closeListeners() error {
	var errs []error
	for _, b := range []net.Listener{l.http, l.grpc, l.admin} {
		if b == nil {
			continue
		}
		if err := b.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ListenError is returned when a configured address cannot be bound.
type ListenError struct {
	Key     string // in the configuration: "http.listen"
	Address string
	err     error
}

// Error names key, address and cause.
func (e *ListenError) Error() string {
	return fmt.Sprintf("listening on %s (%s): %v", e.Address, e.Key, e.err)
}

// Unwrap returns the cause.
func (e *ListenError) Unwrap() error { return e.err }
