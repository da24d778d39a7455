// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"net/http"
	"testing"
)

// Profiles are served where they were asked for, on the admin listener alone, to nobody's pages, and without the command line.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for _, asked := range []bool{false, true} {
		cfg := newConfig(t)
		cfg.Admin.Pprof = asked
		r := run(t, cfg)
		for path, want := range map[string]int{
			"/debug/pprof/": 200, "/debug/pprof/heap": 200, "/debug/pprof/profile?seconds=1": 200, "/debug/pprof/trace?seconds=0.1": 200,
			"/debug/pprof/cmdline": 404, "/debug/pprof/profile?seconds=600": 400, "/debug/pprof/heap?seconds=NaN": 400,
		} {
			if !asked {
				want = 404
			}
			if got := getStatus(t, r.Addresses().Admin+path, ""); got != want {
				t.Errorf("asked for %v, %s: %d, want %d", asked, path, got, want)
			}
			if got := getStatus(t, r.Addresses().HTTP+path, ""); got != 404 {
				t.Errorf("asked for %v, %s of everybody: %d", asked, path, got)
			}
		}
		if got := getStatus(t, r.Addresses().Admin+"/debug/pprof/heap", "evil.example"); got != 421 {
			t.Errorf("for another host: %d", got)
		}
		r.stop()
	}
}

func getStatus(t *testing.T, url, host string) int {
	t.Helper()
	request := must(http.NewRequest(http.MethodGet, url, nil))
	request.Host = host
	resp := must(http.DefaultClient.Do(request))
	resp.Body.Close()
	return resp.StatusCode
}
