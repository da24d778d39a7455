// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
)

// Batches is what all batches of a process share, however they come in: the workers.
type Batches struct{ open atomic.Int64 }

// shareWorkers returns how many workers one batch may have now.
func (b *Batches) shareWorkers() int {
	return int(min(max(upload.MaxBatchWorkers/max(b.open.Load(), 1), 1), upload.MaxBatchParallel))
}

// crew works on the submissions of one batch in parallel, bounded in number and in bytes. What has no place waits with who
// brings it: the receiver, whose methods these are.
type crew struct {
	batches *Batches
	ctx     context.Context     // of the batch
	places  *semaphore.Weighted // submissions
	bytes   *semaphore.Weighted
	jobs    chan job // to a worker that has nothing to do; closed once all have come
	working sync.WaitGroup
	workers int // that were started
}

// job is work on a submission that has a place.
type job struct {
	work func()
	size int64 // of its place
}

// newCrew returns the crew of a batch, which is dismissed when all has come.
func newCrew(ctx context.Context, batches *Batches) *crew {
	batches.open.Add(1)
	return &crew{
		batches: batches, ctx: ctx, jobs: make(chan job),
		places: semaphore.NewWeighted(upload.MaxBatchParallel), bytes: semaphore.NewWeighted(upload.MaxBatchHeld),
	}
}

// dismiss waits until all is done.
func (c *crew) dismiss() {
	close(c.jobs)
	c.working.Wait()
	c.batches.open.Add(-1)
}

// start starts work on a submission of size bytes, once there is a place. It fails when the batch ends.
func (c *crew) start(size int64, work func()) error {
	j := job{work, min(max(1, size), upload.MaxBatchHeld)}
	if err := c.takePlace(j.size); err != nil {
		return err
	}
	c.startJob(j)
	return nil
}

// startJob gives the job to a worker that has nothing to do, or to a new one while there are fewer of them than the batch's share. A
// worker lives as long as the batch: a new one would have to grow its stack for each submission.
func (c *crew) startJob(j job) {
	select {
	case c.jobs <- j:
		return
	default:
	}
	if c.workers >= c.batches.shareWorkers() { // there is one, and it comes back
		c.jobs <- j
		return
	}
	c.workers++
	c.working.Go(func() {
		c.workOn(j)
		for j := range c.jobs {
			c.workOn(j)
		}
	})
}

func (c *crew) workOn(j job) {
	defer c.freePlace(j.size)
	j.work()
}

// startApart starts work that waits for the receiver, in a goroutine of its own. It takes none of c.bytes, for which awaitOthers waits.
func (c *crew) startApart(work func()) error {
	if err := c.places.Acquire(c.ctx, 1); err != nil {
		return err
	}
	c.working.Go(func() {
		defer c.places.Release(1)
		work()
	})
	return nil
}

func (c *crew) takePlace(size int64) error {
	if err := c.places.Acquire(c.ctx, 1); err != nil {
		return err
	}
	if err := c.bytes.Acquire(c.ctx, size); err != nil {
		c.places.Release(1)
		return err
	}
	return nil
}

func (c *crew) freePlace(size int64) {
	c.bytes.Release(size)
	c.places.Release(1)
}

// awaitOthers waits until all that is worked on is done, and returns false when there was nothing.
func (c *crew) awaitOthers() bool {
	idle := c.bytes.TryAcquire(upload.MaxBatchHeld)
	if !idle && c.bytes.Acquire(c.ctx, upload.MaxBatchHeld) != nil {
		return false
	}
	c.bytes.Release(upload.MaxBatchHeld)
	return !idle
}

// causes tells the operator why submissions of a batch were not taken where callers are not told. While the store fails, that
// is each of them, thousands a second.
type causes struct {
	mu     sync.Mutex // over what follows
	toldAt time.Time
	more   int // that were not told since
}

// causesEvery is how often a cause is told, in one batch.
const causesEvery = time.Minute

func (c *causes) logCause(ctx context.Context, l *slog.Logger, p problem.Problem, err error) {
	if !p.HasCause(err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); c.toldAt.IsZero() || now.Sub(c.toldAt) >= causesEvery {
		p.LogCause(ctx, l, err, "more_before", c.more)
		c.toldAt, c.more = now, 0
		return
	}
	c.more++
}
