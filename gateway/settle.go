// SPDX-License-Identifier: Apache-2.0

package gateway

import (
	"context"
	"sync"
	"time"
)

// settle finds out what became of entries whose outcome is unknown: those in the log's tiles
// are logged; those absent are sent again, but only once SettleAfter has passed since they
// were last sent, so that the log cannot be still on its way to including them.
func (w *Worker) settle(ctx context.Context, doubtful []Entry, sending *sync.WaitGroup) {
	asked := w.now()
	leaves := make([]LeafHash, len(doubtful))
	from := *doubtful[0].SentAtTreeSize
	for i, e := range doubtful {
		leaves[i], from = e.LeafHash, min(from, *e.SentAtTreeSize)
	}
	findCtx, cancel := context.WithTimeout(ctx, w.cfg.AddTimeout)
	defer cancel()
	found, err := w.log.Find(findCtx, leaves, from)
	if err != nil {
		w.logger.Warn("settling unknown outcomes", "entries", len(doubtful), "error", err)
	}
	for _, e := range doubtful {
		switch inclusion := found[e.LeafHash]; {
		case inclusion != nil:
			w.outcomes <- Outcome{EntryID: e.ID, Fence: e.Fence, Inclusion: inclusion}
		case err != nil || asked.Before(e.LastSentAt.Add(w.cfg.SettleAfter)):
			w.outcomes <- w.stillInDoubt(e, err, asked)
		default:
			sending.Go(func() { w.outcomes <- w.send(ctx, e) })
		}
	}
}

// stillInDoubt looks again later; e was not sent by this claim, so its time of sending stays.
func (w *Worker) stillInDoubt(e Entry, err error, asked time.Time) Outcome {
	at := asked.Add(retryDelay(e.Attempts))
	if settled := e.LastSentAt.Add(w.cfg.SettleAfter); err == nil && at.Before(settled) && e.Attempts > 3 {
		at = settled
	}
	return Outcome{EntryID: e.ID, Fence: e.Fence, RetryAt: at, InDoubt: true, SentAt: e.LastSentAt, Problem: ProblemUnknown}
}
