// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// proxyFor is a proxy before a log, which takes no bodies of over most bytes.
func proxyFor(t *testing.T, log string, most int64) *httptest.Server {
	pass := httputil.NewSingleHostReverseProxy(must(url.Parse(log)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > most {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		pass.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// TestRekorV1TooLargeForProxy: files that a proxy before the log lets no pass, nginx by default over 1 MiB, are refused, and hold up nobody else's. They can be
// sent again as statements, which need no file in the log.
func TestRekorV1TooLargeForProxy(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	cfg, v1 := wholeConfig(t, config.Size(16*most))
	cfg.Logs[0].URL = proxyFor(t, v1.URL, most).URL
	r := run(t, cfg)
	defer r.stop()
	var large []signed
	var ids []string
	for i := range 8 {
		s := signSSH(t, bytes.Repeat([]byte{byte(i)}, 2*most))
		kind, body := s.form()
		a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=0", kind, body))
		if a.status != http.StatusAccepted || a.body["representation"] != "NATIVE" {
			t.Fatalf("%d %v", a.status, a.body)
		}
		large, ids = append(large, s), append(ids, a.body["id"].(string))
	}
	for _, id := range ids {
		await(t, "refused", func() bool { return r.get(id).body["state"] == "FAILED" })
	}
	if a := r.submitSigned(signSSH(t, []byte("small"))); a.status != http.StatusCreated || a.body["representation"] != "NATIVE" {
		t.Errorf("a small one afterwards: %d %v", a.status, a.body)
	}
	if a := r.submitSigned(large[0], "representation", "ATTESTED"); a.status != http.StatusCreated || a.body["representation"] != "ATTESTED" {
		t.Errorf("as a statement: %d %v", a.status, a.body)
	}
}
