// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// anybody is what identifies callers without access control.
func anybody(*http.Request) (Identity, error) {
	return Identity{Caller: gateway.Caller{Tenant: gateway.DefaultTenant}}, nil
}

// byHeader takes a caller's word for who he is.
func byHeader(r *http.Request) (Identity, error) {
	if tenant := r.Header.Get("Tenant"); tenant != "" {
		return Identity{Caller: gateway.Caller{Tenant: tenant}}, nil
	}
	return Identity{}, gateway.ErrClosed
}

func TestIdentifyCaller(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /whoami", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, gateway.CallerFrom(r.Context()).Tenant)
	})
	h := IdentifyCaller(mux, byHeader, nil)
	r := httptest.NewRequest(http.MethodGet, "/whoami", nil)
	r.Header.Set("Tenant", "acme")
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Body.String() != "acme" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if r.Pattern != "GET /whoami" {
		t.Errorf("the route is lost: %q", r.Pattern)
	}
	w = httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/whoami", nil))
	if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "SHUTTING_DOWN") {
		t.Errorf("refused by identify: %d %s", w.Code, w.Body)
	}
}

// A tenant is counted as one, whatever its addresses, and apart from others at the same address.
func TestLimitRateCountsTenants(t *testing.T) {
	h := IdentifyCaller(LimitRate(http.HandlerFunc(ok), limitOf(60, 1)), byHeader, nil)
	for i, c := range []struct {
		tenant, remote string
		want           int
	}{
		{"a", "192.0.2.1:1", 200}, {"a", "192.0.2.2:1", 429}, {"b", "192.0.2.1:1", 200},
		{gateway.DefaultTenant, "192.0.2.1:1", 200}, {gateway.DefaultTenant, "192.0.2.2:1", 200}, {gateway.DefaultTenant, "192.0.2.2:9", 429},
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/formats", nil)
		r.Header.Set("Tenant", c.tenant)
		r.RemoteAddr = c.remote
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("request %d of %s from %s: %d, want %d", i, c.tenant, c.remote, w.Code, c.want)
		}
	}
}

func TestRateKey(t *testing.T) {
	unknown := gateway.Caller{Tenant: gateway.DefaultTenant}
	for remote, want := range map[string]string{
		"192.0.2.1:99": "192.0.2.1", "[2001:db8::1]:99": "2001:db8::", "[2001:db8::ffff:1]:1": "2001:db8::", "bufconn": "bufconn",
		"[fe80::1%eth0]:1": "fe80::", "[fe80::2%eth0]:1": "fe80::", "[::ffff:192.0.2.1]:1": "192.0.2.1",
		"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::", // as trusted proxies tell it
	} {
		if got := RateKey(unknown, remote); got != want {
			t.Errorf("%s is %s, want %s", remote, got, want)
		}
		if got := RateKey(gateway.Caller{Tenant: "acme"}, remote); got != "tenant acme" {
			t.Errorf("acme from %s is %s", remote, got)
		}
	}
}
