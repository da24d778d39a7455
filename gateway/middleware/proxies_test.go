// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

var testProxies = Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")}

func TestFindClient(t *testing.T) {
	for name, c := range map[string]struct {
		remote string
		header http.Header
		want   string
	}{
		"no proxy":              {"192.0.2.1:9", http.Header{forwardedFor: {"198.51.100.1"}}, "192.0.2.1:9"},
		"no address":            {"bufconn", http.Header{forwardedFor: {"198.51.100.1"}}, "bufconn"},
		"no header":             {"10.0.0.1:9", nil, "10.0.0.1:9"},
		"one hop":               {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1"}}, "198.51.100.1"},
		"proxy as IPv6":         {"[::ffff:10.0.0.1]:9", http.Header{forwardedFor: {"198.51.100.1"}}, "198.51.100.1"},
		"hop as IPv6":           {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1, ::ffff:10.0.0.2"}}, "198.51.100.1"},
		"two proxies":           {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1,10.0.0.2"}}, "198.51.100.1"},
		"two lines":             {"10.0.0.1:9", http.Header{forwardedFor: {"203.0.113.7", "198.51.100.1 , 10.0.0.2"}}, "198.51.100.1"},
		"made up by client":     {"10.0.0.1:9", http.Header{forwardedFor: {"10.0.0.9, 203.0.113.7, 198.51.100.1"}}, "198.51.100.1"},
		"made up line":          {"10.0.0.1:9", http.Header{forwardedFor: {"203.0.113.7", "198.51.100.1"}}, "198.51.100.1"},
		"proxies alone":         {"10.0.0.1:9", http.Header{forwardedFor: {"10.0.0.3, 10.0.0.2"}}, "10.0.0.3"},
		"rubbish":               {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1, unknown"}}, "10.0.0.1:9"},
		"rubbish farther on":    {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1, , 10.0.0.2"}}, "10.0.0.2"},
		"empty":                 {"10.0.0.1:9", http.Header{forwardedFor: {""}}, "10.0.0.1:9"},
		"port":                  {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1:4711"}}, "198.51.100.1"},
		"IPv6 and port":         {"[2001:db8:ffff::1]:9", http.Header{forwardedFor: {"[2001:db8::1]:4711"}}, "2001:db8::1"},
		"IPv6 bare":             {"10.0.0.1:9", http.Header{forwardedFor: {"2001:db8::1"}}, "2001:db8::1"},
		"zone":                  {"10.0.0.1:9", http.Header{forwardedFor: {"fe80::1%evil"}}, "fe80::1"},
		"forwarded":             {"10.0.0.1:9", http.Header{forwarded: {`for=203.0.113.7, For="[2001:db8::1]:47";proto=https;by=10.0.0.1`}}, "2001:db8::1"},
		"forwarded, hidden":     {"10.0.0.1:9", http.Header{forwarded: {"for=198.51.100.1, for=_hidden"}}, "10.0.0.1:9"},
		"forwarded, twice":      {"10.0.0.1:9", http.Header{forwarded: {"for=198.51.100.1;for=203.0.113.7"}}, "10.0.0.1:9"},
		"forwarded, no for":     {"10.0.0.1:9", http.Header{forwarded: {"proto=https"}}, "10.0.0.1:9"},
		"forwarded, open quote": {"10.0.0.1:9", http.Header{forwarded: {`for="203.0.113.7, for=198.51.100.1`}}, "198.51.100.1"},
		"both the same":         {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1"}, forwarded: {"for=198.51.100.1"}}, "198.51.100.1"},
		"both, not the same":    {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1"}, forwarded: {"for=203.0.113.7"}}, "10.0.0.1:9"},
		"both, one unreadable":  {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1"}, forwarded: {"x"}}, "10.0.0.1:9"},
		"too many hops":         {"10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1" + strings.Repeat(",10.0.0.2", maxHops)}}, "10.0.0.2"},
	} {
		if got := testProxies.FindClient(c.remote, c.header); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	if got := (Proxies)(nil).FindClient("10.0.0.1:9", http.Header{forwardedFor: {"198.51.100.1"}}); got != "10.0.0.1:9" {
		t.Errorf("without proxies: %s", got)
	}
}

// Whatever a client sends, a proxy that adds his address at the right has him counted by that.
func FuzzFindClient(f *testing.F) {
	for _, sent := range []string{"", "203.0.113.7", `for="`, "10.0.0.2,10.0.0.3", "a,b;for=1.1.1.1", `"\`, "for=203.0.113.7;for=\""} {
		f.Add(sent, sent)
	}
	f.Fuzz(func(t *testing.T, sentFor, sentForwarded string) {
		const client = "198.51.100.1"
		for _, header := range []http.Header{
			{forwardedFor: {sentFor + ", " + client}}, {forwardedFor: {sentFor, client}},
			{forwarded: {sentForwarded + ", for=" + client}}, {forwarded: {sentForwarded, "for=" + client}},
		} {
			if got := testProxies.FindClient("10.0.0.1:9", header); got != client {
				t.Errorf("%q: %s", header, got)
			}
		}
		// The proxy writes one header, and passes the other on: the client can hide behind the proxy, and be nobody else.
		for _, header := range []http.Header{
			{forwardedFor: {sentFor, client}, forwarded: {sentForwarded}}, {forwardedFor: {sentFor}, forwarded: {sentForwarded, "for=" + client}},
		} {
			if got := testProxies.FindClient("10.0.0.1:9", header); got != client && got != "10.0.0.1:9" {
				t.Errorf("%q: %s", header, got)
			}
		}
	})
}

// Behind a proxy everybody is counted by himself; whoever is no proxy cannot choose whom he is counted as.
func TestLimitRateBehindProxies(t *testing.T) {
	h := testProxies.FindRemote(LimitRate(http.HandlerFunc(ok), limitOf(60, 1)))
	for i, c := range []struct {
		remote, sent string
		want         int
	}{
		{"10.0.0.1:9", "198.51.100.1", 200}, {"10.0.0.2:9", "198.51.100.1", 429}, {"10.0.0.1:9", "198.51.100.2", 200},
		{"192.0.2.1:9", "198.51.100.3", 200}, {"192.0.2.1:9", "198.51.100.4", 429},
		{"10.0.0.1:9", "2001:db8::1", 200}, {"10.0.0.1:9", "2001:db8::2", 429},
	} {
		r := httptest.NewRequest(http.MethodGet, "/v1/formats", nil)
		r.RemoteAddr = c.remote
		r.Header.Set(forwardedFor, c.sent)
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != c.want {
			t.Errorf("request %d of %s from %s: %d, want %d", i, c.sent, c.remote, w.Code, c.want)
		}
	}
}
