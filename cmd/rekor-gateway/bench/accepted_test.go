// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// What is accepted at once: the one for the RSS with as many pending, the other a sixth of each format.
const (
	acceptedX509  = 100_000
	acceptedMixed = 12_000
	bareX509      = 20_000
)

// measureAccepted measures how fast submissions become durable while the log is stopped, and the memory that many pending ones
// take.
func measureAccepted(t *testing.T, r *report) {
	log := rekortest.StartServer(t)
	gate := startGate(t, log)
	g := startGateway(t, "accepted", log, t.TempDir(), gate.stand)
	gate.shut.Store(true)
	log.Kill()
	clients := g.clients(batchStreams)
	sign := signX509()
	mixed := mixedItems(2 * scaled(acceptedMixed))
	var x509Bare, x509Gateway, mixedBare, mixedGateway spent
	bare := newBareLoop(t, openSQLite(t, filepath.Join(t.TempDir(), "bare.db")), gatewaytest.NewLog())
	accept := func(items []item) spent {
		return measure(g.pid(), 0, len(items), func() { _ = must(submitBatch(clients, items)) })
	}
	half := len(mixed) / 2
	mixedBare.add(bare.run(mixed[:half/2]))
	mixedGateway.add(accept(mixed[half : half+half/2]))
	mixedBare.add(bare.run(mixed[half/2 : half]))
	mixedGateway.add(accept(mixed[half+half/2:]))
	for i := range acceptedX509 / bareX509 {
		if i < 2 {
			x509Bare.add(bare.run(makeItems(scaled(bareX509), sign)))
		}
		x509Gateway.add(accept(makeItems(scaled(bareX509), sign)))
	}
	r.add(acceptedRows("accepted with the log stopped, X.509 digests", x509Gateway, x509Bare, "≥ 5,000/s; ≥ 0.7")...)
	r.add(acceptedRows("accepted with the log stopped, six formats of 1 KiB", mixedGateway, mixedBare, "≥ 0.7")...)
	r.add(row{
		what:    fmt.Sprintf("peak RSS with %d pending", x509Gateway.entries+mixedGateway.entries),
		gateway: formatMiB(memoryOf(g.pid(), "VmHWM")), target: "< 300 MiB",
	})
	g.stop()
}

func acceptedRows(what string, ours, bare spent, target string) []row {
	mine, its := perSecond(ours.entries, ours.clock), perSecond(bare.entries, bare.clock)
	return []row{
		{what, formatRate(mine), formatRate(its) + " bare loop", mine / its, target},
		{
			"– CPU per submission", formatCPU(perEntry(ours.gateway, ours.entries)), formatCPU(perEntry(bare.client, bare.entries)) + " bare loop",
			float64(bare.client) / float64(bare.entries) * float64(ours.entries) / float64(ours.gateway), "",
		},
		{what: "– CPU per submission of the load generator", gateway: formatCPU(perEntry(ours.client, ours.entries))},
	}
}

// bareLoop verifies submissions by all processors and inserts, 256 in a transaction, the rows that a gateway would store.
type bareLoop struct {
	t        *testing.T
	registry *formats.Registry
	queue    gateway.Queue
	rows     *rowMaker
}

// openSQLite opens a store, and closes it when the test ends.
func openSQLite(t *testing.T, path string) gateway.Store {
	store := must(sqlite.Open(t.Context(), path, sqlite.Options{}))
	t.Cleanup(func() { check(store.Close()) })
	return store
}

// newBareLoop returns a loop whose rows are for log.
func newBareLoop(t *testing.T, store gateway.Store, log gateway.Log) *bareLoop {
	return &bareLoop{t: t, registry: all.Formats(), queue: store, rows: newRowMaker(t, log)}
}

const bareBatch = 256

func (b *bareLoop) run(items []item) spent {
	rows := b.rows.makeRows(items)
	return measure(0, 0, len(items), func() { b.store(rows, func(i int) { b.verify(items[i]) }, func(int) {}) })
}

// store has each item verified by all processors, inserts its row, and calls inserted with the index of each that is durable, in no order.
func (b *bareLoop) store(rows []gateway.NewSubmission, verify, inserted func(i int)) {
	verified := make(chan int, 4*bareBatch)
	go func() {
		defer close(verified)
		check(inParallel(len(rows), runtime.NumCPU(), func(_, i int) error {
			verify(i)
			verified <- i
			return nil
		}))
	}()
	var batch []int
	flush := func() {
		b.insert(batch, rows)
		for _, i := range batch {
			inserted(i)
		}
		batch = batch[:0]
	}
	for i := range verified {
		if batch = append(batch, i); len(batch) == bareBatch {
			flush()
		}
	}
	flush()
}

func (b *bareLoop) verify(i item) {
	ctx := formats.EnsureWork(context.Background())
	parsed := must(b.registry.Parse(ctx, "", i.signature, [][]byte{i.key}, formats.Policy{Now: time.Now()}))
	artifact := must(i.give())
	if i.digest != nil {
		artifact = formats.FromDigest(*i.request().Digest)
	}
	_ = must(parsed.Verify(ctx, artifact))
}

func (b *bareLoop) insert(batch []int, rows []gateway.NewSubmission) {
	subs := make([]gateway.NewSubmission, len(batch))
	for at, i := range batch {
		subs[at] = rows[i]
	}
	b.enqueue(subs)
}

func (b *bareLoop) enqueue(subs []gateway.NewSubmission) {
	for _, e := range must(b.queue.Enqueue(b.t.Context(), subs)) {
		check(e.Err)
	}
}

// rowMaker makes the rows that a gateway would store, by its own intake and without a store.
type rowMaker struct {
	service *intake.Service
	taken   sync.Map // by ID
}

func newRowMaker(t *testing.T, log gateway.Log) *rowMaker {
	m := new(rowMaker)
	signer := must(attest.New(attest.Config{Active: filepath.Join(t.TempDir(), "key"), Create: true}))
	m.service = intake.New(intake.Config{
		Formats: all.Formats(), Policies: intake.ForEverybody(intake.Policy{Logs: intake.AllOf(log)}), Queue: m, Attester: signer, MaxArtifact: 1 << 20,
	})
	go m.service.Run(t.Context())
	return m
}

// Enqueue implements gateway.Queue.
func (m *rowMaker) Enqueue(_ context.Context, subs []gateway.NewSubmission) ([]gateway.Enqueued, error) {
	out := make([]gateway.Enqueued, len(subs))
	for i, sub := range subs {
		m.taken.Store(sub.ID, sub)
		out[i].Submission = gateway.Submission{SubmissionFields: sub.SubmissionFields}
	}
	return out, nil
}

func (m *rowMaker) makeRows(items []item) []gateway.NewSubmission {
	rows := make([]gateway.NewSubmission, len(items))
	check(inParallel(len(items), 64, func(_, i int) error {
		sub, err := m.service.Submit(context.Background(), items[i].request(), items[i].give)
		if err == nil {
			row, _ := m.taken.LoadAndDelete(sub.ID)
			rows[i] = row.(gateway.NewSubmission)
		}
		return err
	}))
	return rows
}
