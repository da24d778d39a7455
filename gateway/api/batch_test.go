// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/internal/panics"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// dialWith is a client of service, which counts in memory what calls hold.
func dialWith(t *testing.T, service Service, memory *gateway.Memory, cfg GRPCConfig) pb.GatewayServiceClient {
	t.Helper()
	cfg.MaxArtifact = cmp.Or(cfg.MaxArtifact, testMaxArtifact)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	server := grpc.NewServer(grpc.StreamInterceptor(func(srv any, stream grpc.ServerStream, _ *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
		held, err := memory.Admit(0)
		if err != nil {
			return problem.FromError(err).GRPCError()
		}
		defer held.Close()
		return handle(srv, heldStream{stream, gateway.WithHeld(stream.Context(), held)})
	}))
	RegisterGRPC(server, service, cfg)
	return serveGRPC(t, server, bufconn.Listen(1<<20))
}

type heldStream struct {
	grpc.ServerStream
	ctx context.Context
}

func (s heldStream) Context() context.Context { return s.ctx }

// sendBatch sends items and returns the answers by their refs, and the error that ended the stream: io.EOF as a rule.
func sendBatch(t *testing.T, c pb.GatewayServiceClient, items ...*pb.SubmitBatchRequest) (map[string]*pb.SubmitBatchResponse, error) {
	t.Helper()
	stream, err := c.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, m := range items {
			if stream.Send(m) != nil {
				return
			}
		}
		_ = stream.CloseSend()
	}()
	answers := map[string]*pb.SubmitBatchResponse{}
	for {
		a, err := stream.Recv()
		if err != nil {
			return answers, err
		}
		answers[a.GetRef()] = a
	}
}

func items(t *testing.T, n int) []*pb.SubmitBatchRequest {
	t.Helper()
	out := make([]*pb.SubmitBatchRequest, n)
	for i := range out {
		text := fmt.Sprint("text ", i)
		out[i] = &pb.SubmitBatchRequest{Ref: fmt.Sprint(i), Header: headerMessage(gatewaytest.Signed(t, text)), Artifact: []byte(text)}
	}
	return out
}

// Each submission of a batch counts against the rate limit, and what it refuses is that one's.
func TestBatchItemsAreCounted(t *testing.T) {
	var counted atomic.Int64
	c := dialWith(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), GRPCConfig{CountItem: func(context.Context) error {
		if counted.Add(1) > 3 {
			return problem.LimitedError(time.Second)
		}
		return nil
	}})
	answers, err := sendBatch(t, c, items(t, 8)...)
	if !errors.Is(err, io.EOF) || len(answers) != 8 || counted.Load() != 8 {
		t.Fatalf("%v, %d answers, %d counted", err, len(answers), counted.Load())
	}
	refused := 0
	for _, a := range answers {
		if a.GetProblem().GetReason() == "RATE_LIMITED" {
			refused++
		}
	}
	if refused != 5 {
		t.Errorf("%d were refused, want 5", refused)
	}
}

// fragile panics over one signature.
type fragile struct {
	Service
	over []byte
}

func (f fragile) Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error) {
	if bytes.Equal(r.Signature, f.over) {
		panic("about a signature")
	}
	return f.Service.Begin(ctx, r)
}

// A panic over one submission is that one's INTERNAL; the others, the stream and the process live on.
func TestBatchItemPanics(t *testing.T) {
	batch := items(t, 6)
	var log bytes.Buffer
	counted := map[string]int{}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	c := dialWith(t, fragile{start(t, gatewaytest.NewLog()), batch[2].GetHeader().GetSignature()}, gateway.NewMemory(64<<20), GRPCConfig{
		Logger: logger, Calls: upload.CallConfig{Panics: panics.NewReporter(logger, func(where string) { counted[where]++ })},
	})
	answers, err := sendBatch(t, c, batch...)
	if !errors.Is(err, io.EOF) || len(answers) != 6 {
		t.Fatalf("%v, %d answers", err, len(answers))
	}
	for ref, a := range answers {
		want := ""
		if ref == "2" {
			want = "INTERNAL"
		}
		if got := a.GetProblem().GetReason(); got != want {
			t.Errorf("%s: %q, want %q", ref, got, want)
		}
	}
	if counted["SubmitBatch"] != 1 || bytes.Contains(log.Bytes(), []byte("about a signature")) || !bytes.Contains(log.Bytes(), []byte("batch_test.go")) {
		t.Errorf("counted %v, log:\n%s", counted, &log)
	}
}

// A batch that is larger than the memory for all requests goes through, piece by piece, and leaves nothing counted.
func TestBatchWaitsForItself(t *testing.T) {
	memory := gateway.NewMemory(8 << 20)
	c := dialWith(t, start(t, gatewaytest.NewLog()), memory, GRPCConfig{})
	batch := items(t, 24)
	for _, m := range batch {
		m.Artifact = make([]byte, upload.MaxChunk)
	}
	answers, err := sendBatch(t, c, batch...)
	if !errors.Is(err, io.EOF) || len(answers) != len(batch) {
		t.Fatalf("%v, %d answers", err, len(answers))
	}
	for _, a := range answers {
		if reason := a.GetProblem().GetReason(); reason != "SIGNATURE_INVALID" && reason != "MEMORY_FULL" {
			t.Errorf("%s: %q", a.GetRef(), reason)
		}
	}
	for deadline := time.Now().Add(5 * time.Second); memory.Used() != 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes stay held", memory.Used())
		}
	}
}

