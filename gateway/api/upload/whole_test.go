// SPDX-License-Identifier: Apache-2.0

package upload

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// FuzzReadRekorJSON: whatever is sent, it is JSON within the bounds, or the client's fault; what it is counted for is given back when it is closed, and
// at once where it is refused.
func FuzzReadRekorJSON(f *testing.F) {
	f.Add([]byte(`{"hashedRekordRequestV002":{"digest":"AA==","signature":{}}}`))
	f.Add([]byte(`{"dsseRequestV002":{"verifiers":[` + strings.Repeat(`{},`, MaxRekorTokens) + `{}]}}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Add(bytes.Repeat([]byte(" "), MaxRekorJSON+1))
	f.Add([]byte(strings.Repeat("[", MaxRekorTokens+1)))
	f.Fuzz(func(t *testing.T, sent []byte) {
		r := NewReader(Config{MaxArtifact: fuzzMaxArtifact, MaxSpool: fuzzMaxArtifact, SpoolDir: t.TempDir()})
		req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(sent))
		memory := gateway.NewMemory(64 << 20)
		account, err := memory.Admit(RequestMemory)
		if err != nil {
			t.Fatal(err)
		}
		raw, held, err := r.ReadRekorJSON(req.WithContext(gateway.WithHeld(req.Context(), account)), http.NewResponseController(httptest.NewRecorder()))
		if err != nil {
			checkClientsFault(t, err)
		} else if len(raw) > MaxRekorJSON || !bytes.Equal(raw, sent) || len(raw) > 0 && strings.TrimSpace(string(raw)) != "" && !json.Valid(raw) && !isSeveral(raw) {
			t.Errorf("%.100q is taken", raw)
		} else if counted := memory.Used() - RequestMemory; counted < int64(len(raw))*(JSONCopies+1) {
			t.Errorf("%d bytes count as %d", len(raw), counted)
		}
		held.Close()
		if used := memory.Used(); used != RequestMemory {
			t.Errorf("%d bytes stay held", used-RequestMemory)
		}
	})
}

// isSeveral reports whether raw is a number of JSON values, which protobuf's decoder refuses.
func isSeveral(raw []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	for dec.More() {
		if dec.Decode(new(json.RawMessage)) != nil {
			return false
		}
	}
	return true
}
