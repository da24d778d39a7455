// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// storedRounds is how often the two gateways take turns. In all no more is accepted than the one with few had before, which would be one with many else.
const storedRounds = 10

// measureStored measures what a submission costs with few and with many stored and logged before.
func measureStored(t *testing.T, r *report) {
	few, many := scaled(10_000), scaled(100_000)
	if *full {
		many = scaled(1_000_000)
	}
	log := rekortest.StartServer(t)
	gate, sign := startGate(t, log), signX509()
	gateways, folders := map[int]*gatewayProcess{}, map[int]string{}
	for _, stored := range []int{few, many} {
		folders[stored] = t.TempDir()
		store := must(sqlite.Open(t.Context(), filepath.Join(folders[stored], "rekor-gateway.db"), sqlite.Options{}))
		fill(t, store, stored)
		check(store.Close())
		gateways[stored] = startGateway(t, fmt.Sprintf("stored-%d", stored), log, folders[stored], gate.stand)
		defer gateways[stored].stop()
	}
	gate.shut.Store(true)
	defer gate.shut.Store(false)
	spent := map[int]time.Duration{}
	n := scaled(1000)
	for round := range 1 + storedRounds {
		for stored, g := range gateways { // in turns, in any order
			clients, items := g.clients(batchStreams), makeItems(n, sign)
			s := measure(g.pid(), 0, n, func() { _ = must(submitBatch(clients, items)) })
			if round > 0 { // the first fills caches
				spent[stored] += s.gateway
			}
		}
	}
	first, later := perEntry(spent[few], storedRounds*n), perEntry(spent[many], storedRounds*n)
	size := must(os.Stat(filepath.Join(folders[many], "rekor-gateway.db"))).Size() / int64(many)
	r.add(row{
		fmt.Sprintf("CPU per submission accepted, %d stored", many), formatCPU(later), fmt.Sprintf("%s at %d stored", formatCPU(first), few),
		float64(later) / float64(first), "≤ 1.2 at 1,000,000",
	}, row{what: "bytes on disk for each that is stored and logged", gateway: fmt.Sprint(size)})
}

// fill stores n submissions of realistic size, all of them logged.
func fill(t *testing.T, store gateway.Store, n int) {
	rows, sign := newRowMaker(t, gatewaytest.NewLog()), signX509()
	model := rows.makeRows(makeItems(1, sign))[0]
	model.Entries[0].Log = logID
	proof := make([]byte, 1700)
	for stored := 0; stored < n; stored += bareBatch {
		batch := make([]gateway.NewSubmission, min(bareBatch, n-stored))
		for i := range batch {
			batch[i] = likeModel(model, fmt.Sprint("filled ", stored+i))
		}
		for _, e := range must(store.Enqueue(t.Context(), batch)) {
			check(e.Err)
		}
		claimed := must(store.Claim(t.Context(), gateway.ClaimParams{Log: logID, Lease: time.Minute, Limit: len(batch), InFlight: len(batch)}))
		outcomes := make([]gateway.Outcome, len(claimed))
		for i, c := range claimed {
			outcomes[i] = gateway.Outcome{EntryID: c.ID, Fence: c.Fence, Inclusion: &gateway.Inclusion{Kind: "proof", Index: uint64(stored + i), Proof: proof}}
		}
		_ = must(store.Finish(t.Context(), outcomes))
	}
}

// likeModel returns a submission of model's size, by the same signer over another artifact.
func likeModel(model gateway.NewSubmission, name string) gateway.NewSubmission {
	s := storetest.NewSubmission(model.Tenant, name, logID)
	s.ID, s.Labels = must(uuid.NewV7()).String(), nil
	s.Format, s.Signatures, s.Receipt = model.Format, model.Signatures, model.Receipt
	s.Entries[0].Body, s.Entries[0].Signature, s.Entries[0].Kind = model.Entries[0].Body, model.Entries[0].Signature, model.Entries[0].Kind
	return s
}
