// SPDX-License-Identifier: Apache-2.0

package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"

	gatewayclient "github.com/rekor-gateway/rekor-gateway/gateway/client"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// mute answers nothing over gRPC.
type mute struct {
	pb.UnimplementedGatewayServiceServer
}

func (mute) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	<-stream.Context().Done()
	return nil
}

func (mute) Plan(ctx context.Context, _ *pb.PlanRequest) (*pb.PlanResponse, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A server that takes what it is sent and answers nothing, or never ends its answer, is not waited for without end.
func TestSilentServers(t *testing.T) {
	const quick = 50 * time.Millisecond
	silent, _ := dial(t, time.Minute, func(_ int64, _ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	trickling, _ := dial(t, time.Minute, func(_ int64, w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, " ")
			_ = http.NewResponseController(w).Flush()
		}
	})
	overGRPC, err := New(serveGRPC(t, mute{}), Options{Retries: gatewayclient.Retries{Patience: time.Minute, Silence: quick}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { overGRPC.Close() })
	for name, c := range map[string]Client{"silent": silent, "trickling": trickling, "gRPC": overGRPC} {
		if r, ok := c.(*retrying); ok {
			r.retries.Silence = quick
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if _, err := c.Submit(ctx, submission(content("bytes"))); !errors.Is(err, gatewayclient.ErrSilent) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := c.Plan(ctx, &pb.SubmissionHeader{}); !errors.Is(err, gatewayclient.ErrSilent) {
			t.Errorf("%s, plan: %v", name, err)
		}
		cancel()
	}
}

// An upload may take long as long as it goes on.
func TestSlowUpload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const patience = 100 * time.Millisecond
		read := 0
		_, err := gatewayclient.Do(t.Context(), gatewayclient.Retries{Silence: patience}, func(ctx context.Context, progress func()) (int, error) {
			artifact, err := noteReads(submission(content(strings.Repeat("x", 12))), progress).Artifact()
			if err != nil {
				return 0, err
			}
			for buf := make([]byte, 1); ; read++ {
				if _, err := artifact.Read(buf); err == io.EOF {
					return read, nil
				}
				select {
				case <-ctx.Done():
					return 0, ctx.Err()
				case <-time.After(patience / 10):
				}
			}
		})
		if err != nil || read != 12 {
			t.Errorf("%v after %d reads", err, read)
		}
	})
}

// empty answers with nothing in it.
type empty struct {
	pb.UnimplementedGatewayServiceServer
}

func (empty) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	return stream.SendAndClose(new(pb.SubmitResponse))
}

func (empty) GetSubmission(context.Context, *pb.GetSubmissionRequest) (*pb.GetSubmissionResponse, error) {
	return new(pb.GetSubmissionResponse), nil
}

func (empty) Plan(context.Context, *pb.PlanRequest) (*pb.PlanResponse, error) {
	return new(pb.PlanResponse), nil
}

// nameless answers with a submission that has nothing in it.
type nameless struct{ empty }

func (nameless) Submit(stream grpc.ClientStreamingServer[pb.SubmitRequest, pb.SubmitResponse]) error {
	return stream.SendAndClose(&pb.SubmitResponse{Submission: new(pb.Submission)})
}

func (nameless) GetSubmission(context.Context, *pb.GetSubmissionRequest) (*pb.GetSubmissionResponse, error) {
	return &pb.GetSubmissionResponse{Submission: new(pb.Submission)}, nil
}

// serveEmpty answers with nothing in it over HTTP.
func serveEmpty(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
		answer := "{}"
		if strings.HasSuffix(r.URL.Path, ":batch") {
			answer = `{"line":1,"status":201,"submission":{}}`
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Nobody who asks has to expect an answer that lacks what was asked for.
func TestEmptyAnswers(t *testing.T) {
	for name, server := range map[string]string{"gRPC": serveGRPC(t, empty{}), "gRPC, nameless": serveGRPC(t, nameless{}), "HTTP": serveEmpty(t)} {
		t.Run(name, func(t *testing.T) {
			c, err := New(server, Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := c.Submit(t.Context(), submission(nil)); !errors.Is(err, gatewayclient.ErrIncomplete) {
				t.Errorf("submit: %v", err)
			}
			if _, err := c.Get(t.Context(), "1"); !errors.Is(err, gatewayclient.ErrIncomplete) {
				t.Errorf("get: %v", err)
			}
			if r, ok := c.(*retrying); ok {
				err := r.SubmitLines(t.Context(), []Submission{submission(nil)}, func(int, *pb.SubmitResponse, error) { t.Error("answered") })
				if !errors.Is(err, gatewayclient.ErrIncomplete) {
					t.Errorf("lines: %v", err)
				}
				return
			}
			if _, err := c.Plan(t.Context(), new(pb.SubmissionHeader)); !errors.Is(err, gatewayclient.ErrIncomplete) {
				t.Errorf("plan: %v", err)
			}
		})
	}
}
