// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc/status"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway/api/problem"
)

// Whatever the reason, gRPC and the problems inside of answers say the same as HTTP does. That it is what
// openapi.json calls a Problem is held by gateway/stocktest.
func TestEveryReasonIsAnsweredAlike(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	h, g := &httpServer{cfg: HTTPConfig{Logger: logger}}, &grpcServer{cfg: GRPCConfig{Logger: logger}}
	for _, reason := range problem.Reasons() {
		err := formats.NewError(reason, "what is wrong", "what to do")
		w := httptest.NewRecorder()
		h.writeError(w, httptest.NewRequest(http.MethodGet, "/", nil), err)
		var body map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Fatalf("%s: %v", reason, err)
		}
		if body["reason"] != string(reason) || body["status"] != float64(w.Code) {
			t.Errorf("%s: %d %v", reason, w.Code, body)
		}
		if s := g.writeError(t.Context(), err); status.Convert(s).Message() != body["detail"] || problem.GRPCReason(s) != string(reason) {
			t.Errorf("%s: gRPC says %v", reason, s)
		}
		if p := convertProblem(err); p.GetReason() != string(reason) || p.GetMessage() != body["detail"] || p.GetHint() != body["hint"] {
			t.Errorf("%s: inside of an answer it is %v", reason, p)
		}
	}
}
