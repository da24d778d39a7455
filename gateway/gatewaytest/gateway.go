// SPDX-License-Identifier: Apache-2.0

package gatewaytest

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/lookup"
)

// Quick is a delivery's timing for tests with a fake log.
var Quick = delivery.Timing{
	InFlight: 1024, AddTimeout: 300 * time.Millisecond, Drain: 100 * time.Millisecond,
	Lease: 2 * time.Second, Poll: 20 * time.Millisecond, ProbeAfter: 20 * time.Millisecond, Stalled: 5 * time.Second, Reopen: 50 * time.Millisecond,
}

// Config is what a Gateway is made of; zero fields take defaults for tests.
type Config struct {
	Logs     []gateway.Log // needed
	Need     int           // how many of Logs are; 0 is all
	Failover time.Duration // above 0: a submission goes to as many as are needed, and on after so long
	Store    gateway.Store // needed; the test closes it
	Formats  *formats.Registry
	Policy   formats.Policy
	Attester gateway.Attester
	Timing   delivery.Timing
	Limits   func(log string) delivery.Limits
	Metrics  delivery.Metrics
}

// Gateway is the rooms of the domain, joined as a server joins them.
type Gateway struct {
	*intake.Service
	*delivery.Waiters
	*lookup.Lookup
	*lookup.Estimator
	delivery *delivery.Delivery
	cfg      Config
}

// New joins the rooms; nothing is stored or sent before Start.
func New(cfg Config) *Gateway {
	if cfg.Formats == nil {
		cfg.Formats = all.Formats()
	}
	if cfg.Timing == (delivery.Timing{}) {
		cfg.Timing = Quick
	}
	g := &Gateway{Waiters: delivery.NewWaiters(cfg.Store), cfg: cfg}
	g.Estimator = lookup.NewEstimator(lookup.EstimatorConfig{Stats: cfg.Store.Stats, Lines: cfg.Store.Lines, Now: time.Now, Degraded: g.Degraded})
	g.delivery = delivery.New(delivery.Config{
		Logs: cfg.Logs, Store: cfg.Store, Changed: g.Notify, Probe: NewProbe, Timing: cfg.Timing, Limits: cfg.Limits, Metrics: cfg.Metrics,
		Failover: []delivery.Failover{cfg.failover()}, Logger: slog.New(slog.DiscardHandler),
	})
	g.Service = intake.New(intake.Config{
		Formats: cfg.Formats, Policies: intake.ForEverybody(intake.Policy{Signatures: cfg.Policy, Logs: cfg.logSet()}), Condition: g.condition, Queue: lookup.WithArchived(cfg.Store), Archive: cfg.Store, Attester: cfg.Attester,
		Origin: func(ctx context.Context) *gateway.AuditOrigin {
			return &gateway.AuditOrigin{RequestID: gateway.RequestID(ctx)}
		},
		Spool: memorySpool{}, Blobs: cfg.Store, MaxArtifact: 1 << 30, Committed: g.delivery.Wake,
	})
	var ids []string
	for _, l := range cfg.Logs {
		ids = append(ids, l.Describe().ID)
	}
	g.Lookup = lookup.New(cfg.Store, ids, nil)
	return g
}

func (c *Config) logSet() intake.LogSet {
	s := intake.AllOf(c.Logs...)
	if c.Need > 0 {
		s.Need, s.Failover = c.Need, c.Failover > 0
	}
	return s
}

func (c *Config) failover() (f delivery.Failover) {
	if c.Failover > 0 {
		f.After = c.Failover
		for _, l := range c.Logs {
			f.Logs = append(f.Logs, l.Describe().ID)
		}
	}
	return f
}

func (g *Gateway) condition(log string) intake.Condition {
	return intake.Condition{Unusable: !g.delivery.IsUsable(log)}
}

// Start runs the gateway until the returned function, or the end of the test, stops it.
func (g *Gateway) Start(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { g.Run(ctx) })
	running.Go(func() { g.delivery.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return stop
}

// Degraded returns what delivery says of its logs.
func (g *Gateway) Degraded() map[string]string { return g.delivery.Degraded() }

// Formats returns the registry of formats.
func (g *Gateway) Formats() *formats.Registry { return g.cfg.Formats }

// Archived returns what is cold of sub.
func (g *Gateway) Archived(t testing.TB, sub gateway.Submission) gateway.Archived {
	t.Helper()
	archived, err := g.cfg.Store.Archived(t.Context(), sub.Tenant, sub.ID)
	if err != nil {
		t.Fatal(err)
	}
	return archived
}

// memorySpool is a spool for small artifacts.
type memorySpool struct{}

// TakeIn implements gateway.Spool.
func (memorySpool) TakeIn(src io.Reader) (io.ReadCloser, error) {
	b, err := io.ReadAll(src)
	return io.NopCloser(bytes.NewReader(b)), err
}

// NoArtifact is what Submit is given for a request by digest, or one that contains its artifact.
func NoArtifact() (formats.Artifact, error) { return formats.Artifact{}, nil }

// Bytes returns what Submit is given for an artifact of these bytes.
func Bytes(b []byte) func() (formats.Artifact, error) {
	return func() (formats.Artifact, error) { return formats.FromReader(bytes.NewReader(b)), nil }
}
