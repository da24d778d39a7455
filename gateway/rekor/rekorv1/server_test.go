// SPDX-License-Identifier: Apache-2.0

package rekorv1_test

import (
	"bytes"
	"log/slog"
	"math"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	rekorpb "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// treeOf returns the tree of a server as a trusted root has it.
func treeOf(t testing.TB, s *rekorv1test.Server) trustroot.Log {
	t.Helper()
	root, err := trustroot.New(trustroot.LogKey{Origin: rekorv1test.Hostname, SPKI: s.Key, Start: time.Unix(0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	logs := root.LogsOf(rekorv1test.Hostname + " - " + strconv.FormatInt(s.TreeID(), 10))
	if len(logs) != 1 {
		t.Fatalf("the trusted root has %d logs", len(logs))
	}
	return logs[0]
}

func openReal(t testing.TB, s *rekorv1test.Server, store gateway.Checkpoints) *rekorv1.Log {
	t.Helper()
	l, err := rekorv1.New(rekorv1.Config{ID: "v1", URL: s.URL, Trees: []rekorv1.Tree{{Log: treeOf(t, s)}}}, store, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
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

// TestServer writes to the real Rekor v1, with every algorithm that it takes: each entry is logged as it was sent, and when it is sent again it is
// answered with the one that is there, also by another process.
func TestServer(t *testing.T) {
	s := rekorv1test.Start(t)
	store := new(rekortest.Checkpoints)
	l := openReal(t, s, store)
	shard := l.Describe().Shard
	if size, err := l.Size(t.Context(), shard); err != nil || size != 0 {
		t.Fatalf("size %d, %v", size, err)
	}
	var leaves []gateway.LeafHash
	for i, signer := range []*rekortest.Signer{rekortest.NewECDSASigner(t), rekortest.NewRSASigner(t), rekortest.NewEd25519phSigner(t)} {
		p := logtest.Prepare(t, l, signer.Record("message "+strconv.Itoa(i)))
		if p.Kind != hashedrekord.V1Kind {
			t.Errorf("kind %s", p.Kind)
		}
		leaves = append(leaves, p.LeafHash)
		first, err := l.Add(t.Context(), shard, p)
		if err != nil {
			t.Fatal(err)
		}
		checkInclusion(t, first, p, treeOf(t, s), uint64(i))
		for _, again := range []*rekorv1.Log{l, openReal(t, s, new(rekortest.Checkpoints))} {
			got, err := again.Add(t.Context(), shard, p)
			if err != nil {
				t.Fatal(err)
			}
			checkInclusion(t, got, p, treeOf(t, s), uint64(i))
		}
	}
	absent := gateway.LeafHash{1}
	found, err := l.Find(t.Context(), shard, append(leaves, absent), 1, math.MaxUint64)
	if err != nil || found.AbsentTo != 3 || len(found.Inclusions) != 2 || found.Inclusions[leaves[0]] != nil {
		t.Errorf("found %+v, %v", found, err)
	}
	if kept, err := store.Checkpoint(t.Context(), shard); err != nil || kept.Size != 3 {
		t.Errorf("kept %+v, %v", kept, err)
	}
}

// TestServerStalls: an entry that the log has not integrated in time is in doubt, and, sent again, is logged once.
func TestServerStalls(t *testing.T) {
	s := rekorv1test.Start(t)
	l, err := rekorv1.New(rekorv1.Config{
		ID: "v1", URL: s.URL, Trees: []rekorv1.Tree{{Log: treeOf(t, s)}}, RequestTimeout: time.Second, ReadTimeout: time.Second,
	}, new(rekortest.Checkpoints), slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	shard, p := l.Describe().Shard, logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("held"))
	s.Hold()
	for range 2 {
		if got, err := l.Add(t.Context(), shard, p); got != nil || logtest.OutcomeOf(err) != "unknown" && logtest.OutcomeOf(err) != "unavailable" {
			t.Errorf("held: %v, %v", got, err)
		}
	}
	s.Release()
	patient := openReal(t, s, new(rekortest.Checkpoints))
	got, err := patient.Add(t.Context(), shard, p)
	if err != nil {
		t.Fatal(err)
	}
	checkInclusion(t, got, p, treeOf(t, s), 0)
	if size, err := patient.Size(t.Context(), shard); err != nil || size != 1 {
		t.Errorf("size %d, %v", size, err)
	}
}

func checkInclusion(t *testing.T, got *gateway.Inclusion, p gateway.Prepared, l trustroot.Log, index uint64) {
	t.Helper()
	e := logtest.TransparencyLogEntry(t, got, p.Body)
	if got.Index != index || e.GetKindVersion().GetVersion() != hashedrekord.V1APIVersion || !bytes.Equal(e.GetLogId().GetKeyId(), l.ID) {
		t.Errorf("index %d of %+v", got.Index, e)
	}
	if age := time.Since(time.Unix(e.GetIntegratedTime(), 0)); age < -time.Minute || age > 10*time.Minute {
		t.Errorf("integrated %v ago", age)
	}
	if err := l.VerifyPromise(promise(e)); err != nil {
		t.Error(err)
	}
	tampered := proto.CloneOf(e)
	tampered.IntegratedTime--
	if l.VerifyPromise(promise(tampered)) == nil {
		t.Error("a promise of another time verifies")
	}
}

func promise(e *rekorpb.TransparencyLogEntry) trustroot.Promise {
	return trustroot.Promise{
		Body: e.GetCanonicalizedBody(), IntegratedTime: e.GetIntegratedTime(), LogIndex: e.GetLogIndex(), Signature: e.GetInclusionPromise().GetSignedEntryTimestamp(),
	}
}
