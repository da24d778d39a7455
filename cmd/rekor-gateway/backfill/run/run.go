// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/output"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// runner is one run over all that there is. At most --parallel signatures are under way, and of the others nothing is kept.
type runner struct {
	flags    *Options
	judge    *judge
	remote   client.Client
	batcher  *batcher   // nil: the gateway takes no batches
	together *together  // nil: the gateway is asked for one submission after the other
	asker    *planAsker // of a dry run alone
	trust    heldTrust
	told     *output.Notes
	known    *knownReceipts
	report   *report // nil: none is wanted
	status   *runStatus
	counts   counts
	delay    atomic.Pointer[string] // why the log does not take what is pending, where the gateway says so
	pace     *pace
	writer   receiptWriter
	over     sync.Mutex          // held from when it is looked at what is to be replaced until it is
	waiters  *waiters            // of submitAll
	cpu      chan struct{}       // held while something is computed
	fetches  chan struct{}       // held in its place where something has to be fetched, which may take long
	calls    chan struct{}       // held while the gateway is asked something
	large    chan struct{}       // held while there is a large answer
	memory   *semaphore.Weighted // held for a signature's size
	lists    *semaphore.Weighted // held for a list's size, after memory and never before
	stop     context.CancelCauseFunc

	firstSend  sync.Once
	noteAnswer func() // set by the first to send: the gateway is not silent
}

const (
	// maxCalls bounds the calls of the gateway that are under way.
	maxCalls = 64
	// maxFetches bounds the downloads that are under way.
	maxFetches = 16
	// maxHeld bounds what is held of signatures, in bytes; each counts with all that is made of it.
	maxHeld     = 128 << 20
	heldPerByte = 8
	heldPerItem = 64 << 10
)

// newRun reads the keys, and finds out what the gateway's receipts are verified with.
func (f *Options) newRun(ctx context.Context, told *output.Notes) (*runner, error) {
	stock, err := loadKeys(ctx, f.Keys)
	if err != nil {
		return nil, err
	}
	b := f.newLocalRun(stock, told)
	if b.remote, err = f.openPatiently(told); err != nil {
		return nil, err
	}
	trust, err := f.loadTrust(ctx, b.remote, told)
	if err != nil {
		return nil, errors.Join(err, b.remote.Close())
	}
	b.trust.set(trust)
	b.batcher, b.together = newBatcher(b.remote, b.flags.Parallel), newTogether(b.remote)
	b.judge.ways = f.newWayFinder(b.remote.Plan)
	b.known = openKnown(f, stock.digest, trust.digest, told)
	if b.known.path != "" {
		b.judge.settled = &b.known.settled
	}
	return b, nil
}

// openPatiently returns a client for which a gateway that says nothing is as one that accepts nothing.
func (f *Options) openPatiently(told *output.Notes) (client.Client, error) {
	return f.Open(gatewayclient.Retries{Patience: f.Timeout, Silence: min(f.Timeout, gatewayclient.DefaultSilence), Notify: told.SayRetrying})
}

// newLocalRun returns a run without a gateway.
func (f *Options) newLocalRun(stock *keyStock, told *output.Notes) *runner {
	return &runner{
		flags: f, judge: newJudge(f, stock), told: told, pace: newPace(f.Timeout), stop: func(error) {},
		cpu: make(chan struct{}, runtime.GOMAXPROCS(0)), fetches: make(chan struct{}, maxFetches), calls: make(chan struct{}, maxCalls), large: make(chan struct{}, maxLarge), memory: semaphore.NewWeighted(maxHeld), lists: semaphore.NewWeighted(maxHeld),
	}
}

func (b *runner) close() { _ = b.remote.Close() } // nothing is under way

// submitAll handles every signature. The error is what ended the run before its end.
func (b *runner) submitAll(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	b.stop = stop
	items, closeItems, err := b.flags.list(ctx)
	if err != nil {
		return err
	}
	defer closeItems()
	stopStatus := b.status.start(ctx)
	defer stopStatus()
	var sending sync.WaitGroup
	defer sending.Wait()
	defer stop(nil)
	if b.batcher != nil {
		sending.Go(func() { b.batcher.run(ctx) })
	}
	b.waiters = b.startWaiting(ctx)
	b.handleAll(ctx, items)
	b.waiters.end()
	return context.Cause(ctx)
}

// handleAll returns once every signature is handled, or ctx has ended.
func (b *runner) handleAll(ctx context.Context, items iter.Seq2[backfill.Item, error]) {
	handle := func(item backfill.Item) { b.tell(b.handle(ctx, item)) }
	if err := workOnAll(ctx, items, b.flags.Parallel, handle); err != nil && ctx.Err() == nil {
		b.stop(err)
	}
}

