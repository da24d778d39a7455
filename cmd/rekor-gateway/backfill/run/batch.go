// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// streamClient is a gateway that takes many submissions over one stream, as it does over gRPC.
type streamClient interface {
	SubmitBatch(ctx context.Context, submissions iter.Seq[client.Submission]) iter.Seq2[gatewayclient.Result, error]
}

// linesClient is a gateway that takes many submissions as one request, as it does over HTTP.
type linesClient interface {
	SubmitLines(ctx context.Context, submissions []client.Submission, answered func(int, *pb.SubmitResponse, error)) error
}

// Explaining is a client that adds to refusals what is known here, which has to be done for those of a batch apart.
type Explaining interface {
	Unwrap() client.Client
	Explain(context.Context, error) error
}

// batcher sends submissions together for those who wait for the answer to one each: by stream, or by lines where that is nil.
type batcher struct {
	stream  streamClient
	streams int // open at once
	lines   linesClient
	explain func(context.Context, error) error // adds to a refusal what is known here; nil: nothing is
	queue   chan *batchCall
	off     atomic.Bool // the gateway turned out to take no batches
}

// batchCall is a submission that somebody waits for.
type batchCall struct {
	submission client.Submission
	takeRoom   func() error     // for a large answer
	answered   chan batchAnswer // of capacity 1
}

// give hands over an answer, once there is room for it: the request or stream that it came over is read on then. Without, the run has ended,
// and nobody waits for it.
func (c *batchCall) give(answer *pb.SubmitResponse, err error) {
	if isLarge(answer.GetSubmission()) && c.takeRoom() != nil {
		return
	}
	c.answered <- batchAnswer{answer, err}
}

type batchAnswer struct {
	response *pb.SubmitResponse
	err      error
}

// maxBatched bounds a submission that goes with others, in bytes. Larger ones, and artifacts, would hold up all others.
const maxBatched = 256 << 10

// takes reports whether s goes with others.
func (b *batcher) takes(s client.Submission) bool {
	return b != nil && !b.off.Load() && s.Artifact == nil && proto.Size(s.Header) <= maxBatched
}

// errNoBatches is of a gateway of a release that takes none over HTTP.
var errNoBatches = errors.New("the gateway takes no batches")

const (
	// perStream is how many submissions of one stream a gateway works on at once. It stores them together, and works on none of that stream until they are.
	perStream = 64
	// maxStreams is more than two processors gain by.
	maxStreams = 8
)

// newBatcher returns nil where the gateway takes no batches. So many submissions are under way at once.
func newBatcher(remote client.Client, parallel int) *batcher {
	b := &batcher{queue: make(chan *batchCall), streams: min((parallel+perStream-1)/perStream, maxStreams)}
	if e, ok := remote.(Explaining); ok {
		remote, b.explain = e.Unwrap(), e.Explain
	}
	switch r := remote.(type) {
	case streamClient:
		b.stream = r
	case linesClient:
		b.lines = r
	default:
		return nil
	}
	return b
}

// submit sends s, and returns what the gateway says of it.
func (b *batcher) submit(ctx context.Context, s client.Submission) (*pb.SubmitResponse, error) {
	call := &batchCall{s, func() error { return client.TakeRoom(ctx) }, make(chan batchAnswer, 1)}
	select {
	case b.queue <- call:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-call.answered:
		if a.err != nil && b.explain != nil {
			a.err = b.explain(ctx, a.err)
		}
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run sends what comes until ctx ends.
func (b *batcher) run(ctx context.Context) {
	if b.stream == nil {
		b.runLines(ctx)
		return
	}
	var streams sync.WaitGroup
	for range b.streams {
		streams.Go(func() { b.runStreams(ctx) })
	}
	streams.Wait()
}

// runStreams has one stream open. When it fails for good, so do the calls that it had taken, and the next call opens another one.
func (b *batcher) runStreams(ctx context.Context) {
	for {
		select {
		case first := <-b.queue:
			b.runStream(ctx, first)
		case <-ctx.Done():
			return
		}
	}
}

func (b *batcher) runStream(ctx context.Context, first *batchCall) {
	ctx, cancel := context.WithCancel(ctx)
	s := &batchStream{calls: map[int]*batchCall{}, ended: make(chan struct{})}
	var failed error
	for result, err := range b.stream.SubmitBatch(ctx, s.take(ctx, first, b.queue)) {
		if err != nil {
			failed = err
			break
		}
		s.answer(result)
	}
	if failed == nil {
		failed = ctx.Err()
	}
	cancel()
	<-s.ended
	s.failAll(failed)
}

// batchStream are the calls over one stream.
type batchStream struct {
	ended chan struct{} // closed when no more are taken

	mu    sync.Mutex // over what follows
	calls map[int]*batchCall
	taken int
}

// take yields what is to be sent, until ctx ends.
func (s *batchStream) take(ctx context.Context, first *batchCall, queue <-chan *batchCall) iter.Seq[client.Submission] {
	return func(yield func(client.Submission) bool) {
		defer close(s.ended)
		for call := first; ; {
			s.note(call)
			if !yield(call.submission) {
				return
			}
			select {
			case call = <-queue:
			case <-ctx.Done():
				return
			}
		}
	}
}

func (s *batchStream) note(call *batchCall) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[s.taken] = call
	s.taken++
}

func (s *batchStream) answer(r gatewayclient.Result) {
	s.mu.Lock()
	call := s.calls[r.Index]
	delete(s.calls, r.Index)
	s.mu.Unlock()
	if call != nil {
		call.give(&pb.SubmitResponse{Submission: r.Submission, Created: r.Created}, r.Err)
	}
}

func (s *batchStream) failAll(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		call.answered <- batchAnswer{nil, err}
	}
}
