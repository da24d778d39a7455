// SPDX-License-Identifier: Apache-2.0

package run

import (
	"container/list"
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const (
	// maxWaiting bounds the submissions that are accepted and wait for the log, besides those that are being sent. A gateway's own log has
	// a receipt for all of them at once, every few seconds: the fewer may wait, the fewer are logged.
	maxWaiting = 49_152
	// mostWait is how long to wait before a submission is asked for again, whatever the gateway expects.
	mostWait = 15 * time.Second
	// oldestPoll is how often the one that waits longest is asked for, of many.
	oldestPoll = 500 * time.Millisecond
	// maxCollected bounds what is held of signatures whose receipts are being kept, as maxHeld does of the others.
	maxCollected = 32 << 20
	// maxWaitingItem bounds an item that waits, in bytes, of its texts and of what its list names.
	maxWaitingItem = 4 << 10
	heldPerListed  = 256
	// neighbours is how many on either side of a submission that is logged are asked for at once: the log has taken them together.
	neighbours         = 4
	neighboursTogether = 256             // where they are asked for in one call
	enoughReady        = 2 * maxTogether // so many are about to be asked for: no more are then, since each that is logged would look at as many again
)

// waiting is a submission that the log has to take. Of what was read, that alone is held which its receipt is held against; where there is no room for all of
// that, it is read again.
type waiting struct {
	o       outcome
	path    string // of the receipt
	place   place
	started time.Time // when it was accepted
	stamps  itemStamps
	sent    *sentSignature   // nil: it is parsed again
	checked *receipt.Checked // nil: it is read and verified again
	release func()           // of checked; nil: it is not held

	// Under waiters.mu.
	timer *time.Timer
	at    *list.Element
	asked time.Time
	due   bool // is in waiters.ready
}

// waiters are all of them, in the order in which they were accepted.
type waiters struct {
	run     *runner
	room    chan struct{}
	checked *semaphore.Weighted // held for what is held of signatures that were found good
	memory  *semaphore.Weighted // apart from that of whoever waits for room
	ready   chan *waiting       // has room for all
	under   sync.WaitGroup

	mu    sync.Mutex
	all   list.List
	ended bool // nobody waits any more
}

// startWaiting returns waiters whose submissions are asked for until end is called. What they become is told as they do.
func (b *runner) startWaiting(ctx context.Context) *waiters {
	w := &waiters{run: b, memory: semaphore.NewWeighted(maxCollected), checked: semaphore.NewWeighted(maxCheckedBytes), room: make(chan struct{}, maxWaiting), ready: make(chan *waiting, maxWaiting)}
	calls := maxCalls
	if b.together != nil {
		calls = maxAsking
	}
	for range calls {
		go w.askAll(ctx)
	}
	go w.askOldest(ctx)
	context.AfterFunc(ctx, w.stop)
	return w
}

// askOldest has the one that waits longest asked for now and then, most often where many wait: the log may be faster than the gateway expects, and has others
// then, too.
func (w *waiters) askOldest(ctx context.Context) {
	for sleep(ctx, oldestPoll) == nil {
		w.mu.Lock()
		e := w.all.Front()
		if e != nil && (w.all.Len() > maxTogether || time.Since(e.Value.(*waiting).asked) >= mostPoll) {
			w.askNow(e.Value.(*waiting))
		}
		w.mu.Unlock()
	}
}

// add has a submission waited for.
func (w *waiters) add(ctx context.Context, one *waiting, s *pb.Submission) {
	select {
	case w.room <- struct{}{}:
	case <-ctx.Done():
		w.run.endWaiting(one.o.endAccepted(ctx, ctx.Err()))
		one.letGo()
		return
	}
	w.under.Add(1)
	w.mu.Lock()
	defer w.mu.Unlock()
	one.at = w.all.PushBack(one)
	w.run.counts.waiting.Add(1)
	w.askLater(one, s)
}

// askLater has one asked for when the gateway expects it to be logged. The lock is held.
func (w *waiters) askLater(one *waiting, s *pb.Submission) {
	one.due = false
	if w.ended {
		w.askNow(one)
		return
	}
	one.timer = time.AfterFunc(nextAsk(s, time.Now()), func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.askNow(one)
	})
}

// mayWait reports whether an item can be among thousands that wait: it is small, and its files are here to be read again.
func mayWait(o outcome) bool {
	item := o.item
	size := len(item.Signature) + len(item.Name) + len(item.Artifact)
	for _, k := range item.Keys {
		size += len(k)
	}
	for name, value := range item.Labels {
		size += len(name) + len(value)
	}
	if o.list != nil {
		for _, l := range o.list.Faults {
			size += len(l.Name) + heldPerListed
		}
	}
	return size <= maxWaitingItem && !isFetched(item)
}

// nextAsk returns how long to wait before s is asked for again.
func nextAsk(s *pb.Submission, now time.Time) time.Duration {
	if s.GetEta() == nil {
		return usualPoll
	}
	return min(max(s.GetEta().AsTime().Sub(now), leastPoll), mostWait)
}

// askNow puts one into ready, unless it is there or being asked for. The lock is held.
func (w *waiters) askNow(one *waiting) {
	if one.due {
		return
	}
	one.due = true
	if one.timer != nil {
		one.timer.Stop()
	}
	w.ready <- one
}

// stop has nobody wait any more.
func (w *waiters) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	for e := w.all.Front(); e != nil; e = e.Next() {
		w.askNow(e.Value.(*waiting))
	}
}

// end waits until nobody is left.
func (w *waiters) end() {
	w.under.Wait()
	close(w.ready)
}