// handle does all that is to be done for one signature.
func (b *runner) handle(ctx context.Context, item backfill.Item) outcome {
	o := outcome{item: item}
	o.item.Read = nil // it may wait for hours
	p, err := findPlace(item, b.flags.Receipts)
	if err != nil && item.Problem == nil {
		return o.refuse(err)
	}
	look := func() *backfill.Checked { return b.lookAtList(ctx, item) }
	if path, list := b.known.find(item, p, look); path != "" {
		o.list = list
		if b.report != nil {
			o.readHead(path)
		}
		return o.done(path, nil)
	}
	if item.Problem != nil {
		return o.refuse(item.Problem)
	}
	release, err := b.holdMemory(ctx, item)
	if err != nil {
		return o.end(ctx, err)
	}
	defer release()
	c, place, err := b.prepare(ctx, item, p)
	if c != nil {
		defer c.close()
	}
	if isSpoolFault(err) {
		b.stop(err)
	}
	if err != nil {
		return o.end(ctx, err)
	}
	if o.list, err = b.compareList(ctx, c); err != nil {
		return o.end(ctx, err)
	}
	if place.receipt != nil {
		b.remember(c, place, o.list)
		return o.done(place.path, place.receipt)
	}
	return b.submitOne(ctx, c, place, p, o)
}

// holdMemory waits until there is room for the signature and what is made of it.
func (b *runner) holdMemory(ctx context.Context, item backfill.Item) (release func(), err error) {
	return holdOf(ctx, b.memory, maxHeld, item)
}

// holdOf is holdMemory of memory, of which there is most in all.
func holdOf(ctx context.Context, memory *semaphore.Weighted, most int64, item backfill.Item) (release func(), err error) {
	signature := item.Size
	if signature == 0 || !item.IsFresh() {
		signature = sizeOf(item.Signature)
	}
	size := min(heldPerItem+heldPerByte*signature, most)
	if err := memory.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return func() { memory.Release(size) }, nil
}

// takeSlot waits until one more signature may be computed on, or fetched.
func (b *runner) takeSlot(item backfill.Item) (release func()) {
	slots := b.cpu
	if isFetched(item) {
		slots = b.fetches
	}
	slots <- struct{}{}
	return func() { <-slots }
}

// prepare reads the signature and verifies the receipt that is there, or else the signature.
func (b *runner) prepare(ctx context.Context, item backfill.Item, p place) (*candidate, found, error) {
	defer b.takeSlot(item)()
	if err := ctx.Err(); err != nil {
		return nil, found{}, err
	}
	c, err := b.judge.readCandidate(ctx, item)
	if err != nil {
		return nil, found{}, err
	}
	if err := b.judge.checkHistorical(c.described); err != nil {
		return c, found{}, err
	}
	place, err := b.findKept(ctx, c, p)
	if err != nil {
		return c, place, err
	}
	if place.receipt != nil {
		err := b.checkReceipt(ctx, c, place.receipt)
		switch {
		case err == nil:
			return c, place, nil
		case ctx.Err() != nil || !b.flags.Force:
			return c, place, explainOldReceipt(item, place.path, err)
		}
		place.receipt = nil
	}
	if c.verified == nil {
		err = c.verify(ctx)
	}
	return c, place, err
}

// explainOldReceipt says what to do about a receipt that is there and does not verify.
func explainOldReceipt(item backfill.Item, path string, err error) error {
	f := fault.Describe(err)
	err = fmt.Errorf("the receipt in %s does not verify: %w", path, err)
	if lacksFile(item, err) || f.Reason == receipt.ReasonNoGatewayTrust { // nothing is wrong with it, so that none is to be replaced
		return err // with the advice that it has
	}
	return fault.Fail(f.Reason, err, "see whether the file or its signature was replaced since, or another log is trusted now; --force replaces the receipt")
}

// submitOne sends a signature that verifies, waits for the log, and keeps the receipt.
func (b *runner) submitOne(ctx context.Context, c *candidate, at found, p place, o outcome) outcome {
	path := at.path
	var err error
	if b.flags.Receipts != "" {
		err = makeReceiptFolder(p.root, path)
	}
	if err == nil {
		err = b.writer.checkFolder(p.root, path)
	}
	if err != nil {
		return o.refuse(fault.Fail(fault.ReasonFile, fmt.Errorf("the receipt could not be kept: %w", err), "see to the folder's permissions, or keep the receipts elsewhere: --receipts FOLDER"))
	}
	if !at.isFree() {
		err = checkPlace(path)
	}
	if err != nil {
		return o.refuse(err)
	}
	room := b.newRoom()
	defer room.release()
	s, err := b.send(ctx, c.submission, room)
	if mustSendBytes(err) && c.sendBytes() {
		s, err = b.send(ctx, c.submission, room)
	}
	if err != nil {
		return o.end(ctx, err)
	}
	o.note(s)
	o.noteSigners(c.listSigners())
	if !client.IsSettled(s) && mayWait(o) {
		one := &waiting{o: o, path: path, place: p, started: time.Now(), stamps: c.stamps(), sent: c.summarizeSent()}
		one.checked, one.release = b.waiters.holdChecked(c, one.sent)
		b.waiters.add(ctx, one, s)
		return o.in(stateWaiting)
	}
	if s, err = b.await(ctx, s, room); err != nil {
		return b.endUnknown(ctx, o, err)
	}
	if s.GetState() != pb.Submission_LOGGED {
		return o.endUnlogged(s)
	}
	return b.keep(ctx, c, s, path, p, o)
}

