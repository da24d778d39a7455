// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/rekorcompat"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/auth"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources"
)

// Options are what a configuration file does not say.
type Options struct {
	// Registry takes the metrics and is served at /metrics; nil makes one.
	Registry *prometheus.Registry
	// Logger is required.
	Logger *slog.Logger
	// Version of the program, for the statements it signs.
	Version string
	// Now is the clock by which the logs' keys are in use; nil is the machine's.
	Now func() time.Time
}

// Server is a gateway that listens already and serves once Run is called.
type Server struct {
	logger  *slog.Logger
	started config.Config // as Build got it
	drain   time.Duration
	now     func() time.Time // of the logs' keys
	version string           // of the program

	disk   *diskGuard
	spool  *upload.Spool
	store  Store // nil until it is open
	domain *domain
	// signals is the store's, or nil: nobody shares it.
	signals gateway.Signals
	// replicas is the store's, or nil, as signals.
	replicas gateway.Replicas
	inside   func() (int64, error) // bytes that are free in the file of a SQLite store; nil: it is another one
	drift    driftReport
	agreed   atomic.Pointer[map[string]string] // what all gateways on the store have to have the same, of the configuration in use
	// service is domain, as the listeners see it.
	service api.Service
	metrics *metrics
	access  middleware.AccessLog
	tracing *tracing // nil: off

	reloading   sync.Mutex                 // held while what follows changes, and the files in use
	logs        map[string]logAdapter      // by their IDs
	watched     []gateway.Log              // the same, as the domain has them
	drained     <-chan struct{}            // closed when no log that is gone is still at work
	inUse       config.Config              // as far as it is read again
	files       files                      // in use
	seenTrust   [sha256.Size]byte          // of what the logs come from when it was last looked at
	toldTrust   string                     // the fault of it that the operator was told last
	shardsInUse map[string]gateway.LogInfo // by the log's ID, as the operator was told last
	shardsNew   bool                       // there are others than those that the trust file and the policies were made for
	retryTrust  time.Time                  // when what was seen, and could not be used, is tried again
	retries     *backoff.ExponentialBackOff

	closing     sync.WaitGroup                            // of logs that are gone
	tuf         *sources.TUF                              // nil: the logs come from files
	trees       *sources.Trees                            // with tuf
	extendTrust func(context.Context, []trustedLog) error // adds logs to the gateway trust file
	// restartRange has the attestation key count from the first index on in the log called origin; nil: there is no trust file.
	restartRange func(origin string) error
	ranged       map[string]gateway.Shard  // by the log's ID: whose range is known to be right; under reloading
	rootFile     atomic.Pointer[[]byte]    // the trusted root in use
	expires      atomic.Pointer[time.Time] // when what the logs in use come from does; zero: never

	certificates  certificates
	callers       *auth.Authenticator
	own           [][sha256.Size]byte         // the gateway's own keys
	rekorLog      atomic.Pointer[rekorv2.Log] // that of rekor_api.v2; nil: it is not configured any more
	rekorV2       *rekorcompat.V2             // nil: it is off
	rekorV1Log    atomic.Pointer[rekorv1.Log] // that of rekor_api.v1; nil: it is not configured any more
	rekorV1       *rekorcompat.V1             // nil: it is off
	ownLog        *ownLog
	facade        *facadeLog // nil: clients of Rekor v1 see none
	proxies       middleware.Proxies
	quotas        quotas // of callers
	audit         *auditor
	rateLimit     *middleware.RateLimit
	sharedLimiter io.Closer // what rateLimit counts in, where that is shared; nil: it is not

	memory    *gateway.Memory // of all requests
	admission admission
	panics    *panics.Reporter

	listeners listeners
	http      *http.Server
	grpc      *grpc.Server
	admin     *http.Server
	health    *health.Server
	batches   api.Batches     // over HTTP and gRPC
	stopping  context.Context // ends by stop, when no more calls are taken
	stop      context.CancelFunc
}

