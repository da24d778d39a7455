// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/client"
	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

var errBroken = errors.New("the stream broke")

// breaking answers, over each stream, as many submissions as it says, and ends it then without answering the next.
type breaking struct{ answers int }

func (b breaking) SubmitBatch(ctx context.Context, submissions iter.Seq[client.Submission]) iter.Seq2[gatewayclient.Result, error] {
	return func(yield func(gatewayclient.Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		taken := make(chan client.Submission)
		go func() {
			for s := range submissions {
				select {
				case taken <- s:
				case <-ctx.Done():
					return
				}
			}
		}()
		for i := range b.answers {
			select {
			case s := <-taken:
				if !yield(gatewayclient.Result{Index: i, Submission: &pb.Submission{Id: string(s.Header.GetSignature())}}, nil) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-taken:
			yield(gatewayclient.Result{}, errBroken)
		case <-ctx.Done():
		}
	}
}

// Everybody gets the answer to what he has sent, or is told that the stream broke, and nobody waits for ever.
func TestBatcher(t *testing.T) {
	for parallel, streams := range map[int]int{1: 1, 64: 1, 65: 2, 256: 4, 4096: 8} {
		t.Run(fmt.Sprint(parallel), func(t *testing.T) { batchOver(t, parallel, streams) })
	}
}

// remoteStream is a gateway of which the streams alone are used.
type remoteStream struct {
	client.Client
	breaking
}

func batchOver(t *testing.T, parallel, streams int) {
	ctx, cancel := context.WithCancel(t.Context())
	b := newBatcher(remoteStream{breaking: breaking{7}}, parallel)
	if b.streams != streams {
		t.Errorf("%d streams", b.streams)
	}
	var running, callers sync.WaitGroup
	running.Go(func() { b.run(ctx) })
	for i := range 50 {
		callers.Go(func() {
			id := fmt.Sprint(i)
			for {
				answer, err := b.submit(ctx, client.Submission{Header: &pb.SubmissionHeader{Signature: []byte(id)}})
				if errors.Is(err, errBroken) {
					continue // as send does
				}
				if err != nil || answer.GetSubmission().GetId() != id {
					t.Errorf("%s: %v, %v", id, answer, err)
				}
				return
			}
		})
	}
	callers.Wait()
	cancel()
	running.Wait()
	if _, err := b.submit(ctx, client.Submission{}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
