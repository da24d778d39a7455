// SPDX-License-Identifier: Apache-2.0

package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/client"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// TestCalls: every call against a gateway.
func TestCalls(t *testing.T) {
	g, log := startGateway(t)
	c := dial(t, serve(t, g))
	s := signed(t, strings.Repeat("large ", 1<<20))
	s.Header.Labels = map[string]string{"build": "1"}
	first, err := c.Submit(t.Context(), s)
	if err != nil || !first.GetCreated() || first.GetSubmission().GetState() != pb.Submission_LOGGED {
		t.Fatalf("%v, %v", first, err)
	}
	if _, err := receipt.Unmarshal([]byte(first.GetSubmission().GetReceiptJson())); err != nil {
		t.Error(err)
	}
	again, err := c.Submit(t.Context(), s)
	if err != nil || again.GetCreated() || again.GetSubmission().GetId() != first.GetSubmission().GetId() {
		t.Errorf("again: %v, %v", again, err)
	}
	got, err := c.Get(t.Context(), first.GetSubmission().GetId())
	if err != nil || got.GetReceiptJson() != first.GetSubmission().GetReceiptJson() {
		t.Errorf("get: %v, %v", got, err)
	}
	page, err := c.List(t.Context(), &pb.ListSubmissionsRequest{})
	if err != nil || len(page.GetSubmissions()) != 1 {
		t.Errorf("list: %v, %v", page, err)
	}
	plan, err := c.Plan(t.Context(), s.Header)
	if err != nil || plan.GetFormat() != "x509" {
		t.Errorf("plan: %v, %v", plan, err)
	}
	if logged, _ := log.Count(); logged != 1 {
		t.Errorf("%d are logged", logged)
	}
}

// TestRefusal: a refusal has the gateway's reason and hint, also when most of the artifact is not sent yet, and is not repeated.
func TestRefusal(t *testing.T) {
	g, _ := startGateway(t)
	r := serve(t, g)
	c := dial(t, r)
	s := signed(t, "hello")
	s.Header.Keys = nil
	s.Artifact = content(make([]byte, maxArtifact))
	_, err := c.Submit(t.Context(), s)
	var refusal *client.Error
	if !errors.As(err, &refusal) || refusal.Reason != "MISSING_KEY" || refusal.Hint == "" || refusal.Code != codes.InvalidArgument || refusal.Field != "keys" || refusal.Temporary {
		t.Errorf("%#v", err)
	}
	if _, err := c.Get(t.Context(), "none"); !errors.As(err, &refusal) || refusal.Code != codes.NotFound || err.Error() != "NOT_FOUND: there is no such submission" {
		t.Errorf("%v", err)
	}
	if r.calls.Load() != 2 {
		t.Errorf("%d calls", r.calls.Load())
	}
}

// fake answers as its functions do.
type fake struct {
	pb.UnimplementedGatewayServiceServer
	get    func(ctx context.Context, try int64) (*pb.Submission, error)
	watch  func(try int64, send func(*pb.Submission) error) error
	batch  func(try int64, stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error
	getAll func(ids []string, send func(*pb.GetSubmissionsResponse) error) error
	tries  atomic.Int64
}

func (f *fake) GetSubmission(ctx context.Context, r *pb.GetSubmissionRequest) (*pb.GetSubmissionResponse, error) {
	s, err := f.get(ctx, f.tries.Add(1))
	if s != nil {
		s.Id = r.GetId()
	}
	return &pb.GetSubmissionResponse{Submission: s}, err
}

func (f *fake) GetSubmissions(r *pb.GetSubmissionsRequest, stream grpc.ServerStreamingServer[pb.GetSubmissionsResponse]) error {
	return f.getAll(r.GetIds(), stream.Send)
}

func (f *fake) WatchSubmission(r *pb.WatchSubmissionRequest, stream grpc.ServerStreamingServer[pb.WatchSubmissionResponse]) error {
	return f.watch(f.tries.Add(1), func(s *pb.Submission) error {
		s.Id = r.GetId()
		return stream.Send(&pb.WatchSubmissionResponse{Submission: s})
	})
}

func (f *fake) SubmitBatch(stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
	return f.batch(f.tries.Add(1), stream)
}

// refuse is a refusal as gateways give it.
func refuse(code codes.Code, reason string, after time.Duration) error {
	s := status.New(code, "what")
	s, _ = s.WithDetails(&errdetails.ErrorInfo{Reason: reason, Metadata: map[string]string{"hint": "why", "request_id": "id"}})
	if after > 0 {
		s, _ = s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	}
	return s.Err()
}

// TestRepeatedCalls: what failed for now is repeated, after as long as the gateway said; nothing else is.
func TestRepeatedCalls(t *testing.T) {
	pending := &pb.Submission{State: pb.Submission_PENDING}
	for name, x := range map[string]struct {
		first   error
		repeats bool
		atLeast time.Duration
	}{
		"busy":             {refuse(codes.Unavailable, "BUSY", 700*time.Millisecond), true, 700 * time.Millisecond},
		"rate limit":       {refuse(codes.ResourceExhausted, "RATE_LIMITED", 700*time.Millisecond), true, 700 * time.Millisecond},
		"broken":           {status.Error(codes.Unavailable, "connection reset"), true, 0},
		"message too big":  {status.Error(codes.ResourceExhausted, "grpc: received message larger than max"), false, 0},
		"refused":          {refuse(codes.FailedPrecondition, "WEAK_ALGORITHM", 0), false, 0},
		"forbidden":        {refuse(codes.PermissionDenied, "FORBIDDEN", 0), false, 0},
		"gateway's fault":  {refuse(codes.Internal, "INTERNAL", 0), false, 0},
		"no gateway":       {status.Error(codes.Unimplemented, "unknown service"), false, 0},
		"beyond patience":  {refuse(codes.Unavailable, "LOG_FORKED", time.Hour), false, 0},
		"gateway too late": {refuse(codes.DeadlineExceeded, "REQUEST_TIMEOUT", 0), false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{get: func(_ context.Context, try int64) (*pb.Submission, error) {
				if try == 1 {
					return nil, x.first
				}
				return pending, nil
			}}
			var told atomic.Int64
			c := dialWith(t, client.Config{Retries: client.Retries{Patience: time.Minute, Notify: func(error, time.Duration) { told.Add(1) }}}, serveFake(t, f))
			started := time.Now()
			_, err := c.Get(t.Context(), "id")
			if (err == nil) != x.repeats || f.tries.Load() > 1 != x.repeats || told.Load() > 0 != x.repeats {
				t.Errorf("%v after %d tries, told %d times", err, f.tries.Load(), told.Load())
			}
			if took := time.Since(started); took < x.atLeast {
				t.Errorf("only %v", took)
			}
		})
	}
}

