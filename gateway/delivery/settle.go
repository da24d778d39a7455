// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// settleAll finds out what became of entries whose outcome is unknown: those in the log's tiles
// are logged; those absent are sent again once their absence counts.
func (w *worker) settleAll(ctx context.Context, doubtful []gateway.Entry, sending *sync.WaitGroup) {
	asked := w.now()
	leaves := make([]gateway.LeafHash, len(doubtful))
	from := *doubtful[0].SentAtTreeSize
	for i, e := range doubtful {
		leaves[i], from = e.LeafHash, min(from, *e.SentAtTreeSize)
	}
	findCtx, cancel := context.WithTimeout(ctx, w.timing.AddTimeout)
	defer cancel()
	found, err := w.log.Find(findCtx, leaves, from)
	if err != nil {
		w.logger.Warn("settling unknown outcomes", "entries", len(doubtful), "error", err)
	}
	for _, e := range doubtful {
		o, resend := decideDoubt(e, found[e.LeafHash], err, asked, w.timing.SettleAfter, retryDelay(e.Attempts))
		if resend {
			sending.Go(func() { w.outcomes <- w.sendEntry(ctx, e) })
			continue
		}
		w.outcomes <- o
	}
}

// decideDoubt says what becomes of a doubtful entry that was looked for at the time asked: found, or
// absent, or not looked for to the end when err is set. An absent one is sent again, resend, only
// once settleAfter has passed since it was last sent, so that the log cannot be still on its way to
// including it. One that is looked for again keeps its time of sending, since this claim did not
// send it.
func decideDoubt(e gateway.Entry, found *gateway.Inclusion, err error, asked time.Time, settleAfter, delay time.Duration) (o gateway.Outcome, resend bool) {
	o = gateway.Outcome{EntryID: e.ID, Fence: e.Fence}
	settled := e.LastSentAt.Add(settleAfter)
	if found != nil {
		o.Inclusion = found
		return o, false
	}
	if err == nil && !asked.Before(settled) {
		return gateway.Outcome{}, true
	}
	o.RetryAt, o.InDoubt, o.SentAt, o.Problem = asked.Add(delay), true, e.LastSentAt, gateway.ProblemUnknown
	if err == nil && o.RetryAt.Before(settled) && e.Attempts > 3 {
		o.RetryAt = settled
	}
	return o, false
}