// Without memory a call is refused for now, and nothing stays counted.
func TestGRPCMemoryFull(t *testing.T) {
	memory := gateway.NewMemory(256 << 10)
	c := dialWith(t, start(t, gatewaytest.NewLog()), memory, GRPCConfig{})
	large := headerMessage(gatewaytest.Signed(t, "hello"))
	large.Keys = append(large.Keys, make([]byte, 1<<20))
	_, submit := send(t, c, startMessage(large))
	_, plan := c.Plan(t.Context(), &pb.PlanRequest{Header: large})
	_, batch := sendBatch(t, c, &pb.SubmitBatchRequest{Header: large})
	for name, err := range map[string]error{"Submit": submit, "Plan": plan, "SubmitBatch": batch} {
		if status.Code(err) != codes.Unavailable || problem.GRPCReason(err) != "MEMORY_FULL" || len(status.Convert(err).Details()) != 2 {
			t.Errorf("%s: %v %v", name, err, status.Convert(err).Details())
		}
	}
	if got, err := c.Plan(t.Context(), &pb.PlanRequest{Header: headerMessage(gatewaytest.Signed(t, "hello"))}); err != nil || got.GetPlan() == nil {
		t.Errorf("a small one: %v", err)
	}
}

// Streams that say nothing end, in each kind of call.
func TestSilentCallsEnd(t *testing.T) {
	c := dialWith(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), GRPCConfig{Calls: upload.CallConfig{Pace: upload.Pace{Idle: 50 * time.Millisecond}}})
	stream, err := c.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.DeadlineExceeded || problem.GRPCReason(err) != "REQUEST_TIMEOUT" {
		t.Errorf("SubmitBatch: %v", err)
	}
}

// A call that goes on for too long ends, however lively it is.
func TestCallsEndInTime(t *testing.T) {
	c := dialWith(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), GRPCConfig{Calls: upload.CallConfig{MaxTime: 200 * time.Millisecond}})
	stream, err := c.Submit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(startMessage(headerMessage(gatewaytest.Signed(t, "hello"))))
	go func() {
		for stream.Send(chunk([]byte("a"))) == nil {
			time.Sleep(10 * time.Millisecond)
		}
	}()
	if err := stream.RecvMsg(new(pb.SubmitResponse)); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("%v", err)
	}
}

// gatedService counts those who begin, and lets nobody on until its gate is open.
type gatedService struct {
	Service
	gate         chan struct{}
	within, most atomic.Int64
}

func (s *gatedService) Begin(ctx context.Context, r gateway.Request) (gateway.Draft, error) {
	n := s.within.Add(1)
	defer s.within.Add(-1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	<-s.gate
	return s.Service.Begin(ctx, r)
}

// TestBatchesShareWorkers: many streams do not have as many workers each as a few have, and all are answered.
func TestBatchesShareWorkers(t *testing.T) {
	const streams, share = 128, upload.MaxBatchWorkers / 128
	service := &gatedService{Service: start(t, gatewaytest.NewLog()), gate: make(chan struct{})}
	c := dialWith(t, service, gateway.NewMemory(1<<30), GRPCConfig{})
	opened := make([]grpc.BidiStreamingClient[pb.SubmitBatchRequest, pb.SubmitBatchResponse], streams)
	malformed := &pb.SubmitBatchRequest{Header: &pb.SubmissionHeader{Signature: []byte("none")}}
	for i := range opened {
		var err error
		if opened[i], err = c.SubmitBatch(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := opened[i].Send(malformed); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return service.within.Load() == streams }) // all are open
	for _, stream := range opened {
		for range upload.MaxBatchParallel - 1 {
			if err := stream.Send(malformed); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return service.within.Load() >= streams*share })
	close(service.gate)
	for _, stream := range opened {
		for range upload.MaxBatchParallel {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := service.most.Load(); got > streams*share {
		t.Errorf("%d submissions were worked on at once, want %d at most", got, streams*share)
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

// failingService cannot take anything.
type failingService struct{ Service }

func (failingService) Begin(context.Context, gateway.Request) (gateway.Draft, error) {
	return nil, fmt.Errorf("%w: disk I/O error", gateway.ErrNotStored)
}

// TestBatchCausesAreToldOnce: a store that fails does not fill the log with each submission of a batch.
func TestBatchCausesAreToldOnce(t *testing.T) {
	var log bytes.Buffer
	c := dialWith(t, failingService{start(t, gatewaytest.NewLog())}, gateway.NewMemory(64<<20), GRPCConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	answers, err := sendBatch(t, c, items(t, 200)...)
	if !errors.Is(err, io.EOF) || len(answers) != 200 || answers["199"].GetProblem().GetReason() != "NOT_STORED" {
		t.Fatalf("%v, %d answers", err, len(answers))
	}
	if got := strings.Count(log.String(), "disk I/O error"); got != 1 {
		t.Errorf("the cause was told %d times", got)
	}
}
