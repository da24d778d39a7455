// SPDX-License-Identifier: Apache-2.0

package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

func submission(artifact func() (io.ReadCloser, error)) Submission {
	return Submission{
		Header: &pb.SubmissionHeader{Signature: []byte("sig"), Keys: [][]byte{[]byte("k1"), []byte("k2")}, Labels: map[string]string{"a": "b=c"}, Digest: "d"},
		Wait:   time.Second, Artifact: artifact,
	}
}

func content(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(s)), nil }
}

// dial returns a client of handler and how often it was called.
func dial(t *testing.T, patience time.Duration, handler func(try int64, w http.ResponseWriter, r *http.Request)) (Client, *atomic.Int64) {
	t.Helper()
	var tries atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(tries.Add(1), w, r) }))
	t.Cleanup(s.Close)
	c, err := New(s.URL, Options{Retries: gatewayclient.Retries{Patience: patience}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c, &tries
}

// The artifact comes last, as the server can read it best.
func TestForm(t *testing.T) {
	c, _ := dial(t, 0, func(_ int64, w http.ResponseWriter, r *http.Request) {
		var got []string
		form, err := r.MultipartReader()
		for err == nil {
			part, perr := form.NextPart()
			if perr != nil {
				break
			}
			raw, _ := io.ReadAll(part)
			got = append(got, part.FormName()+"="+string(raw))
		}
		want := "signature=sig key=k1 key=k2 digest=d label=a=b=c artifact=bytes"
		if all := strings.Join(got, " "); all != want || r.URL.Query().Get("wait") != "1s" {
			t.Errorf("%s, wait %s", all, r.URL.Query().Get("wait"))
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"id":"1","state":"LOGGED","fieldOfALaterRelease":1}`)
	})
	answer, err := c.Submit(t.Context(), submission(content("bytes")))
	if err != nil || !answer.GetCreated() || answer.GetSubmission().GetId() != "1" {
		t.Errorf("%v %v", answer, err)
	}
}

func problem(w http.ResponseWriter, status int, reason string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"reason":"`+reason+`","detail":"what","hint":"why"}`)
}

func TestRetries(t *testing.T) {
	started := time.Now()
	c, tries := dial(t, time.Minute, func(try int64, w http.ResponseWriter, r *http.Request) {
		switch try {
		case 1:
			conn, _, _ := http.NewResponseController(w).Hijack()
			conn.Close()
		case 2:
			w.Header().Set("Retry-After", "1")
			problem(w, http.StatusServiceUnavailable, "QUEUE_FULL")
		default:
			_, _ = io.Copy(io.Discard, r.Body)
			_, _ = io.WriteString(w, `{"id":"1"}`)
		}
	})
	answer, err := c.Submit(t.Context(), submission(content("bytes")))
	if err != nil || answer.GetCreated() || tries.Load() != 3 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
	if d := time.Since(started); d < time.Second {
		t.Errorf("only %v although the gateway said 1 s", d)
	}
}

func TestRefusalIsFinal(t *testing.T) {
	c, tries := dial(t, time.Minute, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusUnprocessableEntity, "WEAK_ALGORITHM")
	})
	_, err := c.Submit(t.Context(), submission(content(strings.Repeat("x", 64<<20)))) // refused before it is all sent
	var refusal *Error
	if !errors.As(err, &refusal) || *refusal != (Error{Reason: "WEAK_ALGORITHM", Message: "what", Hint: "why"}) || tries.Load() != 1 {
		t.Errorf("%v after %d tries", err, tries.Load())
	}
}

