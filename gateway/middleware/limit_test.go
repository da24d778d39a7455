// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/ratelimit"
)

// limitOf counts by this process alone.
func limitOf(perMinute, burst int) *RateLimit {
	return &RateLimit{Limiter: ratelimit.NewMemory(nil), Limit: ratelimit.Limit{PerMinute: perMinute, Burst: burst}}
}

func TestLimitRate(t *testing.T) {
	handler := LimitRate(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }), limitOf(60, 2))
	ask := func(path, remote string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	for _, left := range []string{`"requests";r=1;t=1`, `"requests";r=0;t=2`} {
		w := ask("/v1/formats", "192.0.2.1:1")
		if w.Code != http.StatusNoContent || w.Header().Get("RateLimit") != left || w.Header().Get("RateLimit-Policy") != `"requests";q=2;w=2` {
			t.Fatalf("within the burst: %d %v", w.Code, w.Header())
		}
	}
	refused := ask("/v1/formats", "192.0.2.1:2") // another port is the same caller
	if refused.Code != http.StatusTooManyRequests || refused.Header().Get("Retry-After") != "1" ||
		!strings.Contains(refused.Body.String(), `"reason":"RATE_LIMITED"`) || refused.Header().Get("RateLimit") != `"requests";r=0;t=2` {
		t.Errorf("past the burst: %d %v %s", refused.Code, refused.Header(), refused.Body)
	}
	if got := ask("/v1/formats", "192.0.2.2:1").Code; got != http.StatusNoContent {
		t.Errorf("another caller: %d", got)
	}
	if got := ask("/own/own-1f0c2a9e/checkpoint", "192.0.2.1:1").Code; got != http.StatusTooManyRequests {
		t.Errorf("an own log past the burst: %d", got)
	}
	if w := ask("/healthz", "192.0.2.1:1"); w.Code != http.StatusNoContent || w.Header().Get("RateLimit") != "" {
		t.Errorf("a probe: %d %v", w.Code, w.Header())
	}
}

// Of strangers, addresses are counted, and all of them together; a caller with a limit of his own is held to that alone.
func TestLimitOfStrangers(t *testing.T) {
	l := limitOf(60, 2)
	l.OwnLimit = func(c gateway.Caller) (ratelimit.Limit, bool) {
		return map[string]ratelimit.Limit{"all": {PerMinute: 60, Burst: 3}, "own": {PerMinute: 60, Burst: 1}}[c.Name], c.Name == "all"
	}
	for i, c := range []struct {
		name, remote string
		remaining    int
		allowed      bool
	}{
		{"all", "192.0.2.1", 1, true}, {"all", "192.0.2.1", 0, true}, {"all", "192.0.2.1", 0, false}, // one address takes no more from the others
		{"all", "192.0.2.2", 0, true}, {"all", "192.0.2.3", 0, false},
		{"own", "192.0.2.1", 0, true}, {"own", "192.0.2.9", 0, false}, {"none", "192.0.2.1", 1, true}, {"", "192.0.2.9", 1, true},
	} {
		d, err := l.CountRequest(t.Context(), gateway.Caller{Name: c.name, Tenant: gateway.DefaultTenant}, c.remote)
		if (err == nil) != c.allowed || d.Remaining != c.remaining {
			t.Errorf("request %d, of %s: %+v, %v", i, c.name, d, err)
		}
	}
}

// broken is a limiter that fails.
type broken struct{}

func (broken) Take(context.Context, string, ratelimit.Limit) (ratelimit.Decision, error) {
	return ratelimit.Decision{}, errors.New("no answer")
}

// When the limiter fails, the operator's choice holds. The answer does not say why.
func TestLimiterFails(t *testing.T) {
	for refuse, want := range map[bool]int{false: http.StatusOK, true: http.StatusServiceUnavailable} {
		h := LimitRate(http.HandlerFunc(ok), &RateLimit{Limiter: broken{}, Limit: ratelimit.Limit{PerMinute: 1, Burst: 1}, RefuseUncounted: refuse})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/v1/formats", nil))
		if w.Code != want || refuse && (!strings.Contains(w.Body.String(), "LIMITER_UNAVAILABLE") || w.Header().Get("Retry-After") == "") ||
			strings.Contains(w.Body.String(), "no answer") {
			t.Errorf("refused %v: %d %v %s", refuse, w.Code, w.Header(), w.Body)
		}
	}
}
