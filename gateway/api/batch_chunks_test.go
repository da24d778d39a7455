// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// chunkedItem is a submission of text in chunks of at most size bytes, and those.
func chunkedItem(t *testing.T, ref, text string, size int) []*pb.SubmitBatchRequest {
	t.Helper()
	out := []*pb.SubmitBatchRequest{{Ref: ref, Header: headerMessage(gatewaytest.Signed(t, text)), Chunked: true}}
	for at := 0; ; at += size {
		end := min(at+size, len(text))
		c := &pb.ArtifactChunk{Offset: int64(at), Data: []byte(text[at:end]), Last: end == len(text)}
		out = append(out, &pb.SubmitBatchRequest{Ref: ref, Chunk: c})
		if c.GetLast() {
			return out
		}
	}
}

// changeItem returns the messages with one of them changed.
func changeItem(messages []*pb.SubmitBatchRequest, i int, change func(*pb.SubmitBatchRequest)) []*pb.SubmitBatchRequest {
	change(messages[i])
	return messages
}

// TestBatchChunks: what is sent in chunks is one submission, whatever went wrong with it concerns no other, and every submission
// has its own answer.
func TestBatchChunks(t *testing.T) {
	text := strings.Repeat("text ", 20)
	tests := map[string]struct {
		messages []*pb.SubmitBatchRequest
		reason   string
	}{
		"in chunks":       {chunkedItem(t, "x", text, 7), ""},
		"in one":          {chunkedItem(t, "x", text, 1000), ""},
		"nothing in it":   {chunkedItem(t, "x", "", 7), ""},
		"right size":      {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.ArtifactSize = proto.Int64(100) }), ""},
		"declared small":  {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.ArtifactSize = proto.Int64(99) }), "MALFORMED_REQUEST"},
		"declared large":  {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.ArtifactSize = proto.Int64(101) }), "MALFORMED_REQUEST"},
		"declared too":    {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.ArtifactSize = proto.Int64(testMaxArtifact + 1) }), "TOO_LARGE"},
		"declared below":  {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.ArtifactSize = proto.Int64(-1) }), "MALFORMED_REQUEST"},
		"too large":       {chunkedItem(t, "x", strings.Repeat("a", testMaxArtifact+1), 1<<19), "TOO_LARGE"},
		"chunk too large": {chunkedItem(t, "x", strings.Repeat("a", 3<<20), upload.MaxChunk+1), "TOO_LARGE"},
		"wrong order": {func() []*pb.SubmitBatchRequest {
			m := chunkedItem(t, "x", text, 7)
			m[2], m[3] = m[3], m[2]
			return m
		}(), "MALFORMED_REQUEST"},
		"one twice": {func() []*pb.SubmitBatchRequest {
			m := chunkedItem(t, "x", text, 7)
			m[3] = m[2]
			return m
		}(), "MALFORMED_REQUEST"},
		"other bytes":  {changeItem(chunkedItem(t, "x", text, 7), 4, func(r *pb.SubmitBatchRequest) { r.Chunk.Data[0] = 'X' }), "SIGNATURE_INVALID"},
		"aborted":      {changeItem(chunkedItem(t, "x", text, 7), 5, func(r *pb.SubmitBatchRequest) { r.Chunk = &pb.ArtifactChunk{Abort: true} })[:6], "REQUEST_CANCELLED"},
		"never ended":  {chunkedItem(t, "x", text, 7)[:5], "MALFORMED_REQUEST"},
		"no chunk":     {chunkedItem(t, "x", text, 7)[:1], "MALFORMED_REQUEST"},
		"two headers":  {changeItem(chunkedItem(t, "x", text, 7), 3, func(r *pb.SubmitBatchRequest) { r.Header = &pb.SubmissionHeader{} }), "MALFORMED_REQUEST"},
		"also inside":  {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.Artifact = []byte(text) }), "MALFORMED_REQUEST"},
		"bad header":   {changeItem(chunkedItem(t, "x", text, 7), 0, func(r *pb.SubmitBatchRequest) { r.Header.Keys = nil }), "MISSING_KEY"},
		"no header":    {chunkedItem(t, "x", text, 1000)[1:], "MALFORMED_REQUEST"},
		"small, false": {[]*pb.SubmitBatchRequest{changeItem(items(t, 1), 0, func(r *pb.SubmitBatchRequest) { r.Ref, r.ArtifactSize = "x", proto.Int64(1) })[0]}, "MALFORMED_REQUEST"},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			memory := gateway.NewMemory(64 << 20)
			c := dialWith(t, start(t, gatewaytest.NewLog()), memory, GRPCConfig{})
			answers, err := sendBatch(t, c, slices.Concat(
				chunkedItem(t, "before", "text before", 4), x.messages, chunkedItem(t, "after", "text after", 4), items(t, 3))...)
			if !errors.Is(err, io.EOF) || len(answers) != 6 {
				t.Fatalf("%v, answers %v", err, answers)
			}
			for ref, a := range answers {
				want := ""
				if ref == "x" {
					want = x.reason
				}
				if a.GetProblem().GetReason() != want || (a.GetSubmission() == nil) != (want != "") {
					t.Errorf("%s: %v, want reason %q", ref, a, want)
				}
			}
			awaitUnused(t, memory)
		})
	}
}

