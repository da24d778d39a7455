// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// settleAll looks in the log's tiles for entries whose outcome is unknown. Those found are logged;
// those absent are sent again once their absence counts.
func (w *worker) settleAll(ctx context.Context, doubtful []gateway.Claimed, sending *sync.WaitGroup) {
	claimedAt := w.now()
	leaves := make([]gateway.LeafHash, len(doubtful))
	from := searchFrom(doubtful[0])
	for i, e := range doubtful {
		leaves[i], from = e.LeafHash, min(from, searchFrom(e))
	}
	findCtx, cancel := context.WithTimeout(ctx, w.timing.AddTimeout)
	defer cancel()
	asked := w.now()
	found, err := w.log.Find(findCtx, leaves, from, math.MaxUint64)
	if err != nil {
		w.logger.Warn("settling unknown outcomes", "entries", len(doubtful), "error", err)
	}
	for _, e := range doubtful {
		sentAgo := e.SentAgo + asked.Sub(claimedAt)
		o, resend := decideDoubt(e, found, err, sentAgo, w.timing.SettleAfter, retryDelay(e.Attempts))
		if resend {
			sending.Go(func() { w.outcomes <- w.sendEntry(ctx, e) })
			continue
		}
		w.outcomes <- o
	}
}

// searchFrom returns the index from which e has to be looked for.
func searchFrom(e gateway.Claimed) uint64 { return max(*e.SentAtTreeSize, e.AbsentTo) }

// decideDoubt decides about a doubtful entry that was looked for; it was last sent sentAgo before
// that. err means that the search did not reach its end. An absent entry is sent again (resend) only
// once settleAfter has passed since it was sent: until then the log may still include it. Otherwise
// it is looked for again later and keeps its SentAt, since this claim did not send it.
func decideDoubt(e gateway.Claimed, found gateway.Found, err error, sentAgo, settleAfter, delay time.Duration) (o gateway.Outcome, resend bool) {
	o = gateway.Outcome{EntryID: e.ID, Fence: e.Fence}
	if inclusion := found.Inclusions[e.LeafHash]; inclusion != nil {
		o.Inclusion = inclusion
		return o, false
	}
	if err == nil && sentAgo >= settleAfter {
		return gateway.Outcome{}, true
	}
	o.Retry, o.RetryIn, o.InDoubt, o.SentAt, o.Problem = true, delay, true, e.LastSentAt, gateway.ProblemUnknown
	if err == nil {
		o.AbsentTo = found.AbsentTo
		if left := settleAfter - sentAgo; o.RetryIn < left && e.Attempts > 3 {
			o.RetryIn = left
		}
	}
	return o, false
}
