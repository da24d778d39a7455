// SPDX-License-Identifier: Apache-2.0

package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"

	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// Result is the answer to one submission of a batch.
type Result struct {
	Index      int            // of the submission, in the order in which they came, from 0
	Submission *pb.Submission // accepted and durable; nil beside Err
	Created    bool           // false when the same was submitted before
	Err        error          // an *Error, or why the artifact could not be read
}

// maxUnanswered bounds the submissions of a batch that are sent and not answered, or are to be sent again: number. A gateway
// works on 64 at once.
const maxUnanswered = 128

// maxInline bounds an artifact that goes into the same message as its header, in bytes. Larger ones go in chunks.
const maxInline = 1 << 20

// SubmitBatch sends submissions over one stream and yields the answer to each once the gateway has stored it, in any
// order. Await waits for the log. Artifacts may have any size. A stream that breaks is opened again for as long as Retries say, and
// what was not answered is sent again; so is what the gateway refused for now.
//
// No more is sent while the answers are not taken, and no more than 128 submissions are under way. submissions is called in a
// goroutine of its own; it should end when ctx does. An error beside a Result that is zero is the last that is yielded: the
// submissions that were not answered may have been stored.
func (c *Client) SubmitBatch(ctx context.Context, submissions iter.Seq[Submission]) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		b := &batch{
			client: c, source: make(chan Submission), results: make(chan Result), changed: make(chan struct{}, 1), pending: map[string]*batchItem{},
		}
		var failed error
		go b.pump(ctx, submissions)
		go func() {
			defer close(b.results)
			failed = b.run(ctx)
		}()
		defer func() {
			cancel()
			for range b.results { // until all has ended
			}
		}()
		for r := range b.results {
			if !yield(r, nil) {
				return
			}
		}
		if failed != nil {
			yield(Result{}, failed)
		}
	}
}

// batch is one call of SubmitBatch, over as many streams as it takes.
type batch struct {
	client  *Client
	source  chan Submission // closed after the last
	results chan Result
	changed chan struct{} // tells the sender that one of what follows has

	mu       sync.Mutex            // over what follows
	pending  map[string]*batchItem // sent or being sent, by ref
	again    []*batchItem          // to be sent again, before anything new
	resumeAt time.Time             // nothing is sent before
	taken    int                   // from the source
	drained  bool                  // the source has no more

	opened     bool      // the stream is
	delivering bool      // an answer waits for whoever takes the results
	heardAt    time.Time // when the gateway last took or said something, or there was nothing to wait for
}

// batchItem is one submission.
type batchItem struct {
	Submission
	index     int
	refusedAt time.Time     // for the first time, for now
	wait      *advised      // between two tries
	broken    error         // why its artifact could not be read; under batch.mu
	answered  chan struct{} // closed when the stream has its answer, also if that is a refusal for now
}

func (i *batchItem) ref() string { return strconv.Itoa(i.index) }

// pump hands over the submissions.
func (b *batch) pump(ctx context.Context, submissions iter.Seq[Submission]) {
	defer close(b.source)
	for s := range submissions {
		select {
		case b.source <- s:
		case <-ctx.Done():
			return
		}
	}
}

// run opens streams until all is answered.
func (b *batch) run(ctx context.Context) error {
	for {
		first, err := b.takeNext(ctx)
		if first == nil {
			return err
		}
		b.requeue(first)
		_, err = repeatCall(ctx, b.client.retries, func() (struct{}, error) {
			moved, err := b.runStream(ctx)
			if moved { // patience begins anew
				err = nil
			}
			return struct{}{}, err
		})
		if err != nil {
			return err
		}
	}
}

// runStream sends what there is over one stream. It reports whether anything was answered for good.
func (b *batch) runStream(ctx context.Context) (moved bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	b.noteOpened(false)
	var beside sync.WaitGroup
	beside.Go(func() { b.endSilent(ctx, cancel) })
	defer beside.Wait()
	defer cancel(nil)
	stream, err := b.client.remote.SubmitBatch(ctx, b.client.boundSubmission())
	if err != nil {
		return false, convertStatus(ctx, err)
	}
	b.noteOpened(true)
	var sending sync.WaitGroup
	sending.Go(func() { b.sendAll(ctx, stream) })
	moved, err = b.receiveAll(ctx, stream)
	cancel(nil)
	sending.Wait()
	if unanswered := b.requeueAll(); unanswered == 0 && isTimeout(err) {
		return true, nil // there was nothing to send for a while
	}
	return moved, err
}

func isTimeout(err error) bool {
	var refusal *Error
	return errors.As(err, &refusal) && refusal.Reason == "REQUEST_TIMEOUT"
}

