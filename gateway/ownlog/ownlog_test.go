// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	checkpoint "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/delivery"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/recording"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

const (
	ownID  = "own-test"
	origin = "gateway.test/own"
)

// TestMain lets more tests run at once than there are processors: they mostly wait for intervals.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// room is an own log with the rooms around it, as a server joins them.
type room struct {
	*intake.Service
	*delivery.Waiters
	own      *ownlog.Log
	delivery *delivery.Delivery
}

// join makes rooms over a store, with keys in a folder and anchors in a log.
func join(t *testing.T, store gateway.Store, folder string, log gateway.Log, every time.Duration, known func() ([]ownlog.AnchorShard, error), options ...func(*ownlog.Config)) *room {
	t.Helper()
	r := &room{Waiters: delivery.NewWaiters(store)}
	quiet := slog.New(slog.DiscardHandler)
	cfg := ownlog.Config{
		ID: ownID, Store: store, Codec: recording.Own{}, Signer: must(attest.LoadCheckpointSigner(filepath.Join(folder, "own"), origin, true)),
		Anchorer: must(attest.LoadAnchorSigner(filepath.Join(folder, "anchor"), true)),
		Anchors:  func() ownlog.LogSet { return ownlog.LogSet{List: []gateway.Recorder{log}, Need: 1} }, AnchorShards: known,
		AnchorEvery: every, Stored: func(s gateway.Submission) { r.delivery.Wake(s) }, Changed: r.Notify, Logger: quiet, Now: time.Now,
	}
	for _, change := range options {
		change(&cfg)
	}
	r.own = must(ownlog.New(t.Context(), cfg))
	r.delivery = delivery.New(delivery.Config{
		Logs: []gateway.Log{log}, Elsewhere: []string{ownID}, Store: store, Probe: gatewaytest.NewProbe, Timing: gatewaytest.Quick, Logger: quiet,
		Changed: func(p []gateway.Progress) { r.Notify(p); r.own.NoteChanged(p) },
	})
	r.Service = intake.New(intake.Config{
		Formats: all.Formats(), Queue: store, Archive: store, MaxArtifact: 1 << 20, Committed: func(gateway.Submission) { r.own.Wake() },
		Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(log), Own: r.own, Ways: []gateway.Way{gateway.Batched}}),
	})
	return r
}

func noShards() ([]ownlog.AnchorShard, error) { return nil, nil }

// run runs the rooms until the returned function is called.
func (r *room) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, f := range []func(context.Context){r.Run, r.delivery.Run, r.own.Run} {
		running.Go(func() { f(ctx) })
	}
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

func openStore(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s := must(sqlite.Open(t.Context(), path, sqlite.Options{}))
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// logAll submits texts, and returns their leaf hashes by index once they are Logged.
func (r *room) logAll(t *testing.T, what string, n int) map[uint64]gateway.LeafHash {
	t.Helper()
	leaves, mu := map[uint64]gateway.LeafHash{}, sync.Mutex{}
	var all sync.WaitGroup
	for i := range n {
		request := gatewaytest.Signed(t, fmt.Sprint(what, i))
		all.Go(func() {
			sub, err := r.Submit(context.Background(), request, gatewaytest.NoArtifact)
			if err == nil {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				err = r.Await(ctx, &sub)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil || sub.State != gateway.Logged {
				t.Errorf("%s %d: %s, %v", what, i, sub.State, err)
				return
			}
			e := sub.Entries[0]
			if _, twice := leaves[*e.LogIndex]; twice || e.Log != ownID {
				t.Errorf("%s %d is at index %d of %s, as another is", what, i, *e.LogIndex, e.Log)
			}
			leaves[*e.LogIndex] = e.LeafHash
		})
	}
	all.Wait()
	return leaves
}

// checkProof returns the checkpoint by which a record is proven to be in the log.
func checkProof(t *testing.T, own interface {
	ProveRecord(context.Context, uint64) (*receiptpb.OwnRecord, error)
}, index uint64, leaf gateway.LeafHash) checkpoint.Checkpoint {
	t.Helper()
	record := must(own.ProveRecord(t.Context(), index))
	p := must(receipt.ParseOwnProof([]byte(record.GetProof())))
	var cp checkpoint.Checkpoint
	_ = must(cp.Unmarshal(p.Checkpoint))
	hashes := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		hashes[i] = p.Hashes[i][:]
	}
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, leaf[:], hashes, cp.Hash); err != nil || p.Index != index {
		t.Errorf("record %d: %v", index, err)
	}
	anchored := sha256.Sum256(must(receipt.AnchoredBytes(p.Checkpoint)))
	if len(record.GetAnchors()) != 1 || !bytes.Equal(record.GetAnchors()[0].GetBundle().GetMessageSignature().GetMessageDigest().GetDigest(), anchored[:]) {
		t.Errorf("record %d: its checkpoint is not what is anchored", index)
	}
	return cp
}

