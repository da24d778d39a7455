// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/upload"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func dial(t *testing.T, log *gatewaytest.Log) pb.GatewayServiceClient {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	RegisterGRPC(server, start(t, log), GRPCConfig{MaxArtifact: testMaxArtifact, Logger: slog.New(slog.DiscardHandler)})
	return serveGRPC(t, server, listener)
}

func serveGRPC(t *testing.T, server *grpc.Server, listener *bufconn.Listener) pb.GatewayServiceClient {
	t.Helper()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	conn, err := grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return pb.NewGatewayServiceClient(conn)
}

func headerMessage(r gateway.Request) *pb.SubmissionHeader {
	return &pb.SubmissionHeader{Signature: r.Signature, Keys: r.Keys, Format: r.Format}
}

func startMessage(h *pb.SubmissionHeader) *pb.SubmitRequest {
	return &pb.SubmitRequest{Part: &pb.SubmitRequest_Start{Start: &pb.SubmitStart{Header: h}}}
}

func chunk(b []byte) *pb.SubmitRequest {
	return &pb.SubmitRequest{Part: &pb.SubmitRequest_Chunk{Chunk: b}}
}

func send(t *testing.T, c pb.GatewayServiceClient, messages ...*pb.SubmitRequest) (*pb.SubmitResponse, error) {
	t.Helper()
	stream, err := c.Submit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if stream.Send(m) != nil {
			break // refused already: CloseAndRecv says why
		}
	}
	return stream.CloseAndRecv()
}

