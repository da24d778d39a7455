// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// The priority is the submission's own, whichever way it comes; one that is sent again at the higher one takes that, and is
// the same submission.
func TestPriorityHTTP(t *testing.T) {
	s := serve(t)
	s.log.SetDown(gateway.ErrUnavailable)
	sig, key, artifact, format := parts(t, "hello")
	first := s.post("/v1/submissions?wait=0", sig, key, format, artifact, field{"priority", "backfill"})
	for _, step := range []struct {
		priority string // "" is not sent
		want     string
	}{{"backfill", "backfill"}, {"", "interactive"}, {"backfill", "interactive"}, {"interactive", "interactive"}} {
		fields := []field{sig, key, format, artifact}
		if step.priority != "" {
			fields = append(fields, field{"priority", step.priority})
		}
		got := s.post("/v1/submissions?wait=0", fields...)
		s.expect(got, http.StatusAccepted, "")
		if got.text("priority") != step.want || got.text("id") != first.text("id") {
			t.Errorf("sent at %q: priority %q of %s, want %q of %s", step.priority, got.text("priority"), got.text("id"), step.want, first.text("id"))
		}
	}
	if got := s.do(http.MethodGet, first.header.Get("Location"), "", nil); got.text("priority") != "interactive" {
		t.Errorf("answered %s", got.raw)
	}
	s.expect(s.post("/v1/submissions", sig, key, format, artifact, field{"priority", "urgent"}), http.StatusBadRequest, "MALFORMED_REQUEST")
}

func TestPriorityJSON(t *testing.T) {
	s := serve(t)
	r := gatewaytest.Signed(t, "hello")
	for priority, want := range map[string]int{"backfill": http.StatusCreated, "none": http.StatusBadRequest} {
		body, err := json.Marshal(map[string]any{"signature": r.Signature, "keys": r.Keys, "digest": r.Digest.String(), "priority": priority})
		if err != nil {
			t.Fatal(err)
		}
		got := s.do(http.MethodPost, "/v1/submissions", "application/json", bytes.NewReader(body))
		if got.status != want || got.status == http.StatusCreated && got.text("priority") != priority {
			t.Errorf("%s: %d %s", priority, got.status, got.raw)
		}
	}
}

func TestPriorityGRPC(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	for priority, want := range map[string]codes.Code{"": codes.OK, "backfill": codes.OK, "interactive": codes.OK, "low": codes.InvalidArgument} {
		r := gatewaytest.Signed(t, "hello "+priority)
		h := headerMessage(r)
		h.Digest, h.Priority = r.Digest.String(), priority
		answer, err := send(t, c, startMessage(h))
		if status.Code(err) != want {
			t.Fatalf("%q: %v", priority, err)
		}
		if got := answer.GetSubmission().GetPriority(); err == nil && got != priority && (priority != "" || got != "interactive") {
			t.Errorf("%q: priority %q", priority, got)
		}
	}
}

func TestPriorityBatch(t *testing.T) {
	c := dial(t, gatewaytest.NewLog())
	all := items(t, 3)
	all[0].Header.Priority, all[1].Header.Priority = "backfill", "low"
	answers, err := sendBatch(t, c, all...)
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	got := func(i int) *pb.SubmitBatchResponse { return answers[all[i].GetRef()] }
	if got(0).GetSubmission().GetPriority() != "backfill" || got(2).GetSubmission().GetPriority() != "interactive" ||
		got(1).GetProblem().GetReason() != "MALFORMED_REQUEST" {
		t.Errorf("answered %v", answers)
	}
}
