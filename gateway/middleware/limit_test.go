// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

func TestLimitRate(t *testing.T) {
	limiter, err := ratelimit.NewMemory(60, 2)
	if err != nil {
		t.Fatal(err)
	}
	handler := LimitRate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), limiter)
	ask := func(path, remote string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for range 2 {
		if got := ask("/v1/formats", "192.0.2.1:1").Code; got != http.StatusNoContent {
			t.Fatalf("within the burst: %d", got)
		}
	}
	refused := ask("/v1/formats", "192.0.2.1:2") // another port is the same caller
	if refused.Code != http.StatusTooManyRequests || refused.Header().Get("Retry-After") != "1" ||
		!strings.Contains(refused.Body.String(), `"reason":"RATE_LIMITED"`) {
		t.Errorf("past the burst: %d %v %s", refused.Code, refused.Header(), refused.Body)
	}
	if got := ask("/v1/formats", "192.0.2.2:1").Code; got != http.StatusNoContent {
		t.Errorf("another caller: %d", got)
	}
	if got := ask("/healthz", "192.0.2.1:1").Code; got != http.StatusNoContent {
		t.Errorf("a probe: %d", got)
	}
}