// keep verifies the receipt and writes it.
func (b *runner) keep(ctx context.Context, c *candidate, s *pb.Submission, path string, p place, o outcome) outcome {
	b.cpu <- struct{}{}
	defer func() { <-b.cpu }()
	r := s.GetReceipt()
	if r == nil {
		return o.refuse(FailNoReceipt(s))
	}
	if err := b.checkReceipt(ctx, c, r); err != nil {
		return o.endKept(ctx, fmt.Errorf("verifying the receipt of submission %s: %w", s.GetId(), err))
	}
	at, err := b.writeReceipt(ctx, c, r, path, p)
	switch {
	case err == nil:
		b.remember(c, at, o.list)
		return o.logged(at.path, r)
	case isDiskFault(err):
		b.stop(fault.Fail(fault.ReasonFile, fmt.Errorf("writing a receipt: %w", err), "make room, or mend the disk, and run the command again: what is logged is not sent again"))
		return o.endAccepted(ctx, err)
	}
	return o.refuse(err)
}

// remember notes a receipt that was verified by the trust that the run began with: what is remembered counts for that.
func (b *runner) remember(c *candidate, at found, list *backfill.Checked) {
	if !b.trust.renewed.Load() {
		b.known.add(c, at, list)
	}
}

// FailNoReceipt returns the error for a gateway that says LOGGED, and does not prove it.
func FailNoReceipt(s *pb.Submission) error {
	return fault.Fail(fault.ReasonNoGateway, fmt.Errorf("the server says that submission %s is logged, and gives no receipt", s.GetId()),
		"the gateway answers wrongly: ask its operator")
}

// maxReceiptBuffer bounds what is kept for the next receipt, in bytes.
const maxReceiptBuffer = 1 << 20

// receiptBuffers are what receipts are encoded into before they are written.
var receiptBuffers = sync.Pool{New: func() any { return new([]byte) }}

// maxPlaces bounds how often somebody else may have been faster.
const maxPlaces = 4

// writeNew writes a receipt where there is none, or a part of one that a power failure has left. isBare says that no killed run has left anything there.
func (b *runner) writeNew(root, path string, raw []byte, isBare bool) (stamp fileStamp, err error) {
	if isBare {
		stamp, err = b.writer.writeFresh(root, path, raw)
	} else {
		stamp, err = b.writer.write(root, path, raw, false)
	}
	if !errors.Is(err, errTaken) {
		return stamp, err
	}
	b.over.Lock()
	defer b.over.Unlock()
	if isTornFile(path) {
		return b.writer.write(root, path, raw, true)
	}
	return stamp, err
}

// writeForced replaces what is where the receipt of c goes, unless that is by now the receipt of another signature over the same file, of this run or an earlier
// one: then it goes to its own file.
func (b *runner) writeForced(ctx context.Context, c *candidate, raw []byte, p place) (found, error) {
	b.over.Lock()
	defer b.over.Unlock()
	at, err := b.findReceipt(ctx, c, p)
	if err != nil {
		return found{}, err
	}
	stamp, err := b.writer.write(p.root, at.path, raw, true)
	return found{path: at.path, stamp: stamp, written: true}, err
}

// writeReceipt writes r into path, or, where another signature's has come there meanwhile, into its own file.
func (b *runner) writeReceipt(ctx context.Context, c *candidate, r *receiptpb.Receipt, path string, p place) (found, error) {
	buffer := receiptBuffers.Get().(*[]byte)
	defer receiptBuffers.Put(buffer)
	raw, err := receipt.MarshalAppend((*buffer)[:0], r)
	if err != nil {
		return found{}, err
	}
	if cap(raw) <= maxReceiptBuffer {
		*buffer = raw
	}
	if b.flags.Force && !hasQuery(c.item) {
		return b.writeForced(ctx, c, raw, p)
	}
	for range maxPlaces {
		stamp, err := b.writeNew(p.root, path, raw, p.wasBare(c.item))
		switch {
		case err == nil:
			return found{path: path, stamp: stamp, written: true}, nil
		case !errors.Is(err, errTaken):
			return found{}, err
		}
		again, err := b.findReceipt(ctx, c, p)
		switch {
		case err != nil:
			return found{}, err
		case again.receipt != nil: // another run was faster
			return again, b.checkReceipt(ctx, c, again.receipt)
		case b.flags.Force:
			return b.writeForced(ctx, c, raw, p)
		}
		path = again.path
	}
	return found{}, fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s: something else is put there again and again", path),
		"see what writes there, and run the same command again: what is logged is not sent again")
}
