// SPDX-License-Identifier: Apache-2.0

package server

import (
	"net/http"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/intake"
	"github.com/rekor-gateway/rekor-gateway/gateway/middleware"
)

// BenchmarkCountSubmission is what the metrics of one submission over HTTP cost.
func BenchmarkCountSubmission(b *testing.B) {
	m, err := newMetrics(nil)
	if err != nil {
		b.Fatal(err)
	}
	s := &Server{metrics: m}
	stored := gateway.Submission{SubmissionFields: gateway.SubmissionFields{
		Format: "x509", Signatures: []gateway.RecordedSignature{{Representation: gateway.Native, Way: gateway.Direct}},
	}}
	done := middleware.Answered{Method: http.MethodPost, Route: "POST /v1/submissions", Status: http.StatusCreated, Duration: time.Second}
	b.ReportAllocs()
	for b.Loop() {
		for _, step := range []string{intake.StepParse, intake.StepVerify, intake.StepCommit} {
			_, end := s.observeStep(b.Context(), step)
			end(nil)
		}
		m.submissions.countStored(stored, time.Millisecond)
		m.requests.countRequest(done)
	}
}
