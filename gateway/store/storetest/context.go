// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

var contextTests = map[string]func(*testing.T, opener){
	"Context/every method": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		enqueueAll(t, s, newSubmission("one"))
		held := claimOne(t, s, start)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := newCheckpoint(1, "c")
		_, enqueued := s.Enqueue(ctx, []gateway.NewSubmission{newSubmission("two")})
		_, claimed := s.Claim(ctx, claimParams(1))
		_, finished := s.Finish(ctx, []gateway.Outcome{loggedOutcome(held)})
		_, got := s.Get(ctx, tenant, newSubmission("one").ID)
		_, _, listed := s.List(ctx, tenant, gateway.ListParams{})
		_, stats := s.Stats(ctx)
		_, lines := s.Lines(ctx)
		_, read := s.Checkpoint(ctx, shardA)
		_, kept := s.KeepCheckpoint(ctx, shardA, nil, c)
		_, forks := s.Forks(ctx)
		_, extended := s.Extend(ctx, []gateway.Lease{leaseOf(held)}, time.Hour)
		_, counted := s.CountDoubtful(ctx, logA)
		_, doubtful := s.Doubtful(ctx, gateway.DoubtParams{Log: logA, Limit: 1})
		_, settled := s.Settle(ctx, []gateway.Settlement{{EntryID: held.ID, Fence: held.Fence}})
		_, doubted := s.DoubtPending(ctx, logA, shard)
		_, progress := s.Progress(ctx, []string{newSubmission("one").ID})
		_, all := s.GetAll(ctx, tenant, []string{newSubmission("one").ID})
		_, archived := s.Archived(ctx, tenant, newSubmission("one").ID)
		_, byLeaf := s.ByLeaf(ctx, tenant, logA, held.LeafHash)
		attested := s.EachAttested(ctx, func(gateway.Entry, []byte) error { return nil })
		for name, err := range map[string]error{
			"Enqueue": enqueued, "Claim": claimed, "Extend": extended, "Finish": finished, "Get": got, "GetAll": all, "Progress": progress, "List": listed, "Archived": archived, "ByLeaf": byLeaf, "EachAttested": attested,
			"Doubtful": doubtful, "CountDoubtful": counted, "Settle": settled, "DoubtPending": doubted, "Stats": stats, "Lines": lines, "Checkpoint": read, "KeepCheckpoint": kept,
			"KeepFork": s.KeepFork(ctx, newFork(shardA, "fork")), "Forked": s.Forked(ctx, shardA), "Forks": forks,
		} {
			if !errors.Is(err, context.Canceled) || errors.Is(err, gateway.ErrFork) {
				t.Errorf("%s with a context that has ended: %v", name, err)
			}
		}
		wantCheckpoint(t, s, shardA, nil)
		noError(t, s.Forked(t.Context(), shardA))
		wantIDs(t, finishEntries(t, s, loggedOutcome(held)), newSubmission("one").ID)
	},

	// However late the context ends, a call did all of its work or nothing.
	"Context/ends half way": func(t *testing.T, open opener) {
		s, _ := open(t, 0)
		undone := 0
		for i := range 20 {
			var subs []gateway.NewSubmission
			for j := range 60 {
				subs = append(subs, newSubmission(fmt.Sprint(i, j)))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i*i)*50*time.Microsecond)
			_, err := s.Enqueue(ctx, subs)
			cancel()
			want := error(nil)
			if err != nil {
				wantError(t, err, context.DeadlineExceeded)
				want = gateway.ErrNotFound
				undone++
			}
			for _, sub := range subs {
				_, err := s.Get(t.Context(), tenant, sub.ID)
				wantError(t, err, want)
			}
		}
		if undone == 0 {
			t.Error("no call was interrupted")
		}
	},
}
