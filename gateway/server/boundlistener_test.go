// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/api"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
)

// withListener adds a caller who is known by a listener alone.
func withListener(cfg *config.Config) *config.Config {
	cfg.Callers = append(cfg.Callers, config.Caller{Name: "obs", Tenant: "obs-tenant", May: []string{"submit", "read"}})
	cfg.Listeners = []config.Listener{{Listen: "127.0.0.1:0", Caller: "obs"}}
	return cfg
}

// Whoever reaches a listener with a caller is that one, at every route, with his rights and no others; a credential besides is refused.
func TestCallersListener(t *testing.T) {
	t.Parallel()
	r := run(t, withListener(withPathToken(withCallers(newConfig(t), map[string][]string{"other": {"submit", "read"}}))))
	defer r.stop()
	base := r.Addresses().Listeners[0]
	a, location := r.submitTo(base+"/v1/submissions", "by listener")
	if a.status != http.StatusCreated || r.answer(http.Get(location)).status != http.StatusOK {
		t.Fatalf("%d %v, at %s", a.status, a.body, location)
	}
	if code, _ := r.ask("GET /v1/submissions/{id}", bearer("other"), a.body["id"].(string)); code != http.StatusNotFound {
		t.Errorf("another tenant reads it: %d", code)
	}
	for route, right := range api.RouteRights() {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{id}", a.body["id"].(string), "{leaf}", strings.Repeat("0", 64)).Replace(path)
		for _, c := range []struct {
			prefix, authorization string
			open                  bool
		}{{"", "", right != gateway.MayAudit}, {"", bearer("other"), right == 0}, {"", "Basic x", right == 0}, {"/r/" + pathToken, "", false}} {
			request := must(http.NewRequest(method, base+c.prefix+path, nil))
			if c.authorization != "" {
				request.Header.Set("Authorization", c.authorization)
			}
			resp := must(http.DefaultClient.Do(request))
			resp.Body.Close()
			if isRefused := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden; isRefused == c.open {
				t.Errorf("%s%s with %q: %d", c.prefix, route, c.authorization, resp.StatusCode)
			}
		}
	}
	request := must(http.NewRequest(http.MethodGet, base+"/v1/submissions", nil))
	request.Host = "evil.example"
	if got := r.answer(http.DefaultClient.Do(request)); got.status != http.StatusMisdirectedRequest {
		t.Errorf("from a web page: %d", got.status)
	}
	if code, _ := r.ask("GET /v1/submissions", "", ""); code != http.StatusUnauthorized {
		t.Errorf("the main listener: %d", code)
	}
}

// A listener whose caller is another one is the other's at once; one that has lost its caller, or its line, is closed.
func TestCallersListenerReloads(t *testing.T) {
	t.Parallel()
	cfg := withListener(withCallers(newConfig(t), map[string][]string{"other": {"submit", "read"}}))
	r := run(t, cfg)
	defer r.stop()
	base := r.Addresses().Listeners[0]
	a, location := r.submitTo(base+"/v1/submissions", "reloads")
	get := func() int { return r.answer(http.Get(location)).status }
	if a.status != http.StatusCreated || get() != http.StatusOK {
		t.Fatalf("%d %v", a.status, a.body)
	}
	for _, c := range []struct {
		name   string
		change func(*config.Config)
		want   int
	}{
		{"another's", func(c *config.Config) {
			c.Listeners = []config.Listener{{Listen: cfg.Listeners[0].Listen, Caller: "other"}}
		}, http.StatusNotFound},
		{"as it was", func(*config.Config) {}, http.StatusOK},
		{"no caller of that name", func(c *config.Config) { c.Callers = c.Callers[:1] }, http.StatusUnauthorized},
		{"no line", func(c *config.Config) { c.Listeners = nil }, http.StatusUnauthorized},
		{"no callers at all", func(c *config.Config) { c.Callers, c.Listeners = nil, nil }, http.StatusUnauthorized},
	} {
		next := *cfg
		c.change(&next)
		if err := r.ReloadCallers(t.Context(), &next); err != nil {
			t.Fatal(err)
		}
		if got := get(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		if err := r.Reload(t.Context(), &next); err != nil {
			t.Fatal(err)
		}
		if got := get(); got != c.want {
			t.Errorf("%s, read again: %d, want %d", c.name, got, c.want)
		}
	}
}

// A listener speaks TLS of its own, which is read again.
func TestCallersListenerOverTLS(t *testing.T) {
	cfg := withListener(newConfig(t))
	cert, pool := newCertificate(t)
	cfg.Listeners[0].TLS = config.KeyPair{CertFile: cert.CertFile, KeyFile: cert.KeyFile}
	r := run(t, cfg)
	defer r.stop()
	ask := func(secure *tls.Config) error {
		transport := &http.Transport{TLSClientConfig: secure, DisableKeepAlives: true}
		resp, err := (&http.Client{Transport: transport}).Get(r.Addresses().Listeners[0] + "/v1/submissions")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				t.Errorf("%d", resp.StatusCode)
			}
		}
		return err
	}
	if err := ask(&tls.Config{RootCAs: pool}); err != nil {
		t.Error(err)
	}
	next := *cfg
	second, pool2 := newCertificate(t)
	next.Listeners = []config.Listener{cfg.Listeners[0]}
	next.Listeners[0].TLS = config.KeyPair{CertFile: second.CertFile, KeyFile: second.KeyFile}
	if err := r.Reload(t.Context(), &next); err != nil {
		t.Fatal(err)
	}
	if err := ask(&tls.Config{RootCAs: pool2}); err != nil {
		t.Error(err)
	}
	next.Listeners[0].TLS = config.KeyPair{}
	if err := r.Reload(t.Context(), &next); err == nil {
		t.Error("TLS was taken away")
	}
}
