// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortilespb "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// holdingLog stands before a real log: it takes few calls at once on a connection, so that others wait in the caller, and holds what
// it took, whether the caller waits or not.
type holdingLog struct {
	rekortilespb.UnimplementedRekorServer
	log     rekortilespb.RekorClient
	address string
	release chan struct{} // closed when calls are let through

	mu      sync.Mutex // guards what follows
	arrived int
	logged  int // by calls that were held
	ended   sync.WaitGroup
}

const streamsAtOnce = 5 // on each connection

func (h *holdingLog) CreateEntry(_ context.Context, r *rekortilespb.CreateEntryRequest) (*rekorpb.TransparencyLogEntry, error) {
	h.mu.Lock()
	h.arrived++
	h.ended.Add(1)
	h.mu.Unlock()
	defer h.ended.Done()
	<-h.release
	entry, err := h.log.CreateEntry(context.Background(), r)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.logged++
	}
	return entry, err
}

func (h *holdingLog) counts() (arrived, logged int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.arrived, h.logged
}

func startHolding(t *testing.T, log *rekortest.Server) *holdingLog {
	t.Helper()
	conn := must(grpc.NewClient("dns:///"+strings.TrimPrefix(log.GRPCURL(), "http://"), grpc.WithTransportCredentials(insecure.NewCredentials())))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	h := &holdingLog{log: rekortilespb.NewRekorClient(conn), address: "http://" + listener.Addr().String(), release: make(chan struct{})}
	serving := grpc.NewServer(grpc.MaxConcurrentStreams(streamsAtOnce))
	rekortilespb.RegisterRekorServer(serving, h)
	go func() { _ = serving.Serve(listener) }()
	t.Cleanup(func() { serving.Stop(); _ = conn.Close() })
	return h
}

var doubledMetric = regexp.MustCompile(`(?m)^rekor_gateway_entries_doubled_total\{.*\} (\d+)$`)

// doubled is how many entries a gateway has counted as doubled.
func (g *deployment) doubled() int {
	g.t.Helper()
	resp := must(http.Get("http://" + g.cfg.Admin.Listen + "/metrics"))
	defer resp.Body.Close()
	found := doubledMetric.FindSubmatch(must(io.ReadAll(resp.Body)))
	if found == nil {
		return 0
	}
	return must(strconv.Atoi(string(found[1])))
}

// TestStoppedBeyondItsLeases: a gateway is stopped with calls under way, and others that wait in its connections, until another one
// has logged all of them. When it wakes it sends none of those that wait; those that the log had taken before are in it twice,
// and it counts them.
func TestStoppedBeyondItsLeases(t *testing.T) {
	t.Parallel()                   // it mostly waits
	const entries, more = 200, 400 // more than the log knows again
	log := rekortest.StartServer(t)
	held := startHolding(t, log)
	database := postgrestest.NewServer(t)
	program := buildProgram(t, "../rekor-gateway")
	var gateways []*deployment
	for range 2 {
		g := deploy(t, program, log)
		g.cfg.Store = config.Store{Postgres: config.Postgres{DSN: database.DSN("postgres"), MaxConnections: 16}}
		g.cfg.Logs[0].IntegrationDelay = time.Second
		gateways = append(gateways, g)
	}
	a, b := gateways[0], gateways[1]
	a.cfg.Logs[0].GRPCURL = held.address
	b.cfg.Attestation = config.Attestation{Key: a.file(keyFile)}
	a.start()
	s := newX509Signer()
	ids := submitMany(t, a, s, "wait=0", entries)
	until(t, "the log holds what it takes", 20*time.Second, func() bool { n, _ := held.counts(); return n == 4*streamsAtOnce })
	_ = a.process.Process.Signal(syscall.SIGSTOP)
	b.start()
	until(t, "the other one has logged all", 90*time.Second, func() bool {
		for _, id := range ids {
			if sub, err := b.get(id); err != nil || sub.State != "LOGGED" {
				return false
			}
		}
		return true
	})
	submitMany(t, b, s, "wait=30", more)
	close(held.release)
	held.ended.Wait()
	_ = a.process.Process.Signal(syscall.SIGCONT)
	time.Sleep(3 * time.Second)
	arrived, logged := held.counts()
	if arrived != 4*streamsAtOnce {
		t.Errorf("after it woke it sent %d more", arrived-4*streamsAtOnce)
	}
	if logged == 0 {
		t.Fatal("the log knew all of them again: nothing is shown")
	}
	until(t, "what is doubled is counted", 30*time.Second, func() bool { return a.doubled()+b.doubled() == logged })
	t.Logf("%d of %d were in the log's hands when the gateway was stopped, and are logged twice; %d waited in its connections", logged, entries, entries-arrived)
}

// submitMany submits new artifacts, and returns the IDs.
func submitMany(t *testing.T, g *deployment, s signer, query string, n int) []string {
	t.Helper()
	var submitting sync.WaitGroup
	ids := make([]string, n)
	for from := range 32 {
		submitting.Go(func() {
			for i := from; i < n; i += 32 {
				artifact := fmt.Sprint("artifact ", i, " ", query)
				_, sub, err := g.submit(query, [2]string{"signature", string(s.sign([]byte(artifact)))}, [2]string{"key", string(s.key)}, [2]string{"artifact", artifact})
				if err != nil {
					t.Error(err)
				}
				ids[i] = sub.ID
			}
		})
	}
	submitting.Wait()
	return ids
}

func until(t *testing.T, what string, within time.Duration, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
