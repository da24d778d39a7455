// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/killpoint"
)

const (
	// finishBatch bounds the outcomes stored in one transaction.
	finishBatch = 1024
	// longestGather is the longest time for which outcomes wait for others.
	longestGather = 25 * time.Millisecond
	// usualGather is that while others come, of which there must be one in each gatherStep.
	usualGather = 10 * time.Millisecond
	gatherStep  = 2 * time.Millisecond
)

// finishAll stores outcomes as they come, many in one transaction, until the channel closes.
func (w *worker) finishAll(ctx context.Context) {
	for r := range w.outcomes {
		batch := []*result{r}
		for len(batch) < finishBatch && len(w.outcomes) > 0 {
			batch = append(batch, <-w.outcomes)
		}
		began := time.Now()
		w.logSetbacks(batch)
		w.storeOutcomes(ctx, batch)
		w.gatherOutcomes(time.Since(began))
	}
}

// gatherOutcomes waits for outcomes after a transaction that took so long: as long again, and on while they come. A transaction costs
// as much as storing twenty outcomes, however few are in it, and a log answers all entries of a checkpoint one after the other.
func (w *worker) gatherOutcomes(took time.Duration) {
	wait := min(took, longestGather)
	for waited := time.Duration(0); len(w.outcomes) < finishBatch; {
		before := len(w.outcomes)
		time.Sleep(wait)
		waited, wait = waited+wait, gatherStep
		if waited >= usualGather || len(w.outcomes) == before {
			return
		}
	}
}

func (w *worker) storeOutcomes(ctx context.Context, batch []*result) {
	killpoint.Reach(killpoint.BeforeFinish)
	outcomes := make([]gateway.Outcome, len(batch))
	for i, r := range batch {
		outcomes[i] = r.Outcome
	}
	w.late.noteLate(w.held.releaseOutcomes(outcomes))
	changed, err := w.store.Finish(ctx, outcomes)
	if err != nil {
		// Not stored: the leases run out and the entries are settled from the log's tiles.
		w.logger.Error("storing outcomes", "entries", len(batch), "error", err)
	}
	killpoint.Reach(killpoint.Finished)
	if err == nil {
		w.addInclusions(changed, batch)
	}
	w.changed(changed)
	w.wakeWorker() // there is room in the in-flight bound again
}

// addInclusions adds what a batch has stored to how far the submissions are, for those who wait for their receipts.
func (w *worker) addInclusions(changed []gateway.Progress, batch []*result) {
	logged := make(map[uint64]*result, len(batch))
	for _, r := range batch {
		if r.Inclusion != nil && len(r.Tokens) == 0 {
			logged[r.Inclusion.Index] = r
		}
	}
	for _, p := range changed {
		for i := range p.Entries {
			e := &p.Entries[i]
			if e.Log != w.id || e.LogIndex == nil {
				continue
			}
			if r, ok := logged[*e.LogIndex]; ok {
				e.Inclusion, e.LeafHash = r.Inclusion, r.leaf
			}
		}
	}
}

// logSetbacks tells the operator what of a batch was not logged: one line for each problem, with one of the
// entries and its error.
func (w *worker) logSetbacks(batch []*result) {
	first, count, inDoubt := map[string]*result{}, map[string]int{}, 0
	for _, r := range batch {
		if r.err == nil {
			continue
		}
		if _, ok := first[r.Problem]; !ok {
			first[r.Problem] = r
		}
		count[r.Problem]++
		if r.InDoubt {
			inDoubt++
		}
	}
	for problem, r := range first {
		w.logger.Warn("entries not logged yet", "problem", problem, "entries", count[problem],
			"entry", r.EntryID, "attempt", r.attempt, "error", r.err)
	}
	if inDoubt > 0 {
		w.shards.wakeScanners()
	}
}