func awaitUnused(t *testing.T, memory *gateway.Memory) {
	t.Helper()
	waitFor(t, func() bool { return memory.Used() == 0 })
}

// A stream that ends within an artifact ends that submission, and all others are answered.
func TestBatchEndsWithinAnArtifact(t *testing.T) {
	memory := gateway.NewMemory(64 << 20)
	c := dialWith(t, start(t, gatewaytest.NewLog()), memory, GRPCConfig{})
	answers, err := sendBatch(t, c, append(items(t, 2), chunkedItem(t, "x", "text of many chunks", 2)[:4]...)...)
	if !errors.Is(err, io.EOF) || len(answers) != 3 || answers["x"].GetProblem().GetReason() != "MALFORMED_REQUEST" {
		t.Errorf("%v, %v", err, answers)
	}
	awaitUnused(t, memory)
}

// The same artifact, whether in chunks or not, is the same submission.
func TestBatchChunksAreTheSameSubmission(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	text := "text in one piece"
	header := headerMessage(gatewaytest.Signed(t, text))
	chunks := chunkedItem(t, "chunks", text, 3)
	chunks[0].Header = header
	answers, err := sendBatch(t, c, append(chunks, &pb.SubmitBatchRequest{Ref: "whole", Header: header, Artifact: []byte(text)})...)
	if !errors.Is(err, io.EOF) || len(answers) != 2 || answers["chunks"].GetSubmission().GetId() == "" {
		t.Fatalf("%v, %v", err, answers)
	}
	if answers["chunks"].GetSubmission().GetId() != answers["whole"].GetSubmission().GetId() || answers["chunks"].GetCreated() == answers["whole"].GetCreated() {
		t.Errorf("%v", answers)
	}
}

// Refusals that end by themselves say when; others do not.
func TestBatchRetryAfter(t *testing.T) {
	c := dialWith(t, failingService{start(t, gatewaytest.NewLog())}, gateway.NewMemory(64<<20), GRPCConfig{})
	answers, err := sendBatch(t, c, items(t, 1)...)
	if got := answers["0"].GetRetryAfter().AsDuration(); !errors.Is(err, io.EOF) || got != 10*time.Second {
		t.Errorf("%v, %v", err, got)
	}
	answers, _ = sendBatch(t, dial(t, gatewaytest.NewLog()), &pb.SubmitBatchRequest{Ref: "x"})
	if answers["x"].GetProblem() == nil || answers["x"].GetRetryAfter() != nil {
		t.Errorf("%v", answers)
	}
}

