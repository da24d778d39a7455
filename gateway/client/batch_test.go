// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func one(s client.Submission) iter.Seq[client.Submission] {
	return slices.Values([]client.Submission{s})
}

// sendBatch returns the result of each submission, by its index.
func sendBatch(t *testing.T, c *client.Client, submissions iter.Seq[client.Submission]) map[int]client.Result {
	t.Helper()
	results := map[int]client.Result{}
	for r, err := range c.SubmitBatch(t.Context(), submissions) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := results[r.Index]; twice {
			t.Errorf("%d is answered twice", r.Index)
		}
		results[r.Index] = r
	}
	return results
}

var errBroken = errors.New("disk on fire")

// TestBatch: artifacts of all sizes, refusals, and files that cannot be read.
func TestBatch(t *testing.T) {
	g, _ := startGateway(t)
	r := serve(t, g)
	c := dial(t, r)
	large := strings.Repeat("large ", 1<<20)
	unreadable := signed(t, "a")
	unreadable.Artifact = func() (io.ReadCloser, error) { return nil, errBroken }
	short, halfway := signed(t, "b"), signed(t, large)
	short.Artifact = func() (io.ReadCloser, error) { return io.NopCloser(failing{}), nil }
	halfway.Artifact = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(large[:3<<20]), failing{})), nil
	}
	noKey, wrong := signed(t, large), signed(t, large)
	noKey.Header.Keys = nil
	wrong.Artifact = content([]byte("wrong" + large))
	none := signed(t, "none")
	none.Artifact = nil
	tests := []struct {
		submission client.Submission
		err        error
		reason     string
	}{
		{signed(t, "small"), nil, ""},
		{signed(t, large), nil, ""},
		{signed(t, ""), nil, ""},
		{signed(t, strings.Repeat("x", 1<<20)), nil, ""},
		{signed(t, strings.Repeat("x", 1<<20-1)), nil, ""},
		{signed(t, strings.Repeat("x", 1<<20+256<<10)), nil, ""},
		{noKey, nil, "MISSING_KEY"},
		{signed(t, large+"!"), nil, ""},
		{unreadable, errBroken, ""},
		{short, errBroken, ""},
		{halfway, errBroken, ""},
		{wrong, nil, "SIGNATURE_INVALID"},
		{none, nil, "MISSING_ARTIFACT"},
		{signed(t, "last"), nil, ""},
	}
	got := sendBatch(t, c, func(yield func(client.Submission) bool) {
		for _, x := range tests {
			if !yield(x.submission) {
				return
			}
		}
	})
	if len(got) != len(tests) || r.calls.Load() != 1 {
		t.Fatalf("%d results of %d streams", len(got), r.calls.Load())
	}
	for i, x := range tests {
		var refusal *client.Error
		switch r := got[i]; {
		case x.err != nil:
			if !errors.Is(r.Err, x.err) {
				t.Errorf("%d: %v, want %v", i, r.Err, x.err)
			}
		case x.reason != "":
			if !errors.As(r.Err, &refusal) || refusal.Reason != x.reason {
				t.Errorf("%d: %v, want %s", i, r.Err, x.reason)
			}
		case r.Err != nil || r.Submission == nil || !r.Created:
			t.Errorf("%d: %+v", i, r)
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errBroken }

// TestBatchOverBrokenStreams: connections are cut, and gateways stop, while a batch is under way. Each submission has one answer,
// and the log has each once.
func TestBatchOverBrokenStreams(t *testing.T) {
	g, log := startGateway(t)
	replicas := []*replica{serve(t, g), serve(t, g), serve(t, g)}
	c := dial(t, replicas...)
	const many = 600
	large := signed(t, strings.Repeat("large ", 1<<20))
	results, failed := 0, 0
	for r, err := range c.SubmitBatch(t.Context(), func(yield func(client.Submission) bool) {
		for i := range many {
			s := signed(t, strings.Repeat("s", i+1))
			if i == many/2 {
				s = large
			}
			if !yield(s) {
				return
			}
		}
	}) {
		if err != nil {
			t.Fatal(err)
		}
		results++
		if r.Err != nil || r.Submission == nil {
			failed++
			t.Error(r.Err)
		}
		switch {
		case results == many*3/4:
			replicas[0].Stop()
		case results%100 == 0:
			for _, r := range replicas {
				r.cut()
			}
		}
	}
	streams := replicas[0].calls.Load() + replicas[1].calls.Load() + replicas[2].calls.Load()
	if results != many || failed != 0 || streams < 4 {
		t.Errorf("%d results, %d failed, %d streams", results, failed, streams)
	}
	waitFor(t, func() bool { logged, _ := log.Count(); return logged >= many })
	if logged, _ := log.Count(); logged != many {
		t.Errorf("%d are logged", logged)
	}
}

// TestBatchHeedsRetryAfter: what is refused for now is sent again after as long as the gateway said, and nothing else meanwhile. Beyond
// patience the refusal is the result.
func TestBatchHeedsRetryAfter(t *testing.T) {
	var refused atomic.Int64
	f := &fake{batch: func(_ int64, stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			answer := &pb.SubmitBatchResponse{Ref: r.GetRef(), Submission: &pb.Submission{Id: "id"}}
			switch {
			case string(r.GetArtifact()) == "never":
				answer = &pb.SubmitBatchResponse{Ref: r.GetRef(), Problem: &pb.Problem{Reason: "LOG_FORKED"}, RetryAfter: durationpb.New(time.Hour)}
			case refused.Add(1) <= 2:
				answer = &pb.SubmitBatchResponse{Ref: r.GetRef(), Problem: &pb.Problem{Reason: "RATE_LIMITED"}, RetryAfter: durationpb.New(700 * time.Millisecond)}
			}
			if err := stream.Send(answer); err != nil {
				return err
			}
		}
	}}
	c := dial(t, serveFake(t, f))
	started := time.Now()
	got := sendBatch(t, c, slices.Values([]client.Submission{signed(t, "a"), signed(t, "b"), signed(t, "never"), signed(t, "c")}))
	if took := time.Since(started); took < 700*time.Millisecond || took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	var refusal *client.Error
	for i, r := range got {
		if never := i == 2; never != errors.As(r.Err, &refusal) || !never && r.Err != nil {
			t.Errorf("%d: %+v", i, r)
		}
	}
	if len(got) != 4 {
		t.Errorf("%d results", len(got))
	}
}

