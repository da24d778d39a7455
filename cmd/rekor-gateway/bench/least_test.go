// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv2"
)

// leastWriter does no more than a gateway must: it verifies and stores each entry before it sends it, checks what the log answers, and stores the proof, by
// the gateway's own store and log client. Each step has its transactions, as a gateway's have: one stores what was verified, one leases what is
// sent next, one stores what was proven. It is a part of this process: nobody submits anything to it, and it answers nobody.
type leastWriter struct {
	*bareLoop
	store     gateway.Store
	log       *rekorv2.Log
	size      uint64                      // the log's, before anything is sent
	pause     time.Duration               // how long a transaction waits for more to store
	proven    func(leaf gateway.LeafHash) // called once the proof of an entry is durable
	queue     chan gateway.NewSubmission  // verified
	stored    chan struct{}               // one for each that may be leased
	leased    chan gateway.Claimed        // as many ahead as are in flight
	logged    chan answered               // and checked
	steps     sync.WaitGroup              // that run
	collected int                         // before: see collectAt
}

// collectAt is how much garbage this process collects while such a writer is at work, in percent of what is in use. It holds all that is going to be sent, many
// times what a writer holds; with 250 there is as much garbage to each byte that is looked at as there is in a gateway, which is set up for that.
const collectAt = 250

// answered is an entry with what became of it.
type answered struct {
	gateway.Outcome
	leaf gateway.LeafHash
}

// startLeast starts a writer with a store of its own, which has so many entries under way to log at grpcURL. It calls proven, if given, from one goroutine.
func startLeast(t *testing.T, log *rekortest.Server, grpcURL string, inFlight int, pause time.Duration, proven func(gateway.LeafHash)) *leastWriter {
	store := openSQLite(t, filepath.Join(t.TempDir(), "least.db"))
	w := &leastWriter{
		store: store, log: openLog(t, log, grpcURL, store), pause: pause, proven: proven,
		queue: make(chan gateway.NewSubmission, 4*bareBatch), stored: make(chan struct{}, 1<<20), leased: make(chan gateway.Claimed, inFlight), logged: make(chan answered, inFlight),
	}
	w.bareLoop = newBareLoop(t, store, w.log)
	w.collected = debug.SetGCPercent(collectAt)
	w.size = must(w.log.Size(t.Context(), w.log.Describe().Shard))
	w.steps.Go(w.storeAll)
	w.steps.Go(w.leaseAll)
	w.steps.Go(func() { w.sendAll(inFlight) })
	w.steps.Go(w.proveAll)
	return w
}

// openLog returns the gateway's client of log, which keeps its checkpoints in store.
func openLog(t *testing.T, log *rekortest.Server, grpcURL string, store gateway.Checkpoints) *rekorv2.Log {
	shard := rekorv2.Shard{Origin: log.Origin(), GRPCURL: grpcURL, ReadURL: log.ReadURL(), Verifier: log.Verifier(), KeyID: log.KeyID()}
	l := must(rekorv2.New(rekorv2.Config{ID: logID, Shards: []rekorv2.Shard{shard}, Connections: logConnections, RequestTimeout: deadline},
		store, slog.New(slog.DiscardHandler), prometheus.NewRegistry()))
	t.Cleanup(func() { check(l.Close()) })
	return l
}

// makeRows returns what is stored of items, and leaves no garbage of that behind.
func (w *leastWriter) makeRows(items []item) []gateway.NewSubmission {
	rows := w.rows.makeRows(items)
	runtime.GC()
	return rows
}

// write verifies an item, and has its row stored and sent.
func (w *leastWriter) write(i item, row gateway.NewSubmission) {
	w.verify(i)
	w.queue <- row
}

// finish returns once all that was written is logged and its proof durable.
func (w *leastWriter) finish() {
	close(w.queue)
	w.steps.Wait()
	debug.SetGCPercent(w.collected)
}

func (w *leastWriter) storeAll() {
	defer close(w.stored)
	for batch := gather(w.queue, w.pause); batch != nil; batch = gather(w.queue, w.pause) {
		w.enqueue(batch)
		for range batch {
			w.stored <- struct{}{}
		}
	}
}

func (w *leastWriter) leaseAll() {
	defer close(w.leased)
	shard := w.log.Describe().Shard
	for batch := gather(w.stored, 0); batch != nil; batch = gather(w.stored, 0) {
		claimed := must(w.store.Claim(context.Background(), gateway.ClaimParams{
			Log: logID, Lease: deadline, Limit: len(batch), InFlight: 1 << 30, Shard: shard, TreeSize: w.size,
		}))
		if len(claimed) != len(batch) {
			panic(fmt.Sprintf("%d of %d entries leased", len(claimed), len(batch)))
		}
		for _, c := range claimed {
			w.leased <- c
		}
	}
}

func (w *leastWriter) sendAll(inFlight int) {
	defer close(w.logged)
	var senders sync.WaitGroup
	for range inFlight {
		senders.Go(func() {
			for c := range w.leased {
				inclusion := must(w.log.Add(context.Background(), c.Shard, c.Prepared()))
				w.logged <- answered{gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Inclusion: inclusion}, c.LeafHash}
			}
		})
	}
	senders.Wait()
}

func (w *leastWriter) proveAll() {
	for batch := gather(w.logged, w.pause); batch != nil; batch = gather(w.logged, w.pause) {
		outcomes := make([]gateway.Outcome, len(batch))
		for i, a := range batch {
			outcomes[i] = a.Outcome
		}
		_ = must(w.store.Finish(context.Background(), outcomes))
		if w.proven == nil {
			continue
		}
		for _, a := range batch {
			w.proven(a.leaf)
		}
	}
}

// gather returns what a channel has, up to bareBatch, once it has something; nil once it is closed. Where that is less, it waits for more to come.
func gather[T any](from <-chan T, pause time.Duration) (batch []T) {
	for v := range from {
		if batch = append(batch, v); len(batch) == 1 && len(from) < bareBatch-1 {
			time.Sleep(pause)
		}
		if len(batch) == bareBatch || len(from) == 0 {
			break
		}
	}
	return batch
}
