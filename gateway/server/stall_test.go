// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/transparency-dev/tessera/api"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// stall is a real log that stalls with entries under way.
type stall struct {
	entries    int // under way when it stalls
	hold       time.Duration
	addTimeout time.Duration
	delay      time.Duration // the log's integration delay, far less than the stall
	late       int           // entries that are sent while it stalls
}

// TestStalledLog: the server, which forgets what it has after 256 others, does not sequence for a while, much longer than
// its integration delay is said to be. All that was under way is in doubt meanwhile, and nothing is logged twice.
func TestStalledLog(t *testing.T) {
	t.Parallel()
	testStalledLog(t, stall{entries: 300, hold: 9 * time.Second, addTimeout: 2 * time.Second, delay: time.Second, late: 6})
}

func testStalledLog(t *testing.T, s stall) {
	server := rekortest.StartServer(t)
	counts := new(doubtCounts)
	d := overServer(t, server, s, counts)
	d.submitSigned(t, "before")
	release := server.HoldSequencing()
	ids := make([]string, s.entries)
	var submitting sync.WaitGroup
	const submitters = 100
	for from := range submitters {
		submitting.Go(func() {
			for i := from; i < len(ids); i += submitters {
				ids[i] = d.submitSigned(t, fmt.Sprint("entry ", i))
			}
		})
	}
	submitting.Wait()
	for range s.late {
		time.Sleep(s.hold / time.Duration(s.late))
		ids = append(ids, d.submitSigned(t, fmt.Sprint("entry ", len(ids))))
	}
	if n := counts.most.Load(); n < int64(s.entries) {
		t.Errorf("%d entries were in doubt at most; the test wants all of them", n)
	}
	release()
	released := time.Now()
	leaves := map[gateway.LeafHash]bool{}
	for i, id := range ids {
		sub := settled(t, d.domain, id, 3*time.Minute)
		if sub.State != gateway.Logged {
			t.Fatalf("%s is %s, %s", id, sub.State, sub.Entries[0].Problem)
		}
		leaves[sub.Entries[0].LeafHash] = true
		d.checkReceipt(t, sub, fmt.Sprint("entry ", i))
	}
	took := time.Since(released)
	logged := readLeaves(t, server)
	for leaf := range leaves {
		if logged[leaf] != 1 {
			t.Errorf("leaf %x is logged %d times", leaf, logged[leaf])
		}
	}
	for leaf, n := range logged {
		if n != 1 {
			t.Errorf("leaf %x, of a probe or not, is logged %d times", leaf, n)
		}
	}
	t.Logf("%d entries held for %v: all logged once %v after that, %d in doubt at most, %d found, %d proven absent, %d probes",
		len(ids), s.hold, took, counts.most.Load(), counts.found.Load(), counts.absent.Load(), len(logged)-len(leaves)-1)
}

// doubtCounts are what delivery counts of doubts.
type doubtCounts struct{ most, found, absent atomic.Int64 }

func (c *doubtCounts) metrics() delivery.Metrics {
	return delivery.Metrics{
		InDoubt: func(_ string, here, _ int) {
			if int64(here) > c.most.Load() {
				c.most.Store(int64(here))
			}
		},
		Settled: func(_ string, found, absent int) { c.found.Add(int64(found)); c.absent.Add(int64(absent)) },
	}
}

// realDomain is the joined rooms over a real log, and what a reader trusts.
type realDomain struct {
	*domain
	root *trustroot.Root

	mu   sync.Mutex // guards keys
	keys map[string][][]byte
}

// overServer runs the rooms over a real log until the test ends.
func overServer(t *testing.T, server *rekortest.Server, s stall, counts *doubtCounts) *realDomain {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "gateway.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	log, err := rekorv2.New(rekorv2.Config{
		ID: "real", Shards: []rekorv2.Shard{{
			Origin: server.Origin(), GRPCURL: server.GRPCURL(), ReadURL: server.ReadURL(), Verifier: server.Verifier(), KeyID: server.KeyID(),
		}}, IntegrationDelay: s.delay, RequestTimeout: s.addTimeout, Connections: connections,
	}, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = log.Close() })
	signer, err := attest.New(attest.Config{Active: filepath.Join(t.TempDir(), "key.pem"), Create: true})
	if err != nil {
		t.Fatal(err)
	}
	spki, err := server.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	root, err := trustroot.New(trustroot.LogKey{Origin: server.Origin(), SPKI: spki, Start: time.Now().Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	logs := []gateway.Log{log}
	d := &realDomain{root: root, keys: map[string][][]byte{}, domain: joinRooms(store, nil,
		intake.Config{Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(logs...)}), Queue: store, Archive: store},
		delivery.Config{
			Logs: logs, Store: store, Probe: newProbe(signer), Metrics: counts.metrics(), Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
			Timing: delivery.Timing{InFlight: s.entries + s.late + 1, AddTimeout: s.addTimeout, Drain: time.Second},
		})}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { d.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return d
}

// submitSigned submits a signature over text and returns the submission's ID.
func (d *realDomain) submitSigned(t *testing.T, text string) string {
	request := gatewaytest.Signed(t, text)
	sub, err := d.Submit(context.Background(), request, gatewaytest.NoArtifact)
	if err != nil {
		t.Error(err)
		return ""
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.keys[sub.ID] = request.Keys
	return sub.ID
}

func (d *realDomain) checkReceipt(t *testing.T, sub gateway.Submission, text string) {
	t.Helper()
	r, err := d.Receipt(t.Context(), sub)
	if err != nil {
		t.Fatal(err)
	}
	_, err = receipt.Verify(t.Context(), r, receipt.Options{
		Registry: all.Formats(), TrustedRoot: d.root, Now: time.Now(), ExpectedKeys: d.keys[sub.ID], Artifact: bytes.NewReader([]byte(text)),
	})
	if err != nil {
		t.Errorf("the receipt of %s: %v", text, err)
	}
}

// readLeaves counts each leaf in a log's entry bundles.
func readLeaves(t *testing.T, server *rekortest.Server) map[gateway.LeafHash]int {
	t.Helper()
	reader, err := tiles.NewReader(tiles.ReaderConfig{URL: server.ReadURL(), UserAgent: "test"})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	envelope, err := reader.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cp, err := tiles.OpenCheckpoint(envelope, server.Origin(), server.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	counts, total := map[gateway.LeafHash]int{}, 0
	for index := uint64(0); index*256 < cp.Size; index++ {
		raw, err := reader.Bundle(t.Context(), index, uint8(min(256, cp.Size-index*256)%256))
		if err != nil {
			t.Fatal(err)
		}
		var bundle api.EntryBundle
		if err := bundle.UnmarshalText(raw); err != nil {
			t.Fatal(err)
		}
		for _, body := range bundle.Entries {
			counts[tiles.LeafHash(body)]++
			total++
		}
	}
	if uint64(total) < cp.Size {
		t.Fatalf("%d entries read of %d", total, cp.Size)
	}
	return counts
}
