// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	pb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/v1"
)

// What is accepted has an estimate, and none once the log cannot be used: then the answer names the log.
func TestEstimateHTTP(t *testing.T) {
	s := serve(t)
	s.log.SetDown(gateway.ErrUnavailable)
	sig, key, artifact, format := parts(t, "hello")
	first := s.post("/v1/submissions?wait=0", sig, key, format, artifact)
	s.expect(first, http.StatusAccepted, "")
	if first.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	var got answered
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		got = s.do(http.MethodGet, first.header.Get("Location"), "", nil)
		if delays, _ := got.body["delays"].([]any); len(delays) == 1 {
			if d := delays[0].(map[string]any); d["log"] != "fake" || d["problem"].(map[string]any)["reason"] != gateway.ProblemUnavailable || got.text("eta") != "" {
				t.Errorf("answered %s", got.raw)
			}
			break
		}
		if eta, err := time.Parse(time.RFC3339, got.text("eta")); err != nil || time.Until(eta) < 0 {
			t.Errorf("answered %s", got.raw)
		}
		if time.Now().After(end) {
			t.Fatalf("answered %s", got.raw)
		}
	}
	s.log.SetDown(nil)
	logged := s.post("/v1/submissions", sig, key, format, artifact)
	s.expect(logged, http.StatusOK, "")
	if delays, ok := logged.body["delays"].([]any); !ok || len(delays) != 0 || logged.text("eta") != "" || logged.header.Get("Retry-After") != "" {
		t.Errorf("answered %s", logged.raw)
	}
}

func TestEstimateGRPC(t *testing.T) {
	log := gatewaytest.NewLog()
	log.SetDown(gateway.ErrUnavailable)
	c := dial(t, log)
	all := items(t, 1)
	answers, _ := sendBatch(t, c, all...)
	sub := answers[all[0].GetRef()].GetSubmission()
	if sub.GetEta() == nil && len(sub.GetDelays()) == 0 {
		t.Errorf("answered %v", sub)
	}
	watch, err := c.WatchSubmission(t.Context(), &pb.WatchSubmissionRequest{Id: sub.GetId()})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := watch.Recv(); err != nil || got.GetSubmission().GetEta() == nil && len(got.GetSubmission().GetDelays()) == 0 {
		t.Errorf("answered %v, %v", got, err)
	}
}

func TestRetrySeconds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for in, want := range map[time.Duration]int{-time.Minute: 1, 0: 1, time.Millisecond: 1, 1500 * time.Millisecond: 2, 45 * time.Second: 45, time.Hour: 60} {
		if got := retrySeconds(timestamppb.New(now.Add(in)), now); got != want {
			t.Errorf("%v: %d, want %d", in, got, want)
		}
	}
	if got := retrySeconds(nil, now); got != 30 {
		t.Errorf("without an estimate: %d", got)
	}
}
