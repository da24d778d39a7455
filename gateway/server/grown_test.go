// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// What the log of TestGrownLog is: entries were sent at its first size, and one when it was nearly as large as it is.
const (
	grownFrom, grownNear = 1000, grownTo - 1000
	grownDoubts          = 1000 // of which every other one was logged
)

// TestGrownLog: entries in doubt are found, and proven absent, in a log that has grown by millions since they were
// sent, though the process is ended in between; those that are not there hold up none, and what was searched is
// not searched again.
func TestGrownLog(t *testing.T) {
	t.Parallel()
	g := &grown{log: rekortest.StartGrown(t, grownFrom), path: filepath.Join(t.TempDir(), "gateway.db")}
	g.doubtAll(t)
	bundles := grownTo / 256
	started := time.Now()

	stop := g.run(t)
	g.await(t, "the entry near the end", func() bool { return g.logged(t, near) == 1 })
	if n := g.log.Bundles(); n > bundles/5 {
		t.Errorf("the entry near the end was found after %d bundles", n)
	}
	g.await(t, "a third of the log", func() bool { return g.log.Bundles() > bundles/3 })
	stop()
	found := g.logged(t, far)
	if found == 0 || found == grownDoubts/2 {
		t.Errorf("%d of %d found in a third of the log", found, grownDoubts/2)
	}
	read := g.log.Bundles()
	proven := g.leastProven(t)
	if proven < grownTo/4 {
		t.Errorf("absence is stored to %d only", proven)
	}

	stop = g.run(t)
	g.await(t, "all that is there", func() bool { return g.logged(t, far) == grownDoubts/2 })
	g.await(t, "the end of the log", func() bool { return g.leastProven(t) == grownTo })
	stop()
	if n := g.log.Bundles(); n > bundles*11/10 {
		t.Errorf("%d bundles were read of %d", n, bundles)
	}
	t.Logf("%d in doubt: %d found, %d absent to %d, %d bundles read (%d before it was ended), in %v",
		grownDoubts+1, grownDoubts/2+1, grownDoubts/2, grownTo, g.log.Bundles(), read, time.Since(started))
}

// grown is a log that has grown while entries were in doubt.
type grown struct {
	log   *rekortest.Grown
	path  string
	store *sqlite.Store
}

// Tenants by what is in doubt.
const far, near = "far", "near"

// doubtAll stores what is in doubt, and has the log grow.
func (g *grown) doubtAll(t *testing.T) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), g.path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[uint64][]byte{grownTo - 7: doubtfulBody(near, 0)}
	for i := 0; i < grownDoubts; i += 2 {
		for index, free := uint64(0), false; !free; {
			index = grownFrom + rand.Uint64N(grownNear-grownFrom)
			if _, taken := bodies[index]; !taken {
				bodies[index], free = doubtfulBody(far, i), true
			}
		}
	}
	g.doubt(t, store, far, grownDoubts, grownFrom)
	g.doubt(t, store, near, 1, grownNear)
	g.log.Grow(grownTo, bodies)
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func doubtfulBody(tenant string, i int) []byte { return fmt.Appendf(nil, "%s entry %d", tenant, i) }

// doubt stores n entries as sent when the log had size entries, without an outcome.
func (g *grown) doubt(t *testing.T, store *sqlite.Store, tenant string, n int, size uint64) {
	t.Helper()
	var subs []gateway.NewSubmission
	for i := range n {
		body := doubtfulBody(tenant, i)
		s := gateway.NewSubmission{
			SubmissionFields: gateway.SubmissionFields{ID: uuid.NewString(), Tenant: tenant, Key: sha256.Sum256(body), Format: "x509", Needed: 1},
			Entries:          []gateway.NewEntry{{Prepared: gateway.Prepared{Log: "grown", LeafHash: tiles.LeafHash(body), Kind: "test", Body: body}}},
		}
		subs = append(subs, s)
	}
	if _, err := store.Enqueue(t.Context(), subs); err != nil {
		t.Fatal(err)
	}
	claimed, err := store.Claim(t.Context(), gateway.ClaimParams{
		Log: "grown", Lease: time.Minute, Limit: n, InFlight: 2 * grownDoubts, TreeSize: size,
		Shard: gateway.Shard{Origin: g.log.Origin(), KeyID: [32]byte(g.log.KeyID())},
	})
	if err != nil || len(claimed) != n {
		t.Fatalf("claimed %d, %v", len(claimed), err)
	}
	var outcomes []gateway.Outcome
	for _, c := range claimed {
		outcomes = append(outcomes, gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Retry: true, InDoubt: true, Problem: gateway.ProblemUnknown})
	}
	if _, err := store.Finish(t.Context(), outcomes); err != nil {
		t.Fatal(err)
	}
}

// run is a process that delivers, until stop.
func (g *grown) run(t *testing.T) (stop func()) {
	t.Helper()
	var err error
	if g.store, err = sqlite.Open(t.Context(), g.path, sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	log, err := rekorv2.New(rekorv2.Config{
		ID: "grown", Shards: []rekorv2.Shard{{
			Origin: g.log.Origin(), GRPCURL: "http://127.0.0.1:1", ReadURL: g.log.ReadURL(), Verifier: g.log.Verifier(), KeyID: g.log.KeyID(),
		}},
	}, g.store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	d := delivery.New(delivery.Config{
		Logs: []gateway.Log{log}, Store: g.store, Changed: func([]gateway.Progress) {}, Logger: slog.New(slog.DiscardHandler),
		Timing: delivery.Timing{InFlight: 100, AddTimeout: time.Minute, Drain: time.Second},
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		<-done
		_ = log.Close()
	}
	t.Cleanup(func() { stop(); _ = g.store.Close() })
	return stop
}

func (g *grown) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !done(); time.Sleep(300 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not done after %d bundles", what, g.log.Bundles())
		}
	}
}

// logged counts the tenant's logged submissions.
func (g *grown) logged(t *testing.T, tenant string) int {
	t.Helper()
	subs, _, err := g.store.List(t.Context(), tenant, gateway.ListParams{State: gateway.Logged, PageSize: grownDoubts})
	if err != nil {
		t.Fatal(err)
	}
	return len(subs)
}

// leastProven returns how far the absence of all that is in doubt is stored.
func (g *grown) leastProven(t *testing.T) uint64 {
	t.Helper()
	doubts, err := g.store.Doubtful(t.Context(), gateway.DoubtParams{
		Log: "grown", Shard: gateway.Shard{Origin: g.log.Origin(), KeyID: [32]byte(g.log.KeyID())}, Limit: 2 * grownDoubts,
	})
	if err != nil || len(doubts) == 0 {
		t.Fatalf("%d in doubt, %v", len(doubts), err)
	}
	least := uint64(grownTo)
	for _, d := range doubts {
		least = min(least, d.AbsentTo)
	}
	return least
}
