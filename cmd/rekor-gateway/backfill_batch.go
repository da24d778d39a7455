// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"iter"
	"sync"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// batchClient is a gateway that takes many submissions over one stream, as it does over gRPC.
type batchClient interface {
	SubmitBatch(ctx context.Context, submissions iter.Seq[client.Submission]) iter.Seq2[gatewayclient.Result, error]
}

// batcher sends submissions over one stream for those who wait for the answer to one each.
type batcher struct {
	remote batchClient
	queue  chan *batchCall
}

// batchCall is a submission that somebody waits for.
type batchCall struct {
	submission client.Submission
	answered   chan batchAnswer // of capacity 1
}

type batchAnswer struct {
	response *pb.SubmitResponse
	err      error
}

// maxBatched bounds a signature that goes over the stream, in bytes. Larger ones, and artifacts, would hold up all others.
const maxBatched = 256 << 10

// isBatched reports whether s goes over the stream.
func isBatched(s client.Submission) bool {
	return s.Artifact == nil && len(s.Header.GetSignature()) <= maxBatched
}

// newBatcher returns nil where the gateway takes no batches.
func newBatcher(remote client.Client) *batcher {
	b, ok := remote.(batchClient)
	if !ok {
		return nil
	}
	return &batcher{remote: b, queue: make(chan *batchCall)}
}

// submit sends s, and returns what the gateway says of it.
func (b *batcher) submit(ctx context.Context, s client.Submission) (*pb.SubmitResponse, error) {
	call := &batchCall{s, make(chan batchAnswer, 1)}
	select {
	case b.queue <- call:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case a := <-call.answered:
		return a.response, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run sends what comes until ctx ends. When a stream fails for good, so do the calls that it had taken, and the next call opens
// another one.
func (b *batcher) run(ctx context.Context) {
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
	for result, err := range b.remote.SubmitBatch(ctx, s.take(ctx, first, b.queue)) {
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
		call.answered <- batchAnswer{&pb.SubmitResponse{Submission: r.Submission, Created: r.Created}, r.Err}
	}
}

func (s *batchStream) failAll(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, call := range s.calls {
		call.answered <- batchAnswer{nil, err}
	}
}