// Without patience nothing is repeated.
func TestImpatience(t *testing.T) {
	f := &fake{get: func(context.Context, int64) (*pb.Submission, error) { return nil, refuse(codes.Unavailable, "BUSY", 0) }}
	c := dialWith(t, client.Config{}, serveFake(t, f))
	var refusal *client.Error
	if _, err := c.Get(t.Context(), "id"); !errors.As(err, &refusal) || !refusal.Temporary || refusal.RequestID != "id" || f.tries.Load() != 1 {
		t.Errorf("%v after %d tries", err, f.tries.Load())
	}
}

// TestDeadlinesAndCancellation: a call ends with its context, the gateway learns of it, and no try follows.
func TestDeadlinesAndCancellation(t *testing.T) {
	for name, x := range map[string]struct {
		context func() (context.Context, context.CancelFunc)
		want    error
	}{
		"deadline": {func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 100*time.Millisecond)
		}, context.DeadlineExceeded},
		"cancelled": {func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Millisecond, cancel)
			return ctx, cancel
		}, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 4)
			wait := func(ctx context.Context) error {
				<-ctx.Done()
				ended <- ctx.Err()
				return ctx.Err()
			}
			f := &fake{
				get: func(ctx context.Context, _ int64) (*pb.Submission, error) { return nil, wait(ctx) },
				batch: func(_ int64, s grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse]) error {
					return wait(s.Context())
				},
			}
			c := dial(t, serveFake(t, f))
			ctx, cancel := x.context()
			defer cancel()
			if _, err := c.Get(ctx, "id"); !errors.Is(err, x.want) {
				t.Errorf("get: %v", err)
			}
			<-ended
			ctx, cancel = x.context()
			defer cancel()
			var last error
			for _, err := range c.SubmitBatch(ctx, one(signed(t, "a"))) {
				last = err
			}
			if !errors.Is(last, x.want) {
				t.Errorf("batch: %v", last)
			}
			<-ended
			if f.tries.Load() != 2 {
				t.Errorf("%d tries", f.tries.Load())
			}
		})
	}
}

// TestSilence: who does not answer is not waited for without end, nor asked again.
func TestSilence(t *testing.T) {
	f := &fake{get: func(ctx context.Context, _ int64) (*pb.Submission, error) { <-ctx.Done(); return nil, ctx.Err() }}
	c := dialWith(t, client.Config{Retries: client.Retries{Patience: time.Minute, Silence: 50 * time.Millisecond}}, serveFake(t, f))
	if _, err := c.Get(t.Context(), "id"); !errors.Is(err, client.ErrSilent) || f.tries.Load() != 1 {
		t.Errorf("%v after %d tries", err, f.tries.Load())
	}
}