// TestBatchLargeArtifact: an artifact of a gibibyte among small ones takes no more memory than one of a few chunks.
func TestBatchLargeArtifact(t *testing.T) {
	const size, bound = 1 << 30, 5 * upload.MaxChunk
	memory := gateway.NewMemory(64 << 20)
	c := dialWith(t, start(t, gatewaytest.NewLog()), memory, GRPCConfig{MaxArtifact: size})
	stream, err := c.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	most, stop := sampleMost(t, memory.Used)
	go func() {
		_ = stream.Send(items(t, 1)[0])
		sendZeros(stream, headerMessage(signZeros(t, size)), size)
		_ = stream.CloseSend()
	}()
	for range 2 {
		a, err := stream.Recv()
		if err != nil || a.GetSubmission() == nil {
			t.Fatalf("%v, %v", a, err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	stop()
	t.Logf("at most %d KiB were held", most.Load()>>10)
	if most.Load() > bound || most.Load() == 0 {
		t.Errorf("%d bytes were held at once", most.Load())
	}
	awaitUnused(t, memory)
}

// signZeros signs so many zeros.
func signZeros(t *testing.T, size int64) gateway.Request {
	t.Helper()
	h := sha256.New()
	for zeros := make([]byte, 1<<20); size > 0; size -= int64(len(zeros)) {
		_, _ = h.Write(zeros)
	}
	return gatewaytest.SignedDigest(t, [sha256.Size]byte(h.Sum(nil)))
}

// sendZeros sends an artifact of so many zeros in chunks.
func sendZeros(stream grpc.BidiStreamingClient[pb.SubmitBatchRequest, pb.SubmitBatchResponse], header *pb.SubmissionHeader, size int64) {
	_ = stream.Send(&pb.SubmitBatchRequest{Ref: "zeros", Header: header, Chunked: true, ArtifactSize: &size})
	zeros := make([]byte, upload.MaxChunk)
	for at := int64(0); at < size; at += int64(len(zeros)) {
		c := &pb.ArtifactChunk{Offset: at, Data: zeros, Last: at+int64(len(zeros)) == size}
		if stream.Send(&pb.SubmitBatchRequest{Ref: "zeros", Chunk: c}) != nil {
			return
		}
	}
}

// sampleMost follows the largest value of used until it is stopped.
func sampleMost(t *testing.T, used func() int64) (most *atomic.Int64, stop func()) {
	t.Helper()
	most = new(atomic.Int64)
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				return
			default:
				most.Store(max(most.Load(), used()))
				runtime.Gosched()
				time.Sleep(100 * time.Microsecond)
			}
		}
	}()
	return most, func() { close(ended) }
}

// TestBatchOfWhoeverDoesNotRead: a client that sends and takes no answers is read no further once as many submissions as one stream
// may have are waiting for it. When it reads at last, each has its answer.
func TestBatchOfWhoeverDoesNotRead(t *testing.T) {
	memory := gateway.NewMemory(64 << 20)
	c := dialWith(t, start(t, gatewaytest.NewLog()), memory, GRPCConfig{})
	stream, err := c.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	const many = 20_000
	ref := strings.Repeat("r", 4<<10) // comes back in each answer
	go func() {
		for range many {
			if stream.Send(&pb.SubmitBatchRequest{Ref: ref, Header: &pb.SubmissionHeader{Signature: []byte("none")}}) != nil {
				return
			}
			sent.Add(1)
		}
		_ = stream.CloseSend()
	}()
	before := int64(-1)
	waitFor(t, func() bool { // it stands still
		now := sent.Load()
		time.Sleep(200 * time.Millisecond)
		still := now > 0 && now == before && now == sent.Load()
		before = now
		return still
	})
	t.Logf("%d of %d were sent, %d KiB are held", sent.Load(), many, memory.Used()>>10)
	if sent.Load() > many/4 || memory.Used() > 4<<20 {
		t.Errorf("%d of %d were read, and %d bytes are held", sent.Load(), many, memory.Used())
	}
	for i := range many {
		if _, err := stream.Recv(); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	awaitUnused(t, memory)
}

// A client that goes away within an artifact leaves nothing behind, and nothing is stored.
func TestBatchLeftWithinAnArtifact(t *testing.T) {
	memory, log := gateway.NewMemory(64<<20), gatewaytest.NewLog()
	c := dialWith(t, start(t, log), memory, GRPCConfig{})
	for range 8 {
		ctx, leave := context.WithCancel(t.Context())
		stream, err := c.SubmitBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range chunkedItem(t, "x", "text of many chunks", 2)[:6] {
			if err := stream.Send(m); err != nil {
				t.Fatal(err)
			}
		}
		waitFor(t, func() bool { return memory.Used() > 0 })
		leave()
		awaitUnused(t, memory)
	}
	if _, sent := log.Count(); sent != 0 {
		t.Errorf("%d were sent to the log", sent)
	}
}

// TestBatchSlowChunks: within an artifact a client has to be as fast as in Submit; between submissions it may rest.
func TestBatchSlowChunks(t *testing.T) {
	calls := upload.CallConfig{Pace: upload.Pace{Idle: 300 * time.Millisecond, MinRate: 1 << 20}}
	c := dialWith(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), GRPCConfig{Calls: calls})
	stream, err := c.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	messages := chunkedItem(t, "x", strings.Repeat("slow ", 200), 1)
	var sent atomic.Int64
	go func() {
		for _, m := range messages {
			if stream.Send(m) != nil {
				return
			}
			sent.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
	}()
	for {
		if _, err = stream.Recv(); err != nil {
			break
		}
	}
	if status.Code(err) != codes.DeadlineExceeded || problem.GRPCReason(err) != "REQUEST_TIMEOUT" || sent.Load() == int64(len(messages)) {
		t.Errorf("%v after %d of %d chunks", err, sent.Load(), len(messages))
	}
}
