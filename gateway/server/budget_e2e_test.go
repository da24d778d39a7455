// SPDX-License-Identifier: Apache-2.0

//go:build e2e && unix

package server

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/steady"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/throttle"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// gate stands before a real log, since that one refuses nothing: it counts what it is sent, and refuses some.
type gate struct {
	rekortilespb.UnimplementedRekorServer
	log     rekortilespb.RekorClient
	refuses func() bool
	url     string

	mu       sync.Mutex // guards what follows
	arrivals []arrival
}

type arrival struct {
	at      time.Time
	refused bool
}

func (g *gate) CreateEntry(ctx context.Context, r *rekortilespb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	refused := g.refuses()
	g.mu.Lock()
	g.arrivals = append(g.arrivals, arrival{time.Now(), refused})
	g.mu.Unlock()
	if refused {
		return nil, status.Error(codes.ResourceExhausted, "too many entries")
	}
	return g.log.CreateEntry(ctx, r)
}

func startGate(t *testing.T, server *rekortest.Server, refuses func() bool) *gate {
	t.Helper()
	conn, err := grpc.NewClient("dns:///"+strings.TrimPrefix(server.GRPCURL(), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{log: rekortilespb.NewRekorClient(conn), refuses: refuses, url: "http://" + listener.Addr().String()}
	serving := grpc.NewServer()
	rekortilespb.RegisterRekorServer(serving, g)
	go func() { _ = serving.Serve(listener) }()
	t.Cleanup(func() { serving.Stop(); _ = conn.Close() })
	return g
}

// deliver sends entries through the gate to the real log, within limits, for a time; some are left over then.
func (g *gate) deliver(t *testing.T, server *rekortest.Server, limits delivery.Limits, entries int, d time.Duration) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	log, err := rekorv2.New(rekorv2.Config{
		ID: "real", Shards: []rekorv2.Shard{{
			Origin: server.Origin(), GRPCURL: g.url, ReadURL: server.ReadURL(), Verifier: server.Verifier(), KeyID: server.KeyID(),
		}}, RequestTimeout: time.Minute, Connections: connections,
	}, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	logs := []gateway.Log{log}
	domain := joinRooms(store, nil, intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(logs...)}), Queue: store, Archive: store}, delivery.Config{
		Logs: logs, Store: store, Logger: slog.New(slog.DiscardHandler), Limits: func(string) delivery.Limits { return limits },
		Timing: delivery.Timing{AddTimeout: time.Minute, Drain: 5 * time.Second},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { domain.Run(ctx) })
	r := &realDomain{domain: domain, keys: map[string][][]byte{}}
	var submitting sync.WaitGroup
	for from := range 50 {
		submitting.Go(func() {
			for i := from; i < entries; i += 50 {
				r.submitSigned(t, fmt.Sprint("entry ", i))
			}
		})
	}
	submitting.Wait()
	time.Sleep(d)
	cancel()
	running.Wait()
}

