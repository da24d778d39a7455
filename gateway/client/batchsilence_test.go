// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

type batchStream = grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]

// TestSilentStreams: who takes a batch or a watch and says nothing is not waited for without end.
func TestSilentStreams(t *testing.T) {
	f := &fake{
		batch: func(_ int64, stream batchStream) error { <-stream.Context().Done(); return nil },
		watch: func(int64, func(*pb.Submission) error) error { time.Sleep(3 * time.Second); return nil },
	}
	c := dialWith(t, client.Config{Retries: client.Retries{Patience: time.Minute, Silence: 100 * time.Millisecond}}, serveFake(t, f))
	for _, text := range []string{"small", strings.Repeat("large ", 1<<20)} {
		var last error
		for _, err := range c.SubmitBatch(t.Context(), one(signed(t, text))) {
			last = err
		}
		if !errors.Is(last, client.ErrSilent) {
			t.Errorf("batch: %v", last)
		}
	}
	if _, err := c.Await(t.Context(), "id"); !errors.Is(err, client.ErrSilent) {
		t.Errorf("watch: %v", err)
	}
	if f.tries.Load() != 3 {
		t.Errorf("%d tries", f.tries.Load())
	}
}

// TestBatchWithoutHurry: a source that is slow, and whoever takes the results slowly, are not the gateway's silence.
func TestBatchWithoutHurry(t *testing.T) {
	g, _ := startGateway(t)
	r := serve(t, g)
	c := dialWith(t, client.Config{Retries: client.Retries{Silence: 500 * time.Millisecond}}, r)
	n := 0
	for result, err := range c.SubmitBatch(t.Context(), func(yield func(client.Submission) bool) {
		for _, text := range []string{"a", "b", "c", "d"} {
			if !yield(signed(t, text)) {
				return
			}
			if text == "a" {
				time.Sleep(time.Second)
			}
		}
	}) {
		if err != nil || result.Err != nil {
			t.Fatal(err, result.Err)
		}
		if n++; n == 2 {
			time.Sleep(time.Second)
		}
	}
	if n != 4 || r.calls.Load() != 1 {
		t.Errorf("%d results over %d streams", n, r.calls.Load())
	}
}

// TestBatchReadAgain: an artifact that could not be read while a stream broke, and can be read for the next one, is stored, and is said
// to be.
func TestBatchReadAgain(t *testing.T) {
	large := strings.Repeat("large ", 1<<20)
	s := signed(t, large)
	var opened atomic.Int64
	s.Artifact = func() (io.ReadCloser, error) {
		if opened.Add(1) == 1 {
			return io.NopCloser(io.MultiReader(strings.NewReader(large[:3<<20]), failing{})), nil
		}
		return io.NopCloser(strings.NewReader(large)), nil
	}
	f := &fake{batch: func(try int64, stream batchStream) error {
		for {
			r, err := stream.Recv()
			switch {
			case err != nil:
				return nil
			case try == 1 && r.GetChunk().GetAbort():
				return status.Error(codes.Unavailable, "broken")
			case try == 2 && r.GetChunk().GetLast():
				_ = stream.Send(&pb.SubmitBatchResponse{Ref: r.GetRef(), Submission: &pb.Submission{Id: "id"}, Created: true})
			}
		}
	}}
	got := sendBatch(t, dial(t, serveFake(t, f)), one(s))
	if r := got[0]; len(got) != 1 || r.Err != nil || r.Submission.GetId() != "id" || opened.Load() != 2 {
		t.Errorf("%+v after %d readings", got, opened.Load())
	}
}