func TestNoGateway(t *testing.T) {
	c, _ := dial(t, 0, func(_ int64, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	if _, err := c.Get(t.Context(), "x"); err == nil || !strings.Contains(err.Error(), "is this a rekor-gateway?") {
		t.Errorf("%v", err)
	}
	c, _ = dial(t, 0, func(_ int64, w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusNotFound) })
	var refusal *Error
	if _, err := c.Plan(t.Context(), &pb.SubmissionHeader{}); !errors.As(err, &refusal) || refusal.Reason != "" || refusal.Code != codes.NotFound {
		t.Errorf("%v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	for _, scheme := range []string{"http", "grpc"} {
		c, err := New(scheme+"://"+listener.Addr().String(), Options{Retries: gatewayclient.Retries{Patience: 300 * time.Millisecond}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Get(t.Context(), "x"); !errors.Is(err, ErrConnection) {
			t.Errorf("%s: %v", scheme, err)
		}
		c.Close()
	}
}

func TestBadURLs(t *testing.T) {
	for _, raw := range []string{"", "localhost:8080", "http://", "ftp://x", "http://u:p@x", "http://x?q", "grpc://x/path", "::", "http://x:1,y:1"} {
		if c, err := New(raw, Options{}); err == nil || c != nil {
			t.Errorf("%q passed", raw)
		}
	}
}

// A file that cannot be read is not the gateway's fault, and no reason to try again.
func TestUnreadableArtifact(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, artifact := range map[string]func() (io.ReadCloser, error){
		"open": func() (io.ReadCloser, error) { return nil, broken },
		"read": func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), failing{broken})), nil
		},
	} {
		c, tries := dial(t, time.Minute, func(_ int64, _ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
		if _, err := c.Submit(t.Context(), submission(artifact)); !errors.Is(err, broken) || tries.Load() > 1 {
			t.Errorf("%s: %v after %d tries", name, err, tries.Load())
		}
		g, err := New(serveGRPC(t, &fake{}), Options{Retries: gatewayclient.Retries{Patience: time.Minute}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := g.Submit(t.Context(), submission(artifact)); !errors.Is(err, broken) {
			t.Errorf("gRPC, %s: %v", name, err)
		}
		g.Close()
	}
}

type failing struct{ error }

func (f failing) Read([]byte) (int, error) { return 0, f.error }

// fake notes what it is sent, and refuses at first for as long as it is told.
type fake struct {
	pb.UnimplementedGatewayServiceServer
	refusals []error
	chunks   int
	artifact []byte
	header   *string // the token of the last call
}

func (f *fake) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	if len(f.refusals) > 0 {
		err := f.refusals[0]
		f.refusals = f.refusals[1:]
		return err
	}
	for {
		r, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&pb.SubmitResponse{Submission: &pb.Submission{Id: "1"}, Created: true})
		}
		if err != nil {
			return err
		}
		if c, ok := r.GetPart().(*pb.SubmitRequest_Chunk); ok {
			f.chunks++
			f.artifact = append(f.artifact, c.Chunk...)
		}
	}
}

func serveGRPC(t *testing.T, f pb.GatewayServiceServer) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	pb.RegisterGatewayServiceServer(s, f)
	go func() { _ = s.Serve(listener) }()
	t.Cleanup(s.Stop)
	return "grpc://" + listener.Addr().String()
}

func refused(code codes.Code, reason string, after time.Duration) error {
	s, _ := status.New(code, "what").WithDetails(
		&errdetails.ErrorInfo{Reason: reason, Metadata: map[string]string{"hint": "why"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(after)})
	return s.Err()
}

func TestGRPC(t *testing.T) {
	f := &fake{refusals: []error{refused(codes.Unavailable, "QUEUE_FULL", 500*time.Millisecond)}}
	c, err := New(serveGRPC(t, f), Options{Retries: gatewayclient.Retries{Patience: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	started := time.Now()
	text := strings.Repeat("x", 1<<20+1)
	if answer, err := c.Submit(t.Context(), submission(content(text))); err != nil || !answer.GetCreated() {
		t.Errorf("%v %v", answer, err)
	}
	if string(f.artifact) != text || f.chunks != 5 || time.Since(started) < 500*time.Millisecond {
		t.Errorf("%d bytes in %d chunks after %v", len(f.artifact), f.chunks, time.Since(started))
	}
	f.chunks = 0
	if _, err := c.Submit(t.Context(), submission(content(""))); err != nil || f.chunks != 1 {
		t.Errorf("an empty artifact: %v, %d chunks", err, f.chunks)
	}
	f.refusals = []error{refused(codes.FailedPrecondition, "WEAK_ALGORITHM", 0)}
	var refusal *Error
	if _, err := c.Submit(t.Context(), submission(nil)); !errors.As(err, &refusal) || *refusal != (Error{Reason: "WEAK_ALGORITHM", Message: "what", Hint: "why", Code: codes.FailedPrecondition}) {
		t.Errorf("%v", err)
	}
}

// An interrupt ends the waiting between two tries.
func TestInterrupt(t *testing.T) {
	c, _ := dial(t, time.Minute, func(_ int64, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "60")
		problem(w, http.StatusTooManyRequests, "RATE_LIMITED")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	started := time.Now()
	if _, err := c.Get(ctx, "x"); err == nil || time.Since(started) > 10*time.Second {
		t.Errorf("%v after %v", err, time.Since(started))
	}
}
