// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// BenchmarkLogAccess is what the access log adds to a request, with the line and without.
func BenchmarkLogAccess(b *testing.B) {
	stored := gateway.Submission{SubmissionFields: gateway.SubmissionFields{
		ID: "0198c0de-0000-7000-8000-000000000000", Format: "x509", Digests: []formats.Digest{{Algorithm: "sha256", Value: make([]byte, 32)}},
		Signatures: []gateway.RecordedSignature{{Signers: [][32]byte{{1}}, Representation: gateway.Native, Way: gateway.Direct}},
	}}
	routes := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gateway.NoteFrom(r.Context()).NoteStored(stored)
		ok(w, r)
	})
	logger := slog.New(slog.NewJSONHandler(io.Discard, nil))
	for name, log := range map[string]AccessLog{"on": {logger}, "off": {}} {
		b.Run(name, func(b *testing.B) {
			h := NameRequest(LogAccess(routes, log, func(Answered) {}, nil))
			r := httptest.NewRequest(http.MethodPost, "http://localhost/v1/submissions", nil)
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
		})
	}
}