// TestSeveralAddresses: calls go to all that are there; to one that is down, dies or says that it is not ready, none; and nobody who
// calls notices.
func TestSeveralAddresses(t *testing.T) {
	g, _ := startGateway(t)
	replicas := []*replica{serve(t, g), serve(t, g), serve(t, g)}
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down.Close()
	c := dialWith(t, client.Config{Addresses: []string{down.Addr().String()}, Retries: client.Retries{Patience: time.Minute}}, replicas...)
	ask := func(n int) {
		t.Helper()
		for range n {
			if _, err := c.List(t.Context(), &pb.ListSubmissionsRequest{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := func() bool {
		return replicas[0].calls.Load() > 0 && replicas[1].calls.Load() > 0 && replicas[2].calls.Load() > 0
	}
	waitFor(t, func() bool { ask(1); return all() })

	before := replicas[0].calls.Load()
	ask(30)
	if got := replicas[0].calls.Load() - before; got < 7 || got > 13 { // each attempt to reach the one that is down starts a new round
		t.Errorf("one of three had %d of 30 calls", got)
	}

	replicas[0].Stop() // dies
	ask(30)

	replicas[1].tellHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	waitFor(t, func() bool { // the client has heard
		before := replicas[1].calls.Load()
		ask(3)
		return replicas[1].calls.Load() == before
	})
	before = replicas[1].calls.Load()
	ask(30)
	if got := replicas[1].calls.Load() - before; got != 0 {
		t.Errorf("one that is not ready had %d calls", got)
	}
	replicas[1].tellHealth(healthpb.HealthCheckResponse_SERVING)
	waitFor(t, func() bool { ask(1); return replicas[1].calls.Load() > before })
}

// A single gateway is called though it says that it is not ready.
func TestSingleAddress(t *testing.T) {
	g, _ := startGateway(t)
	r := serve(t, g)
	r.tellHealth(healthpb.HealthCheckResponse_NOT_SERVING)
	if _, err := dialWith(t, client.Config{}, r).List(t.Context(), &pb.ListSubmissionsRequest{}); err != nil {
		t.Error(err)
	}
}

// TestSubmitWhileOneDies: a large artifact on its way to a gateway that dies is sent again, to another.
func TestSubmitWhileOneDies(t *testing.T) {
	g, log := startGateway(t)
	replicas := []*replica{serve(t, g), serve(t, g)}
	c := dial(t, replicas...)
	text := strings.Repeat("x", 4<<20)
	s := signed(t, text)
	var opened atomic.Int64
	s.Artifact = func() (io.ReadCloser, error) {
		if opened.Add(1) > 1 {
			return io.NopCloser(strings.NewReader(text)), nil
		}
		die := func() {
			for _, r := range replicas {
				if r.calls.Load() > 0 {
					r.Stop()
				}
			}
		}
		return io.NopCloser(io.MultiReader(strings.NewReader(text[:2<<20]), &calling{die}, strings.NewReader(text[2<<20:]))), nil
	}
	answer, err := c.Submit(t.Context(), s)
	if err != nil || answer.GetSubmission().GetState() != pb.Submission_LOGGED || opened.Load() < 2 {
		t.Errorf("%v, %v; opened %d times", answer, err, opened.Load())
	}
	if logged, _ := log.Count(); logged != 1 {
		t.Errorf("%d are logged", logged)
	}
}

// calling is empty, and calls when it is read.
type calling struct{ call func() }

func (c *calling) Read([]byte) (int, error) { c.call(); return 0, io.EOF }

func TestBadAddresses(t *testing.T) {
	for _, bad := range [][]string{nil, {""}, {"http://a:1"}, {"a:1", "b"}, {"a:1", "dns:///b:1"}, {"dns:///"}, {"a:1", ":2"}} {
		if c, err := client.New(client.Config{Addresses: bad}); err == nil || c != nil {
			t.Errorf("%q passed", bad)
		}
	}
	for _, fine := range [][]string{{"a:1"}, {"dns:///a:1"}, {"a:1", "[::1]:2"}} {
		c, err := client.New(client.Config{Addresses: fine})
		if err != nil {
			t.Errorf("%q: %v", fine, err)
			continue
		}
		c.Close()
	}
}

// TestOmitReceiptJSON: no call's answer has the receipt twice.
func TestOmitReceiptJSON(t *testing.T) {
	g, _ := startGateway(t)
	c := dialWith(t, client.Config{OmitReceiptJSON: true}, serve(t, g))
	first, err := c.Submit(t.Context(), signed(t, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), first.GetSubmission().GetId())
	if err != nil {
		t.Fatal(err)
	}
	watched, err := c.Await(t.Context(), first.GetSubmission().GetId())
	if err != nil {
		t.Fatal(err)
	}
	for call, s := range map[string]*pb.Submission{"submit": first.GetSubmission(), "get": got, "watch": watched} {
		if s.GetReceipt() == nil || s.GetReceiptJson() != "" {
			t.Errorf("%s: %v", call, s)
		}
	}
}

// TestWatch: changes are seen as they come, and a stream that breaks is resumed.
func TestWatch(t *testing.T) {
	g, log := startGateway(t)
	r := serve(t, g)
	c := dial(t, r)
	log.SetDown(gateway.ErrUnavailable)
	s := signed(t, "hello")
	s.Wait = 0
	accepted, err := c.Submit(t.Context(), s)
	if err != nil || accepted.GetSubmission().GetState() != pb.Submission_PENDING {
		t.Fatalf("%v, %v", accepted, err)
	}
	var states []pb.Submission_State
	for sub, err := range c.Watch(t.Context(), accepted.GetSubmission().GetId()) {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, sub.GetState())
		if len(states) == 1 {
			r.cut()
			log.SetDown(nil)
		}
	}
	if states[0] != pb.Submission_PENDING || states[len(states)-1] != pb.Submission_LOGGED || r.calls.Load() < 3 {
		t.Errorf("%v after %d calls", states, r.calls.Load())
	}
	if logged, err := c.Await(t.Context(), accepted.GetSubmission().GetId()); err != nil || logged.GetReceiptJson() == "" {
		t.Errorf("%v, %v", logged, err)
	}
	for range c.Watch(t.Context(), accepted.GetSubmission().GetId()) {
		break // is no mistake
	}
}

// TestWatchOfFaults: what a gateway may do with a watch.
func TestWatchOfFaults(t *testing.T) {
	for name, x := range map[string]struct {
		watch func(try int64, send func(*pb.Submission) error) error
		state pb.Submission_State
		err   error
		tries int64
	}{
		"nothing new after a break": {func(try int64, send func(*pb.Submission) error) error {
			if try < 3 {
				_ = send(&pb.Submission{State: pb.Submission_PENDING})
				return status.Error(codes.Unavailable, "broken")
			}
			return send(&pb.Submission{State: pb.Submission_LOGGED})
		}, pb.Submission_LOGGED, nil, 3},
		"ended early": {func(try int64, send func(*pb.Submission) error) error {
			if try == 1 {
				return send(&pb.Submission{State: pb.Submission_PENDING})
			}
			return send(&pb.Submission{State: pb.Submission_LOGGED})
		}, pb.Submission_LOGGED, nil, 2},
		"failed": {func(_ int64, send func(*pb.Submission) error) error {
			return send(&pb.Submission{State: pb.Submission_FAILED})
		}, pb.Submission_FAILED, client.ErrFailed, 1},
		"another one": {func(_ int64, send func(*pb.Submission) error) error { return send(new(pb.Submission)) }, 0, errAny, 1},
		"gone": {func(try int64, send func(*pb.Submission) error) error {
			if try == 1 {
				return send(&pb.Submission{State: pb.Submission_PENDING})
			}
			return refuse(codes.NotFound, "NOT_FOUND", 0)
		}, pb.Submission_PENDING, errAny, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{watch: x.watch}
			got, err := dial(t, serveFake(t, f)).Await(t.Context(), "id")
			if got.GetState() != x.state || f.tries.Load() != x.tries || (x.err == nil) != (err == nil) || !errors.Is(x.err, errAny) && !errors.Is(err, x.err) {
				t.Errorf("%v, %v after %d tries", got, err, f.tries.Load())
			}
		})
	}
}

var errNotFound = refuse(codes.NotFound, "NOT_FOUND", 0)

// answerAlike gives each submission of a batch the same answer.
func answerAlike(stream grpc.BidiStreamingServer[pb.SubmitBatchRequest, pb.SubmitBatchResponse], answer *pb.SubmitBatchResponse) error {
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		a := proto.CloneOf(answer)
		a.Ref = r.GetRef()
		if err := stream.Send(a); err != nil {
			return err
		}
	}
}

var errAny = errors.New("any")

// TestWatchTellsNews: what a resumed stream says again is no news, nor is another estimate.
func TestWatchTellsNews(t *testing.T) {
	f := &fake{watch: func(try int64, send func(*pb.Submission) error) error {
		if try < 4 {
			_ = send(&pb.Submission{State: pb.Submission_PENDING, Eta: timestamppb.New(time.Unix(try, 0))})
			return status.Error(codes.Unavailable, "broken")
		}
		return send(&pb.Submission{State: pb.Submission_LOGGED})
	}}
	var states []pb.Submission_State
	for s, err := range dial(t, serveFake(t, f)).Watch(t.Context(), "id") {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, s.GetState())
	}
	if want := []pb.Submission_State{pb.Submission_PENDING, pb.Submission_LOGGED}; !slices.Equal(states, want) {
		t.Errorf("%v, want %v", states, want)
	}
}
