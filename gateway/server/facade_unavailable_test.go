// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestFacadeUnavailable: while it is not known that the store is the latest state, since the log of Rekor v2 cannot be read, clients of Rekor v1 are told to
// come again, and not that the gateway is broken.
func TestFacadeUnavailable(t *testing.T) {
	t.Parallel()
	if os.Getenv("REKOR_V1") == "" {
		t.Skip("REKOR_V1 names no folder with rekor-cli")
	}
	source := rekortest.StartServer(t)
	cfg := withPathToken(withFacade(newConfigOver(t, source)))
	r := run(t, cfg)
	f := &cliFolder{t: t, dir: t.TempDir(), path: os.Getenv("REKOR_V1") + ":" + os.Getenv("PATH")}
	f.mustRun(signInEveryFormat)
	proposed := f.proposePGP()
	search := `{"hash":"` + strings.TrimSpace(f.mustRun("sha256sum artifact | cut -d' ' -f1")) + `"}`
	post := func(path, body string) (int, string) {
		resp := must(http.Post(r.Addresses().HTTP+"/r/"+pathToken+path, "application/json", strings.NewReader(body)))
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body)))
	}
	if code, answer := post("/api/v1/log/entries", proposed); code != http.StatusCreated {
		t.Fatalf("an upload: %d %s", code, answer)
	}
	r.stop()
	source.Kill()
	cfg.Logs[0].ReadURL = "http://127.0.0.1:9"
	r = run(t, cfg)
	defer r.stop()
	for path, body := range map[string]string{"/api/v1/log/entries": proposed, "/api/v1/index/retrieve": search} {
		if code, answer := post(path, body); code != http.StatusServiceUnavailable {
			t.Errorf("POST %s: %d %s", path, code, answer)
		}
	}
}
