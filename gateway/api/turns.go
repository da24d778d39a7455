// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// turnPatience is how long a call waits for its turn.
const turnPatience = 10 * time.Second

// turns bound how many calls are verified and stored at once. That takes the largest stacks that a call has, and the store takes them by the hundred:
// of thousands that come in the same moment, as when a checkpoint answers as many, the others wait in line with a small one. Nobody has a
// turn whose client has not sent all.
type turns struct{ *semaphore.Weighted }

func newTurns(n int64) turns { return turns{semaphore.NewWeighted(n)} }

// turn is one of turns.
type turn struct{ of *semaphore.Weighted }

// take returns a turn, which its taker ends. The wait ends in gateway.ErrBusy.
func (t turns) take(ctx context.Context) (turn, error) {
	if t.TryAcquire(1) {
		return turn{t.Weighted}, nil
	}
	waiting, cancel := context.WithTimeoutCause(ctx, turnPatience, gateway.ErrBusy)
	defer cancel()
	if t.Acquire(waiting, 1) != nil {
		return turn{}, context.Cause(waiting)
	}
	return turn{t.Weighted}, nil
}

func (t turn) end() { t.of.Release(1) }