// TestRecords: each record is in the log once, from two processes on one store too, and its proof leads to an anchored checkpoint. The
// log goes on after a restart, and proofs of before stay what they are.
func TestRecords(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	one := join(t, store, folder, log, 300*time.Millisecond, noShards)
	two := join(t, store, folder, log, 300*time.Millisecond, noShards)
	stops := []func(){one.run(t), two.run(t)}
	var leaves [2]map[uint64]gateway.LeafHash
	var both sync.WaitGroup
	for i, r := range []*room{one, two} {
		both.Go(func() { leaves[i] = r.logAll(t, fmt.Sprint("room ", i), 300) })
	}
	both.Wait()
	for _, stop := range stops {
		stop()
	}
	roots := map[uint64][]byte{}
	for i := range leaves {
		for index, leaf := range leaves[i] {
			if cp := checkProof(t, one.own, index, leaf); roots[cp.Size] == nil {
				roots[cp.Size] = cp.Hash
			} else if !bytes.Equal(roots[cp.Size], cp.Hash) {
				t.Errorf("two roots of %d records", cp.Size)
			}
		}
	}
	state := must(store.OwnLog(t.Context(), ownID))
	if state.Tree.Size != 600 || state.Logged != 600 || len(leaves[0])+len(leaves[1]) != 600 {
		t.Errorf("%d records, %d logged", state.Tree.Size, state.Logged)
	}
	anchors, _ := log.Count()
	t.Logf("%d anchors for %d records", anchors, state.Tree.Size)

	again := join(t, store, folder, log, 300*time.Millisecond, noShards)
	again.run(t)
	for index, leaf := range again.logAll(t, "again", 10) {
		checkProof(t, again.own, index, leaf)
	}
	for index, leaf := range leaves[1] {
		if cp := checkProof(t, again.own, index, leaf); !bytes.Equal(roots[cp.Size], cp.Hash) {
			t.Errorf("record %d is proven by another checkpoint than before", index)
		}
	}
}

// TestEarlyAnchor: when no more records come, those that wait are anchored without waiting for the end of the interval, once.
func TestEarlyAnchor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	r := join(t, store, folder, log, time.Hour, noShards)
	r.run(t)
	r.logAll(t, "first", 1)
	r.logAll(t, "soon after", 3)
	for i := range 3 {
		must(r.Submit(t.Context(), gatewaytest.Signed(t, fmt.Sprint("later ", i)), gatewaytest.NoArtifact))
	}
	await(t, "all are sequenced", func() bool { return must(store.OwnLog(t.Context(), ownID)).Tree.Size == 7 })
	time.Sleep(3 * time.Second) // what would be early has come
	if state, anchors := must(store.OwnLog(t.Context(), ownID)), first(log.Count()); state.Logged != 4 || anchors != 2 {
		t.Errorf("%d records logged by %d anchors, want 4 by 2", state.Logged, anchors)
	}
}

// TestEarlyAnchorsAreFew: neither restarts nor others, of whose anchors one sees the last alone, make more of them.
func TestEarlyAnchorsAreFew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by       []int // who brings the records
		restarts bool
	}{"restarts": {[]int{0, 1, 2, 3}, true}, "replicas": {[]int{0, 0, 1, 2}, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
			var rooms [4]*room
			for i := range rooms {
				rooms[i] = join(t, store, folder, log, time.Hour, noShards)
				if !test.restarts {
					rooms[i].run(t)
				}
			}
			for i, by := range test.by {
				stop := func() {}
				if test.restarts {
					stop = rooms[by].run(t)
				}
				must(rooms[by].Submit(t.Context(), gatewaytest.Signed(t, fmt.Sprint("record ", i)), gatewaytest.NoArtifact))
				await(t, "it is sequenced", func() bool { return must(store.OwnLog(t.Context(), ownID)).Tree.Size > uint64(i) })
				time.Sleep(2 * time.Second) // what would be early has come
				stop()
			}
			if anchors := first(log.Count()); anchors > 2 {
				t.Errorf("%d anchors in an interval, want at most 2", anchors)
			}
		})
	}
}

func first[T, U any](v T, _ U) T { return v }

// TestOneAnchorAnInterval: however many records come, and whoever brings them, there is one anchor for each interval, and one more.
func TestOneAnchorAnInterval(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store, log := openStore(t, filepath.Join(folder, "db")), gatewaytest.NewLog()
	const every = 2 * time.Second
	rooms := []*room{join(t, store, folder, log, every, noShards), join(t, store, folder, log, every, noShards), join(t, store, folder, log, every, noShards)}
	for _, r := range rooms {
		r.run(t)
	}
	begun := time.Now()
	for time.Since(begun) < 3*every {
		var all sync.WaitGroup
		for i, r := range rooms {
			all.Go(func() { r.logAll(t, fmt.Sprint(i, time.Now()), 5) })
		}
		all.Wait()
	}
	anchors, _ := log.Count()
	if most := int(time.Since(begun)/every) + 2; anchors > most {
		t.Errorf("%d anchors in %v, want at most %d", anchors, time.Since(begun), most)
	}
}
