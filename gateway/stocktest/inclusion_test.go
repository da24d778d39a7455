// SPDX-License-Identifier: Apache-2.0

package stocktest

import (
	"fmt"
	"log/slog"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sigstore/sigstore-go/pkg/tlog"
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

func open(t *testing.T, e endpoint) *rekorv2.Log {
	t.Helper()
	l, err := rekorv2.New(rekorv2.Config{
		ID: "test", Shards: []rekorv2.Shard{{
			Origin: e.Origin(), GRPCURL: e.GRPCURL(), ReadURL: e.ReadURL(), Verifier: e.Verifier(), KeyID: e.KeyID(),
		}},
		RequestTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second,
	}, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
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

// TestSigstoreGoReadsInclusions: those of a real log, in answers to new entries, to duplicates and as
// they are found, before and after it died.
func TestSigstoreGoReadsInclusions(t *testing.T) {
	t.Parallel() // it mostly waits for checkpoints
	server := rekortest.StartServer(t)
	l := open(t, server)
	var entries []gateway.Prepared
	for _, signer := range []*rekortest.Signer{rekortest.NewECDSASigner(t), rekortest.NewRSASigner(t), rekortest.NewEd25519phSigner(t)} {
		for i := range 10 {
			entries = append(entries, logtest.Prepare(t, l, signer.Record(fmt.Sprint("entry ", i))))
		}
	}
	addAll(t, l, entries)
	addAll(t, l, entries) // duplicates now
	findAll(t, l, entries)

	server.Kill()
	server.Restart()
	findAll(t, l, entries)
	addAll(t, l, []gateway.Prepared{logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("after the restart"))})
}

// TestSigstoreGoReadsInclusionsOfFake: what the other tests take for a log.
func TestSigstoreGoReadsInclusionsOfFake(t *testing.T) {
	t.Parallel()
	l := open(t, rekortest.StartFake(t))
	entries := []gateway.Prepared{logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("entry"))}
	addAll(t, l, entries)
	addAll(t, l, entries)
	findAll(t, l, entries)
}

// addAll adds the entries at once.
func addAll(t *testing.T, l *rekorv2.Log, entries []gateway.Prepared) {
	t.Helper()
	var wg sync.WaitGroup
	for _, e := range entries {
		wg.Go(func() {
			got, err := l.Add(t.Context(), l.Describe().Shard, e)
			if err != nil {
				t.Error(err)
				return
			}
			checkInclusion(t, got, e)
		})
	}
	wg.Wait()
}

func findAll(t *testing.T, l *rekorv2.Log, entries []gateway.Prepared) {
	t.Helper()
	leaves := make([]gateway.LeafHash, len(entries))
	for i, e := range entries {
		leaves[i] = e.LeafHash
	}
	found, err := l.Find(t.Context(), l.Describe().Shard, leaves, 0, math.MaxUint64)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if got := found.Inclusions[e.LeafHash]; got == nil {
			t.Error("an entry that was logged is not found")
		} else {
			checkInclusion(t, got, e)
		}
	}
}

// checkInclusion wants sigstore-go to read the inclusion as that of the entry.
func checkInclusion(t *testing.T, got *gateway.Inclusion, e gateway.Prepared) {
	t.Helper()
	read, err := tlog.ParseTransparencyLogEntry(logtest.TransparencyLogEntry(t, got, e.Body))
	if err != nil {
		t.Errorf("sigstore-go does not read the inclusion: %v", err)
		return
	}
	if read.LogIndex() != int64(got.Index) || !read.IsRekorV2() || !read.HasInclusionProof() || read.HasInclusionPromise() {
		t.Errorf("sigstore-go reads the inclusion of index %d as %+v", got.Index, read)
	}
}