// mostWithin returns the largest number of arrivals within d.
func (g *gate) mostWithin(d time.Duration) (most int) {
	first := 0
	for i, a := range g.arrivals {
		for a.at.Sub(g.arrivals[first].at) >= d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// TestBudgetAtTheServer: counted where they arrive, no more entries than configured come within any ten seconds, by five percent,
// those included that are sent again.
func TestBudgetAtTheServer(t *testing.T) {
	t.Parallel()
	const perSecond = 40
	server := rekortest.StartServer(t)
	g := startGate(t, server, func() bool { return rand.Float64() < 0.2 })
	g.deliver(t, server, delivery.Limits{Rate: perSecond}, 1800, 45*time.Second)
	most := g.mostWithin(10 * time.Second)
	t.Logf("%d arrived, at most %d within ten seconds", len(g.arrivals), most)
	if most > 10.5*perSecond || most < 9*perSecond {
		t.Errorf("%d arrived within ten seconds, configured are %d a second", most, perSecond)
	}
}

// TestRefusalsAtTheServer: without a configured rate, a log that refuses more than so many a second refuses at most one in twenty
// after half a minute, and is kept busy.
func TestRefusalsAtTheServer(t *testing.T) {
	t.Parallel()
	const perSecond = 40
	server := rekortest.StartServer(t)
	limiter := rate.NewLimiter(perSecond, perSecond)
	g := startGate(t, server, func() bool { return !limiter.Allow() })
	g.deliver(t, server, delivery.Limits{Throttle: throttle.New()}, 4000, 60*time.Second)
	after, refused := 0, 0
	for _, a := range g.arrivals {
		if since := a.at.Sub(g.arrivals[0].at); since >= 30*time.Second && since < 60*time.Second {
			after++
			if a.refused {
				refused++
			}
		}
	}
	t.Logf("%d arrived from the 30th to the 60th second, %d refused", after, refused)
	if refused*20 > after || after < 30*perSecond*7/10 {
		t.Errorf("%d of %d refused", refused, after)
	}
}

// deliverBy is deliver by several gateways on one database: entries wait for all of them, and one of them leaves before the end.
func (g *gate) deliverBy(t *testing.T, gateways int, server *rekortest.Server, limits delivery.Limits, entries int, d time.Duration) {
	t.Helper()
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	var domains []*domain
	var leave []func()
	for range gateways {
		d, stop := g.joinGateway(t, dsn, server, limits)
		domains, leave = append(domains, d), append(leave, stop)
	}
	var submitting sync.WaitGroup
	for from := range 30 {
		submitting.Go(func() {
			r := &realDomain{domain: domains[from%gateways], keys: map[string][][]byte{}}
			for i := from; i < entries; i += 30 {
				r.submitSigned(t, fmt.Sprint("entry ", i))
			}
		})
	}
	submitting.Wait()
	time.Sleep(d / 2)
	leave[0]()
	time.Sleep(d / 2)
	for _, stop := range leave[1:] {
		stop()
	}
}

// joinGateway runs a gateway on the database until stop.
func (g *gate) joinGateway(t *testing.T, dsn string, server *rekortest.Server, limits delivery.Limits) (_ *domain, stop func()) {
	t.Helper()
	kept := openShared(t, dsn)
	store := withSignals(kept)
	log, err := rekorv2.New(rekorv2.Config{
		ID: "real", Shards: []rekorv2.Shard{{
			Origin: server.Origin(), GRPCURL: g.url, ReadURL: server.ReadURL(), Verifier: server.Verifier(), KeyID: server.KeyID(),
		}}, RequestTimeout: time.Minute, Connections: connections,
	}, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	logs := []gateway.Log{log}
	domain := joinRooms(store, nil, intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(logs...)}), Queue: store, Archive: store}, delivery.Config{
		Logs: logs, Store: store, Logger: slog.New(slog.DiscardHandler), Limits: func(string) delivery.Limits { return limits }, Shared: true,
		Timing: delivery.Timing{AddTimeout: time.Minute, Drain: 5 * time.Second},
	})
	member := &membership{
		store: kept, delivery: domain.delivery, parts: func() map[string]string { return nil }, logger: slog.New(slog.DiscardHandler), drift: &driftReport{},
		began: steady.Now(), self: gateway.Replica{ID: uuid.NewString()},
	}
	ctx, cancel := context.WithCancel(context.Background())
	sharing, stopSharing := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { defer stopSharing(); domain.Run(ctx) })
	running.Go(func() { member.keepUntil(sharing) })
	running.Go(func() { kept.Hear(ctx, domain.hear) })
	return domain, func() {
		cancel()
		running.Wait()
		_ = log.Close()
	}
}

// TestSharedBudgetAtTheServer: several gateways together send no more than one may, by five percent, and no less; also while one
// leaves and the others take over what it had.
func TestSharedBudgetAtTheServer(t *testing.T) {
	t.Parallel()
	const perSecond = 40
	server := rekortest.StartServer(t)
	g := startGate(t, server, func() bool { return rand.Float64() < 0.2 })
	g.deliverBy(t, 3, server, delivery.Limits{Rate: perSecond}, 2000, 50*time.Second)
	most := g.mostWithin(10 * time.Second)
	t.Logf("%d arrived, at most %d within ten seconds", len(g.arrivals), most)
	if most > 10.5*perSecond || most < 9*perSecond {
		t.Errorf("%d arrived within ten seconds, configured are %d a second", most, perSecond)
	}
}
