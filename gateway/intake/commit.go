// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// commitBatch bounds the submissions in one store transaction.
const commitBatch = 256

// committer groups concurrent submissions into one transaction: while one commit is being
// fsynced, the next batch collects. A lone submission is not held up.
type committer struct {
	store gateway.Queue
	queue chan commitRequest
	done  chan struct{} // closed when runCommitter has returned

	failedAt atomic.Int64 // when the store last failed to take a submission, Unix seconds; 0 since it took one
}

type commitRequest struct {
	sub   gateway.NewSubmission
	reply chan<- commitReply
}

type commitReply struct {
	sub gateway.Submission
	err error
}

func newCommitter(s gateway.Queue) *committer {
	return &committer{store: s, queue: make(chan commitRequest, commitBatch), done: make(chan struct{})}
}

// commitSubmission returns once sub is durable. When ctx ends first, sub may still be stored: the
// caller may submit again and gets the same submission.
func (c *committer) commitSubmission(ctx context.Context, sub gateway.NewSubmission) (gateway.Submission, error) {
	reply := make(chan commitReply, 1)
	select {
	case c.queue <- commitRequest{sub, reply}:
	case <-ctx.Done():
		return gateway.Submission{}, ctx.Err()
	case <-c.done:
		return gateway.Submission{}, gateway.ErrClosed
	}
	select {
	case r := <-reply:
		return r.sub, r.err
	case <-ctx.Done():
		return gateway.Submission{}, ctx.Err()
	case <-c.done:
		return gateway.Submission{}, gateway.ErrClosed
	}
}

// runCommitter commits until ctx ends. A batch under way is finished first.
func (c *committer) runCommitter(ctx context.Context) {
	defer close(c.done)
	for {
		select {
		case first := <-c.queue:
			c.storeBatch(context.WithoutCancel(ctx), c.collectBatch(first))
		case <-ctx.Done():
			return
		}
	}
}

func (c *committer) collectBatch(first commitRequest) []commitRequest {
	batch := []commitRequest{first}
	for len(batch) < commitBatch {
		select {
		case r := <-c.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

func (c *committer) storeBatch(ctx context.Context, batch []commitRequest) {
	subs := make([]gateway.NewSubmission, len(batch))
	for i, r := range batch {
		subs[i] = r.sub
	}
	stored, err := c.store.Enqueue(ctx, subs)
	if err != nil && len(batch) > 1 { // one that is refused must not take the others with it
		for _, r := range batch {
			c.storeBatch(ctx, []commitRequest{r})
		}
		return
	}
	if err = nameFailure(err); errors.Is(err, gateway.ErrNotStored) {
		c.failedAt.Store(time.Now().Unix())
	} else if err == nil {
		c.failedAt.Store(0)
	}
	for i, r := range batch {
		if err != nil {
			r.reply <- commitReply{err: err}
			continue
		}
		r.reply <- commitReply{sub: stored[i]}
	}
}

// isFailing reports whether the store failed a short time ago, and has not taken anything since.
// A disk that is full shows only when something is written.
func (c *committer) isFailing() bool {
	at := c.failedAt.Load()
	return at != 0 && time.Since(time.Unix(at, 0)) < 30*time.Second
}

// nameFailure tells failures of the store from its refusals.
func nameFailure(err error) error {
	if err == nil || errors.Is(err, gateway.ErrQueueFull) {
		return err
	}
	return fmt.Errorf("%w: %w", gateway.ErrNotStored, err)
}