func (w *waiters) askAll(ctx context.Context) {
	for one := range w.ready {
		if w.run.together != nil {
			w.run.askTogether(ctx, w.takeReady(one), w.noteAnswer)
			continue
		}
		o, s := w.run.ask(ctx, one)
		w.noteAnswer(one, o, s)
	}
}

// noteAnswer has one waited for further where there is a submission, and else tells what became of it.
func (w *waiters) noteAnswer(one *waiting, o outcome, s *pb.Submission) {
	w.mu.Lock()
	if s != nil {
		one.asked = time.Now()
		w.askLater(one, s)
		w.mu.Unlock()
		return
	}
	if o.State == stateLogged {
		w.askNeighbours(one)
	}
	w.all.Remove(one.at)
	w.run.counts.waiting.Add(-1)
	w.mu.Unlock()
	w.run.endWaiting(o)
	one.letGo()
	<-w.room
	w.under.Done()
}

// askNeighbours asks for those that were accepted right before and after one. The lock is held.
func (w *waiters) askNeighbours(one *waiting) {
	now, reach := time.Now(), neighbours
	if w.run.asksTogether() {
		if len(w.ready) >= enoughReady {
			return
		}
		reach = neighboursTogether
	}
	before, after := one.at.Prev(), one.at.Next()
	for range reach {
		for _, e := range []*list.Element{before, after} {
			if e == nil {
				continue
			}
			if near := e.Value.(*waiting); now.Sub(near.asked) > leastPoll {
				w.askNow(near)
			}
		}
		if before != nil {
			before = before.Prev()
		}
		if after != nil {
			after = after.Next()
		}
	}
}

// endWaiting tells what became of a submission that was waited for.
func (b *runner) endWaiting(o outcome) {
	b.pace.noteEnded(o.State == stateLogged)
	b.tell(o)
}

// ask asks the gateway for a submission, once. It returns the submission if that goes on waiting, else what became of it.
func (b *runner) ask(ctx context.Context, one *waiting) (outcome, *pb.Submission) {
	if o, ended := b.endWait(ctx, one); ended {
		return o, nil
	}
	room := b.newRoom()
	defer room.release()
	s, err := b.callGet(ctx, one.o.SubmissionID, room)
	return b.judgeAnswer(ctx, one, s, err)
}

// endWait returns what becomes of a submission that is not to be asked for any more.
func (b *runner) endWait(ctx context.Context, one *waiting) (_ outcome, ended bool) {
	switch {
	case ctx.Err() != nil:
		return one.o.endAccepted(ctx, ctx.Err()), true
	case !b.pace.mayWait():
		return one.o.wait(), true
	}
	return outcome{}, false
}

// judgeAnswer returns what ask does, once the gateway has answered.
func (b *runner) judgeAnswer(ctx context.Context, one *waiting, s *pb.Submission, err error) (outcome, *pb.Submission) {
	switch {
	case err == nil && client.IsSettled(s):
		return b.collect(ctx, one, s), nil
	case err == nil:
		one.o.noteDelay(s)
		return outcome{}, s
	case ctx.Err() != nil:
		return one.o.endAccepted(ctx, err), nil
	case isForNow(err) && b.pace.mayTryAgain(one.started, delayOf(err)):
		b.told.SayRetrying(err, 0)
		return outcome{}, &pb.Submission{Eta: timestamppb.New(time.Now().Add(max(delayOf(err), usualPoll)))}
	case isForNow(err):
		return one.o.wait(), nil
	}
	return b.endUnknown(ctx, one.o, err), nil
}

// collect keeps the receipt of what is settled. What has changed since it was sent has none.
func (b *runner) collect(ctx context.Context, one *waiting, s *pb.Submission) outcome {
	if s.GetState() != pb.Submission_LOGGED {
		return one.o.endUnlogged(s)
	}
	o := b.collectReceipt(ctx, one, s)
	if o.State != stateRefused {
		return o
	}
	if now, ok := stampItem(one.o.item); ok && now != one.stamps {
		return o.refuse(formats.NewError(fault.ReasonFileChanged, one.o.item.Name+", its file or a key has changed since it was sent", "run the command again once nobody writes the file"))
	}
	return o
}

// collectReceipt keeps the receipt of a signature, which it reads again unless that is held.
func (b *runner) collectReceipt(ctx context.Context, one *waiting, s *pb.Submission) outcome {
	if c, ok := b.readHeld(one, s.GetReceipt()); ok {
		defer c.close()
		return b.keep(ctx, c, s, one.path, one.place, one.o)
	}
	release, err := holdOf(ctx, b.waiters.memory, maxCollected, one.o.item)
	if err != nil {
		return one.o.endAccepted(ctx, err)
	}
	defer release()
	c, err := b.readAgain(ctx, one)
	if err != nil {
		return one.o.endKept(ctx, err)
	}
	defer c.close()
	return b.keep(ctx, c, s, one.path, one.place, one.o)
}

func (b *runner) readAgain(ctx context.Context, one *waiting) (*candidate, error) {
	b.cpu <- struct{}{}
	defer func() { <-b.cpu }()
	return b.judge.readSent(ctx, one.o.item, one.sent)
}

// endUnlogged is for what is settled and not logged, or is waited for no more.
func (o outcome) endUnlogged(s *pb.Submission) outcome {
	if s.GetState() == pb.Submission_FAILED {
		return o.refuse(fault.Fail(problem.ReasonLogRefused, fmt.Errorf("the log refused submission %s for good", s.GetId()), "ask the gateway's operator; it can be submitted again"))
	}
	o.noteDelay(s)
	return o.wait()
}