// Build opens everything that cfg names. It binds the ports first, so that a second gateway on
// the same machine fails before it touches the store. Whoever does not call Run calls Close.
func Build(ctx context.Context, cfg *config.Config, o Options) (*Server, error) {
	s := &Server{logger: o.Logger, started: *cfg, drain: cfg.Worker.Drain, now: o.Now, version: o.Version, drained: closedChannel(), ranged: map[string]gateway.Shard{}, callers: auth.New(time.Now), retries: newTrustRetries()}
	s.callers.Logger = o.Logger
	s.stopping, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	if s.now == nil {
		s.now = wallClock
	}
	if cfg.Logging.Access {
		s.access = middleware.AccessLog{Logger: o.Logger}
	}
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
	if err := s.openSource(ctx, cfg); err != nil {
		return err
	}
	f, err := readFiles(ctx, cfg, func() (sources.Snapshot, error) { return s.readSnapshot(ctx, cfg) }, s.now())
	if err != nil {
		return err
	}
	s.certificates.listenFor(cfg.Listeners)
	s.certificates.setAll(f)
	s.quotas.use(cfg)
	if err := upload.CheckSpool(cfg.Limits.SpoolDir); err != nil {
		return fmt.Errorf("limits.spool_dir: %w", err)
	}
	m, err := newMetrics(o.Registry)
	if err != nil {
		return err
	}
	s.metrics = m
	if err := s.openLimit(cfg.Limits); err != nil {
		return err
	}
	if err := s.openAudit(cfg.Audit); err != nil {
		return err
	}
	s.proxies = cfg.ListProxies()
	s.boundRequests(cfg.Limits)
	s.callers.Panics = s.panics
	s.callers.Use(f.callers)
	if s.tracing, err = newTracing(ctx, cfg.Tracing, o.Version, s.logger); err != nil {
		return err
	}
	if err := s.openStore(ctx, cfg); err != nil {
		return err
	}
	s.disk = newDiskGuard(cfg, s.inside, s.logger)
	s.spool = upload.NewSpool(upload.SpoolConfig{
		Dir: cfg.Limits.SpoolDir, Max: int64(cfg.Limits.MaxSpoolBytes), CheckDisk: s.disk.checkWrite,
	})
	if err := m.watchServer(s, cfg, o.Version); err != nil {
		return err
	}
	if err := s.composeDomain(ctx, cfg, f, m, o.Version); err != nil {
		return err
	}
	s.service = watchedDomain{s.domain, m.submissions, s.audit}
	s.rekorV2, s.rekorV1 = s.newRekorV2(cfg), s.newRekorV1(cfg)
	s.http = s.newHTTP(cfg, m)
	s.grpc = s.newGRPC(cfg, m)
	s.admin = s.newAdmin(cfg.Admin, m)
	return nil
}

// boundRequests makes what bounds connections and requests of all listeners together.
func (s *Server) boundRequests(c config.Limits) {
	s.panics = panics.NewReporter(s.logger, s.metrics.requests.countPanic)
	s.memory = gateway.NewMemory(int64(c.MaxRequestMemory))
	s.admission = newAdmission(c, s.memory)
	s.listeners.boundConnections(c, s.proxies, s.metrics.requests.connections.Inc, s.memory)
}

// Close gives back what Build took. It is for a Server that is not run.
func (s *Server) Close() error {
	err := s.listeners.closeListeners()
	if s.grpc != nil {
		s.grpc.Stop()
	}
	return errors.Join(err, s.closeStores())
}

func closedChannel() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (s *Server) closeStores() error {
	s.stop()
	s.callers.Close()
	s.closing.Wait()
	var errs []error
	for _, l := range s.logs {
		errs = append(errs, l.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.sharedLimiter != nil {
		errs = append(errs, s.sharedLimiter.Close())
	}
	errs = append(errs, s.audit.close())
	if err := s.tracing.close(); err != nil {
		s.logger.Warn("traces are lost", "error", err)
	}
	return errors.Join(errs...)
}

// Addresses are where a Server listens, as URLs.
type Addresses struct {
	HTTP  string `json:"http"`
	GRPC  string `json:"grpc"`
	Admin string `json:"admin"`
	// Listeners are those at which everybody is the same caller, in the configuration's order.
	Listeners []string `json:"listeners,omitempty"`
}

// Addresses returns where s listens.
func (s *Server) Addresses() Addresses {
	url := func(scheme string, l net.Listener, secure bool) string {
		if secure {
			scheme += "s"
		}
		return scheme + "://" + l.Addr().String()
	}
	a := Addresses{
		HTTP:  url("http", s.listeners.http, s.listeners.httpSecure),
		GRPC:  url("grpc", s.listeners.grpc, s.listeners.grpcSecure),
		Admin: url("http", s.listeners.admin, false),
	}
	for i := range s.listeners.callers {
		l := &s.listeners.callers[i]
		a.Listeners = append(a.Listeners, url("http", l.Listener, l.config.TLS.CertFile != ""))
	}
	return a
}

// Ready returns nil when submissions can be taken.
func (s *Server) Ready(ctx context.Context) error {
	if s.stopping.Err() != nil {
		return gateway.ErrClosed
	}
	if err := s.checkTaking(); err != nil {
		return err
	}
	return s.domain.Ready(ctx)
}