// receiveAll takes answers until the stream ends.
func (b *batch) receiveAll(ctx context.Context, stream grpc.BidiStreamingClient[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) (moved bool, err error) {
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return moved, b.checkDone()
		}
		if err != nil {
			return moved, convertStatus(ctx, err)
		}
		r, final := b.noteAnswer(answer)
		if !final {
			continue
		}
		moved = true
		b.noteDelivering(true)
		select {
		case b.results <- r:
		case <-ctx.Done():
			return moved, context.Cause(ctx)
		}
		b.noteDelivering(false)
	}
}

// checkDone returns an error when the gateway has ended the stream before it had answered all.
func (b *batch) checkDone() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) > 0 {
		return fmt.Errorf("%w: the gateway has ended the batch", ErrConnection)
	}
	return nil
}

// noteAnswer returns the result that an answer is, unless the submission is to be sent again.
func (b *batch) noteAnswer(a *pb.SubmitBatchResponse) (r Result, final bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.heardAt = time.Now()
	item := b.pending[a.GetRef()]
	if item == nil {
		return r, false
	}
	delete(b.pending, a.GetRef())
	defer b.noteChange()
	close(item.answered)
	r = Result{Index: item.index, Submission: a.GetSubmission(), Created: a.GetCreated()}
	switch {
	case item.broken != nil:
		return Result{Index: item.index, Err: item.broken}, true
	case a.GetProblem() != nil:
		refusal := convertProblem(a)
		if b.putOff(item, refusal) {
			return r, false
		}
		return Result{Index: item.index, Err: refusal}, true
	case CheckAccepted(a.GetSubmission()) != nil:
		return Result{Index: item.index, Err: ErrIncomplete}, true
	}
	return r, true
}

// putOff has a submission that was refused for now sent again, and nothing until then. It reports whether patience allows that. The
// caller holds the lock.
func (b *batch) putOff(item *batchItem, refusal *Error) bool {
	if !refusal.Temporary {
		return false
	}
	now, retries := time.Now(), b.client.retries
	if item.refusedAt.IsZero() {
		item.refusedAt, item.wait = now, newBackOff()
	}
	item.wait.atLeast = refusal.RetryAfter
	wait := item.wait.NextBackOff()
	if now.Add(wait).After(item.refusedAt.Add(retries.Patience)) {
		return false
	}
	if retries.Notify != nil && now.Add(wait).After(b.resumeAt) {
		retries.Notify(refusal, wait)
	}
	b.resumeAt = later(b.resumeAt, now.Add(wait))
	b.again = append(b.again, item)
	return true
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// noteChange wakes the sender.
func (b *batch) noteChange() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// requeue has an item sent again.
func (b *batch) requeue(item *batchItem) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.pending, item.ref())
	b.again = append(b.again, item)
}

// requeueAll has all sent again that was not answered, in the order in which it came, and returns how much that is.
func (b *batch) requeueAll() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, item := range b.pending {
		b.again = append(b.again, item)
	}
	clear(b.pending)
	slices.SortFunc(b.again, func(x, y *batchItem) int { return cmp.Compare(x.index, y.index) })
	return len(b.again)
}

// takeNext waits for what is to be sent next; nil: nothing is, or ctx has ended.
func (b *batch) takeNext(ctx context.Context) (*batchItem, error) {
	for {
		item, source, wait := b.chooseNext()
		if item != nil {
			return item, nil
		}
		if source == nil && wait < 0 {
			return nil, nil
		}
		pause := time.NewTimer(wait)
		select {
		case s, ok := <-source:
			item = b.addItem(s, ok)
		case <-b.changed:
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, context.Cause(ctx)
		}
		pause.Stop()
		if item != nil {
			return item, nil
		}
	}
}

// idleWait is how long the sender waits where it only waits to be woken.
const idleWait = time.Hour

// chooseNext returns what is to be sent again, if its time has come; else the source, if it has more and there is room, and how long to
// wait: below 0 when nothing will come.
func (b *batch) chooseNext() (*batchItem, <-chan Submission, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	wait := time.Until(b.resumeAt)
	switch {
	case len(b.again) > 0 && wait > 0:
		return nil, nil, wait
	case len(b.again) > 0:
		item := b.again[0]
		b.again = b.again[1:]
		b.startItem(item)
		return item, nil, 0
	case b.drained:
		return nil, nil, -1
	case len(b.pending) < maxUnanswered:
		return nil, b.source, idleWait
	}
	return nil, nil, idleWait
}

// addItem takes a submission from the source; ok is false after its last.
func (b *batch) addItem(s Submission, ok bool) *batchItem {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !ok {
		b.drained = true
		return nil
	}
	item := &batchItem{Submission: s, index: b.taken}
	b.taken++
	b.startItem(item)
	return item
}

// startItem makes item one that an answer is expected for. The caller holds the lock.
func (b *batch) startItem(item *batchItem) {
	item.answered, item.broken = make(chan struct{}), nil
	b.pending[item.ref()] = item
}