// A client that stops sending does not hold its stream for ever.
func TestGRPCSilentStream(t *testing.T) {
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	RegisterGRPC(server, start(t, gatewaytest.NewLog()), GRPCConfig{
		MaxArtifact: testMaxArtifact, Logger: slog.New(slog.DiscardHandler), Calls: upload.CallConfig{Pace: upload.Pace{Idle: 50 * time.Millisecond}},
	})
	c := serveGRPC(t, server, listener)
	for name, messages := range map[string][]*pb.SubmitRequest{
		"nothing":     nil,
		"no artifact": {startMessage(headerMessage(gatewaytest.Signed(t, "hello")))},
		"half of it":  {startMessage(headerMessage(gatewaytest.Signed(t, "hello"))), chunk([]byte("he"))},
		"empty chunk": {startMessage(headerMessage(gatewaytest.Signed(t, "hello"))), chunk(nil)},
	} {
		stream, err := c.Submit(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range messages {
			_ = stream.Send(m)
		}
		if err := stream.RecvMsg(new(pb.SubmitResponse)); status.Code(err) != codes.DeadlineExceeded {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGRPCSubmit(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	r := gatewaytest.Signed(t, "hello")
	first, err := send(t, c, startMessage(headerMessage(r)), chunk([]byte("he")), chunk([]byte("llo")))
	if err != nil {
		t.Fatal(err)
	}
	if !first.GetCreated() || first.GetSubmission().GetState() != pb.Submission_LOGGED || first.GetSubmission().GetReceipt() == nil {
		t.Errorf("answer %v", first)
	}
	again, err := send(t, c, startMessage(headerMessage(r)), chunk([]byte("hello")))
	if err != nil || again.GetCreated() || again.GetSubmission().GetId() != first.GetSubmission().GetId() {
		t.Errorf("submitted again: %v, %v", again, err)
	}
	got, err := c.GetSubmission(t.Context(), &pb.GetSubmissionRequest{Id: first.GetSubmission().GetId()})
	if err != nil || got.GetSubmission().GetReceipt() == nil {
		t.Errorf("get: %v, %v", got, err)
	}
	list, err := c.ListSubmissions(t.Context(), &pb.ListSubmissionsRequest{Artifact: r.Digest.String()})
	if err != nil || len(list.GetSubmissions()) != 1 {
		t.Errorf("list: %v, %v", list, err)
	}
	plan, err := c.Plan(t.Context(), &pb.PlanRequest{Header: headerMessage(r)})
	if err != nil || plan.GetPlan().GetChosen().String() != "NATIVE" {
		t.Errorf("plan: %v, %v", plan, err)
	}
	if formats, err := c.ListFormats(t.Context(), &pb.ListFormatsRequest{}); err != nil || len(formats.GetFormats()) == 0 {
		t.Errorf("formats: %v, %v", formats, err)
	}
}

func TestGRPCRefusals(t *testing.T) {
	log := gatewaytest.NewLog()
	c := dial(t, log)
	r := gatewaytest.Signed(t, "hello")
	noKey, badDigest := headerMessage(r), headerMessage(r)
	noKey.Keys, badDigest.Digest = nil, "sha256:1"
	slow := startMessage(headerMessage(r))
	slow.GetStart().Wait = durationpb.New(time.Hour)
	for name, x := range map[string]struct {
		messages []*pb.SubmitRequest
		code     codes.Code
		reason   string
	}{
		"empty stream":     {nil, codes.InvalidArgument, "MALFORMED_REQUEST"},
		"no start":         {[]*pb.SubmitRequest{chunk([]byte("x"))}, codes.InvalidArgument, "MALFORMED_REQUEST"},
		"two starts":       {[]*pb.SubmitRequest{startMessage(headerMessage(r)), startMessage(headerMessage(r))}, codes.InvalidArgument, "MALFORMED_REQUEST"},
		"no key":           {[]*pb.SubmitRequest{startMessage(noKey)}, codes.InvalidArgument, "MISSING_KEY"},
		"malformed digest": {[]*pb.SubmitRequest{startMessage(badDigest)}, codes.InvalidArgument, "MALFORMED_DIGEST"},
		"wait too long":    {[]*pb.SubmitRequest{slow}, codes.InvalidArgument, "MALFORMED_REQUEST"},
		"no artifact":      {[]*pb.SubmitRequest{startMessage(headerMessage(r))}, codes.InvalidArgument, "MISSING_ARTIFACT"},
		"other artifact":   {[]*pb.SubmitRequest{startMessage(headerMessage(r)), chunk([]byte("x"))}, codes.FailedPrecondition, "SIGNATURE_INVALID"},
		"too large": {[]*pb.SubmitRequest{startMessage(headerMessage(r)), chunk(make([]byte, upload.MaxChunk)), chunk(make([]byte, upload.MaxChunk))},
			codes.InvalidArgument, "TOO_LARGE"},
	} {
		_, err := send(t, c, x.messages...)
		if code, reason := status.Code(err), problem.GRPCReason(err); code != x.code || reason != x.reason {
			t.Errorf("%s: %s %s, want %s %s", name, code, reason, x.code, x.reason)
		}
	}
	if _, sent := log.Count(); sent != 0 {
		t.Errorf("%d refused submissions were logged", sent)
	}
	_, err := c.GetSubmission(t.Context(), &pb.GetSubmissionRequest{Id: "0"})
	if s := status.Convert(err); s.Code() != codes.NotFound {
		t.Errorf("unknown id: %v", err)
	}
}

func TestGRPCBatch(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	stream, err := c.SubmitBatch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const many = 40
	go func() {
		for i := range many {
			m := &pb.SubmitBatchRequest{Ref: string(rune('A' + i)), Header: headerMessage(gatewaytest.Signed(t, "hello")), Artifact: []byte("hello")}
			if i == 7 {
				m.Artifact = []byte("other")
			}
			_ = stream.Send(m)
		}
		_ = stream.CloseSend()
	}()
	seen, refused := map[string]bool{}, 0
	for range many {
		answer, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		seen[answer.GetRef()] = true
		if answer.GetProblem() != nil {
			refused++
		}
	}
	if len(seen) != many || refused != 1 {
		t.Errorf("%d answers, %d refused", len(seen), refused)
	}
}

func TestGRPCWatch(t *testing.T) {
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	c := dial(t, log)
	m := startMessage(headerMessage(gatewaytest.Signed(t, "hello")))
	m.GetStart().Wait = durationpb.New(0)
	accepted, err := send(t, c, m, chunk([]byte("hello")))
	if err != nil || accepted.GetSubmission().GetState() != pb.Submission_PENDING {
		t.Fatalf("accepted: %v, %v", accepted, err)
	}
	stream, err := c.WatchSubmission(t.Context(), &pb.WatchSubmissionRequest{Id: accepted.GetSubmission().GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if first, err := stream.Recv(); err != nil || first.GetSubmission().GetState() != pb.Submission_PENDING {
		t.Fatalf("first: %v, %v", first, err)
	}
	log.SetDown(nil)
	for {
		next, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if next.GetSubmission().GetState() == pb.Submission_LOGGED {
			return
		}
	}
}

// changingService has every submission change for ever.
type changingService struct{ Service }

func (s changingService) Watch(ctx context.Context, tenant, id string, f func(gateway.Submission) error) error {
	sub, err := s.Get(ctx, tenant, id)
	for err == nil {
		err = f(sub)
	}
	return err
}

// TestGRPCWatchOfManyChanges: what a watch holds does not grow with each change.
func TestGRPCWatchOfManyChanges(t *testing.T) {
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	c := dialWith(t, changingService{start(t, log)}, gateway.NewMemory(1<<20), GRPCConfig{})
	m := startMessage(headerMessage(gatewaytest.Signed(t, "hello")))
	m.GetStart().Wait = durationpb.New(0)
	accepted, err := send(t, c, m, chunk([]byte("hello")))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := c.WatchSubmission(t.Context(), &pb.WatchSubmissionRequest{Id: accepted.GetSubmission().GetId()})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10_000 {
		if _, err := stream.Recv(); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
	}
}
