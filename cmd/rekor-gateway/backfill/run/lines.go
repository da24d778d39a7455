// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

const (
	// maxRequests bounds the requests with lines that are under way.
	maxRequests = 4
	// maxLines bounds the lines of one: a gateway works on 64 at once, and reads on while it does.
	maxLines = 128
	// maxLinesSize bounds what is in them, in bytes, beyond the first.
	maxLinesSize = 2 << 20
)

// runLines sends, again and again, all that waits by then as one request, a few of which are under way at once. Each is whole before it is sent
// and ends with its answers: proxies that keep back either hold up nothing.
func (b *batcher) runLines(ctx context.Context) {
	var requests sync.WaitGroup
	defer requests.Wait()
	for range maxRequests {
		requests.Go(func() {
			for {
				select {
				case first := <-b.queue:
					b.sendLines(ctx, b.gather(first))
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// gather returns first and what else waits now.
func (b *batcher) gather(first *batchCall) []*batchCall {
	calls, size := []*batchCall{first}, proto.Size(first.submission.Header)
	for len(calls) < maxLines && size < maxLinesSize {
		select {
		case call := <-b.queue:
			calls = append(calls, call)
			size += proto.Size(call.submission.Header)
		default:
			return calls
		}
	}
	return calls
}

// sendLines answers all calls: those that the gateway does not, with what ended the request.
func (b *batcher) sendLines(ctx context.Context, calls []*batchCall) {
	submissions := make([]client.Submission, len(calls))
	for i, call := range calls {
		submissions[i] = call.submission
	}
	err := b.lines.SubmitLines(ctx, submissions, func(i int, answer *pb.SubmitResponse, err error) {
		calls[i].give(answer, err)
		calls[i] = nil
	})
	if hasNoBatches(err) {
		b.off.Store(true)
		err = errNoBatches
	}
	for _, call := range calls {
		if call != nil {
			call.answered <- batchAnswer{nil, err}
		}
	}
}

// hasNoBatches reports whether err, of a whole request, says that there is no such route.
func hasNoBatches(err error) bool {
	var refusal *client.Error
	return errors.As(err, &refusal) && refusal.Code == codes.NotFound
}
