// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBlockHosts(t *testing.T) {
	h := BlockForeignPages(http.HandlerFunc(ok), "gateway.internal:8080", []string{"Sign.Example.com", "other:443"})
	for host, want := range map[string]int{
		"localhost": 200, "LOCALHOST:8080": 200, "localhost.:1": 200, "127.0.0.1:99": 200, "127.8.9.1": 200, "[::1]:8080": 200, "[::1]": 200,
		"gateway.internal": 200, "gateway.internal:1": 200, "sign.example.com": 200, "other": 200, "10.1.2.3:8080": 200,
		"evil.example": 421, "localhost.evil.example": 421, "10.1.2.4": 421, "": 421, "127.0.0.1.nip.example:8080": 421, "0.0.0.0:8080": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP("10.1.2.3"), Port: 8080}))
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", host, w.Code, want)
		}
		if want == 421 && !strings.Contains(w.Body.String(), `"reason":"HOST_NOT_ALLOWED"`) {
			t.Errorf("%q: %s", host, w.Body)
		}
	}
}

// A gateway that listens on every address is not called by the name of that.
func TestBlockUnspecified(t *testing.T) {
	h := BlockForeignPages(http.HandlerFunc(ok), "0.0.0.0:8080", nil)
	r := httptest.NewRequest(http.MethodGet, "http://0.0.0.0:8080/", nil)
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusMisdirectedRequest {
		t.Errorf("%d", w.Code)
	}
}

func TestBlockCrossOrigin(t *testing.T) {
	h := BlockForeignPages(http.HandlerFunc(ok), "127.0.0.1:8080", nil)
	for name, c := range map[string]struct {
		header, value string
		want          int
	}{
		"no browser":   {"X", "y", 200},
		"own page":     {"Sec-Fetch-Site", "same-origin", 200},
		"strange page": {"Sec-Fetch-Site", "cross-site", 403},
		"old browser":  {"Origin", "https://evil.example", 403},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/", nil)
		r.Header.Set(c.header, c.value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.want || w.Code == 403 && !strings.Contains(w.Body.String(), `"reason":"CROSS_ORIGIN_REQUEST"`) {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}
