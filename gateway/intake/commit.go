// SPDX-License-Identifier: Apache-2.0

package intake

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// Bounds on group commit.
const (
	commitBatch    = 256             // submissions in one store transaction
	commitQueue    = 4 * commitBatch // submissions that wait for one
	commitPatience = 2 * time.Second // to wait for a place in the queue
	commitGrace    = time.Second     // for a batch that is under way when the service stops

	gatherStep  = 2 * time.Millisecond // in which more must have come to wait for others
	gatherSteps = 8
)

// committer groups concurrent submissions into one transaction: while one commit is being
// fsynced, the next batch collects. While others are being verified it waits a little for them, as long as they come: a transaction
// costs much, however few are in it. A lone submission is not held up.
type committer struct {
	store    gateway.Queue
	queue    chan commitRequest
	patience time.Duration
	done     chan struct{} // closed when runCommitter has returned
	coming   atomic.Int64  // submissions that are being parsed or verified, and may be queued soon
	// left is called for what is stored for a caller who has left; nil for no call.
	left func(context.Context, gateway.Submission)

	failedAt atomic.Int64 // when the store last failed to take a submission, Unix seconds; 0 since it took one
}

type commitRequest struct {
	ctx   context.Context // the caller's
	sub   gateway.NewSubmission
	held  *gateway.Held           // what sub takes; it outlives a caller who leaves
	reply chan<- gateway.Enqueued // has room for one
	ended *atomic.Bool            // by its answer, or by a caller who left
}

// endRequest reports whether r was not ended before: then the caller of endRequest ends it.
func (r commitRequest) endRequest() bool { return r.ended.CompareAndSwap(false, true) }

// answer is the last that is done with r. A caller who has left does not hear of it.
func (c *committer) answer(r commitRequest, e gateway.Enqueued) {
	r.held.Close()
	if r.endRequest() {
		r.reply <- e
	} else if e.Err == nil && c.left != nil {
		c.left(r.ctx, e.Submission)
	}
}

func newCommitter(s gateway.Queue) *committer {
	return &committer{
		store: s, queue: make(chan commitRequest, commitQueue), patience: commitPatience, done: make(chan struct{}),
	}
}

// commitSubmission returns once sub is durable. When ctx ends first, sub may still be stored if its
// batch has begun: the caller may submit again and gets the same submission. When the queue stays
// full, the error is gateway.ErrBusy. The gateway.Held of ctx is what sub takes, and is closed here.
func (c *committer) commitSubmission(ctx context.Context, sub gateway.NewSubmission) (gateway.Submission, error) {
	reply := make(chan gateway.Enqueued, 1)
	r := commitRequest{ctx, sub, gateway.HeldFrom(ctx).Detach(), reply, new(atomic.Bool)}
	if err := c.queueRequest(r); err != nil {
		r.held.Close()
		return gateway.Submission{}, err
	}
	left := gateway.ErrClosed
	select {
	case e := <-reply:
		return e.Submission, e.Err
	case <-ctx.Done():
		left = ctx.Err()
	case <-c.done:
	}
	if r.endRequest() {
		return gateway.Submission{}, left
	}
	e := <-reply // at the same moment
	return e.Submission, e.Err
}

func (c *committer) queueRequest(r commitRequest) error {
	patience := time.NewTimer(c.patience)
	defer patience.Stop()
	select {
	case c.queue <- r:
		return nil
	case <-patience.C:
		return gateway.ErrBusy
	case <-r.ctx.Done():
		return r.ctx.Err()
	case <-c.done:
		return gateway.ErrClosed
	}
}

// runCommitter commits until ctx ends. A batch under way then has a moment to be finished.
func (c *committer) runCommitter(ctx context.Context) {
	defer close(c.done)
	storing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	context.AfterFunc(ctx, func() { time.AfterFunc(commitGrace, cancel) })
	for {
		select {
		case first := <-c.queue:
			c.gatherRequests()
			c.storeBatch(storing, c.collectBatch(first))
		case <-ctx.Done():
			return
		}
	}
}

// gatherRequests waits while more requests come, until they make a batch.
func (c *committer) gatherRequests() {
	for range gatherSteps {
		before := len(c.queue)
		if before >= commitBatch || c.coming.Load() == 0 {
			return
		}
		time.Sleep(gatherStep)
		if len(c.queue) == before {
			return
		}
	}
}

// collectBatch returns first and those who wait behind it, but for callers who have left.
func (c *committer) collectBatch(first commitRequest) []commitRequest {
	batch := make([]commitRequest, 0, min(1+len(c.queue), commitBatch))
	for r, more := first, true; more; r, more = c.nextRequest() {
		if err := r.ctx.Err(); err != nil {
			c.answer(r, gateway.Enqueued{Err: err})
		} else if batch = append(batch, r); len(batch) == commitBatch {
			return batch
		}
	}
	return batch
}

// nextRequest returns one that waits, if there is one.
func (c *committer) nextRequest() (commitRequest, bool) {
	select {
	case r := <-c.queue:
		return r, true
	default:
		return commitRequest{}, false
	}
}

// storeBatch answers each of batch. When the store itself fails, those who came meanwhile fail with
// it: they have waited as long as it takes to fail, and would wait as long again.
func (c *committer) storeBatch(ctx context.Context, batch []commitRequest) {
	if len(batch) == 0 {
		return
	}
	subs := make([]gateway.NewSubmission, len(batch))
	for i, r := range batch {
		subs[i] = r.sub
	}
	results, err := c.store.Enqueue(ctx, subs)
	if err == nil {
		c.noteStored()
		for i, r := range batch {
			c.answer(r, results[i])
		}
		return
	}
	c.noteFailed()
	failed := gateway.Enqueued{Err: fmt.Errorf("%w: %w", gateway.ErrNotStored, err)}
	for _, r := range batch {
		c.answer(r, failed)
	}
	for range len(c.queue) {
		if r, ok := c.nextRequest(); ok {
			c.answer(r, failed)
		}
	}
}

// noteStored notes that the store has taken something.
func (c *committer) noteStored() {
	if c.failedAt.Load() != 0 {
		c.failedAt.Store(0)
	}
}

// noteFailed notes that the store has failed to.
func (c *committer) noteFailed() { c.failedAt.Store(time.Now().Unix()) }

// hasFailedSince reports whether the store has failed since then, and has not taken anything after that.
func (c *committer) hasFailedSince(then time.Time) bool { return c.failedAt.Load() > then.Unix() }

// isFailing reports whether the store failed a short time ago, and has not taken anything since.
// A disk that is full shows only when something is written.
func (c *committer) isFailing() bool {
	at := c.failedAt.Load()
	return at != 0 && time.Since(time.Unix(at, 0)) < 30*time.Second
}
