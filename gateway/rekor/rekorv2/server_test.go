// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	rekorverify "github.com/sigstore/rekor-tiles/v2/pkg/verify"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// endpoint is what the real log and the fake have in common.
type endpoint interface {
	GRPCURL() string
	ReadURL() string
	Origin() string
	Verifier() note.Verifier
	KeyID() []byte
}

func config(e endpoint) rekorv2.Config {
	return rekorv2.Config{
		ID: "test", Shards: []rekorv2.Shard{shardOf(e)},
		RequestTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second,
	}
}

func shardOf(e endpoint) rekorv2.Shard {
	return rekorv2.Shard{Origin: e.Origin(), GRPCURL: e.GRPCURL(), ReadURL: e.ReadURL(), Verifier: e.Verifier(), KeyID: e.KeyID()}
}

func open(t testing.TB, cfg rekorv2.Config, store gateway.Checkpoints) *rekorv2.Log {
	t.Helper()
	l, err := rekorv2.New(cfg, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

// checkInclusion verifies an inclusion with the upstream client's own verification.
func checkInclusion(t testing.TB, got *gateway.Inclusion, e gateway.Prepared, v note.Verifier) {
	t.Helper()
	if got == nil {
		t.Error("no inclusion")
		return
	}
	entry := logtest.TransparencyLogEntry(t, got, e.Body)
	if err := rekorverify.VerifyLogEntry(entry, v); err != nil {
		t.Errorf("upstream does not verify the inclusion: %v", err)
	}
	if !bytes.Equal(entry.GetCanonicalizedBody(), e.Body) {
		t.Error("inclusion of another body")
	}
	if k := entry.GetKindVersion(); k.GetKind() != "hashedrekord" || k.GetVersion() != "0.0.2" {
		t.Errorf("kind is %v", k)
	}
	if len(entry.GetLogId().GetKeyId()) != 32 || entry.GetIntegratedTime() != 0 || entry.GetInclusionPromise() != nil {
		t.Error("not as a bundle needs it")
	}
}

func TestRealServer(t *testing.T) {
	t.Parallel() // it mostly waits for checkpoints
	server := rekortest.StartServer(t)
	store := new(rekortest.Checkpoints)
	l := open(t, config(server), store)
	signer := rekortest.NewECDSASigner(t)

	t.Run("adding twice", func(t *testing.T) {
		var wg sync.WaitGroup
		for _, signer := range []*rekortest.Signer{signer, rekortest.NewRSASigner(t), rekortest.NewEd25519phSigner(t)} {
			e := logtest.Prepare(t, l, signer.Record("twice"))
			wg.Go(func() { addTwice(t, l, server, e) })
		}
		wg.Wait()
	})
	// Not beside the others: the log forgets its duplicates after 256 more entries.
	t.Run("many at once", func(t *testing.T) { addMany(t, l, server, signer, 300) })
	t.Run("doubt after a kill", func(t *testing.T) { findAfterKill(t, l, server, signer) })
	t.Run("checkpoint survives", func(t *testing.T) {
		size, err := l.Size(t.Context(), l.Describe().Shard)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := store.Checkpoint(t.Context(), l.Describe().Shard)
		if err != nil || kept == nil || kept.Size != size {
			t.Fatalf("kept %v, %v; the log's size is %d", kept, err, size)
		}
		again := open(t, config(server), store)
		if got, err := again.Size(t.Context(), l.Describe().Shard); err != nil || got < size {
			t.Errorf("size %d, %v; want at least %d", got, err, size)
		}
	})
}

// addTwice adds an entry, and once more: the answer to the duplicate is as full.
func addTwice(t *testing.T, l *rekorv2.Log, server *rekortest.Server, e gateway.Prepared) {
	var indexes []uint64
	for range 2 {
		got, err := l.Add(t.Context(), l.Describe().Shard, e)
		if err != nil {
			t.Error(err)
			return
		}
		checkInclusion(t, got, e, server.Verifier())
		indexes = append(indexes, got.Index)
	}
	if indexes[0] != indexes[1] {
		t.Errorf("indexes %d", indexes)
	}
}

// addMany adds n entries at once and checks each inclusion.
func addMany(t *testing.T, l *rekorv2.Log, server *rekortest.Server, signer *rekortest.Signer, n int) {
	start := time.Now()
	var wg sync.WaitGroup
	for i := range n {
		e := logtest.Prepare(t, l, signer.Record(fmt.Sprint("many ", i)))
		wg.Go(func() {
			got, err := l.Add(t.Context(), l.Describe().Shard, e)
			if err != nil {
				t.Error(err)
				return
			}
			checkInclusion(t, got, e, server.Verifier())
		})
	}
	wg.Wait()
	t.Logf("%d entries in %v", n, time.Since(start).Round(time.Millisecond))
}

// findAfterKill kills the log while entries are under way. Those that it logged are then found,
// and it takes new ones.
func findAfterKill(t *testing.T, l *rekorv2.Log, server *rekortest.Server, signer *rekortest.Signer) {
	from, err := l.Size(t.Context(), l.Describe().Shard)
	if err != nil {
		t.Fatal(err)
	}
	entries := make([]gateway.Prepared, 20)
	leaves := make([]gateway.LeafHash, len(entries))
	for i := range entries {
		entries[i] = logtest.Prepare(t, l, signer.Record(fmt.Sprint("doubtful ", i)))
		leaves[i] = entries[i].LeafHash
	}
	var wg sync.WaitGroup
	errs := make([]error, len(entries))
	for i, e := range entries {
		wg.Go(func() { _, errs[i] = l.Add(t.Context(), l.Describe().Shard, e) })
	}
	time.Sleep(200 * time.Millisecond) // sequenced, but most answers take a second
	server.Kill()
	wg.Wait()
	server.Restart()
	time.Sleep(1200 * time.Millisecond) // a checkpoint interval

	found, err := l.Find(t.Context(), l.Describe().Shard, leaves, from, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d of %d were logged", len(found.Inclusions), len(entries))
	for i, e := range entries {
		if got, ok := found.Inclusions[e.LeafHash]; ok {
			checkInclusion(t, got, e, server.Verifier())
		} else if errs[i] == nil {
			t.Error("an entry is lost that was answered for")
		}
	}
	e := logtest.Prepare(t, l, signer.Record("after the restart"))
	got, err := l.Add(t.Context(), l.Describe().Shard, e)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, e, server.Verifier())
}
