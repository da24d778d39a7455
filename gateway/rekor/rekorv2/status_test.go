// SPDX-License-Identifier: Apache-2.0

package rekorv2_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logtest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestProxyAnswers: what a proxy before the log answers, as HTTP, is "not logged" where that is
// certain, and doubt else.
func TestProxyAnswers(t *testing.T) {
	fake := server{rekortest.StartFake(t)}
	var answer int
	proxy := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", answer)
	}))
	proxy.Config.Protocols = new(http.Protocols)
	proxy.Config.Protocols.SetUnencryptedHTTP2(true)
	proxy.Start()
	t.Cleanup(proxy.Close)
	cfg := config(fake)
	cfg.Shards[0].GRPCURL = proxy.URL
	l := open(t, cfg, new(rekortest.Checkpoints))
	e := logtest.Prepare(t, l, rekortest.NewECDSASigner(t).Record("hello"))
	for status, want := range map[int]string{
		400: "not sent", 401: "forbidden", 403: "forbidden", 404: "not sent", 405: "not sent", 413: "not sent", 422: "not sent",
		429: "overload 0s", 408: "unknown", 409: "unknown", 499: "unknown", 500: "unknown", 502: "unknown", 503: "unknown", 504: "unknown",
		200: "unknown", 302: "unknown",
	} {
		answer = status
		if _, err := l.Add(t.Context(), l.Describe().Shard, e); logtest.OutcomeOf(err) != want {
			t.Errorf("%d is %q, want %q: %v", status, logtest.OutcomeOf(err), want, err)
		}
	}
}