// TestBatchOfWhoeverDoesNotTake: while nobody takes the answers, no more than a bounded number is taken from the source.
func TestBatchOfWhoeverDoesNotTake(t *testing.T) {
	g, _ := startGateway(t)
	c := dial(t, serve(t, g))
	var taken atomic.Int64
	s := signed(t, "hello")
	var stopped atomic.Bool
	for range c.SubmitBatch(t.Context(), func(yield func(client.Submission) bool) {
		for yield(s) {
			taken.Add(1)
		}
		stopped.Store(true)
	}) {
		before := int64(-1)
		waitFor(t, func() bool { // it stands still
			now := taken.Load()
			time.Sleep(100 * time.Millisecond)
			still := now == before && now == taken.Load()
			before = now
			return still
		})
		break // ends the batch, and the source
	}
	if taken.Load() > 130 {
		t.Errorf("%d were taken", taken.Load())
	}
	waitFor(t, stopped.Load)
}

// TestBatchOfASlowSource: a gateway ends a stream that is silent for a while. That is nobody's failure.
func TestBatchOfASlowSource(t *testing.T) {
	g, _ := startGateway(t)
	r := serveQuick(t, g, 100*time.Millisecond)
	c := dialWith(t, client.Config{}, r)
	got := sendBatch(t, c, func(yield func(client.Submission) bool) {
		for _, text := range []string{"a", "b", "c"} {
			if !yield(signed(t, text)) {
				return
			}
			time.Sleep(400 * time.Millisecond)
		}
	})
	if len(got) != 3 || r.calls.Load() != 3 {
		t.Errorf("%v over %d streams", got, r.calls.Load())
	}
	for _, one := range got {
		if one.Err != nil {
			t.Error(one.Err)
		}
	}
}
