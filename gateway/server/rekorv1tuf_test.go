// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources/tuftest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// TestRekorV1FromTUF: a Rekor v1 that a TUF repository names by its host and key alone is written to in the tree that it has, receipts verify, and a start
// needs neither the repository nor the log. The configuration is told where that is without a gateway.
func TestRekorV1FromTUF(t *testing.T) {
	t.Parallel()
	v1, v2 := rekorv1test.Start(t, rekorv1test.Named("127.0.0.1")), rekortest.StartServer(t)
	repository := tuftest.Start(t)
	is := service(v1.URL, anHourAgo, time.Time{})
	is.MajorAPIVersion = 1
	repository.Publish(tufTargets([]trustroot.LogKey{{Origin: "127.0.0.1", SPKI: v1.Key, Start: anHourAgo}}, is))
	cfg := tufConfig(t, v2, repository)
	cfg.Logs = []config.Log{{ID: "v1", Kind: config.KindRekorV1, IntegrationDelay: time.Hour}}
	origin := "127.0.0.1 - " + strconv.FormatInt(v1.TreeID(), 10)
	checked, err := server.CheckLogs(t.Context(), cfg)
	if err != nil || len(checked) != 1 || checked[0].Origin != origin || checked[0].URL != v1.URL || checked[0].Source != "TUF repository "+repository.URL {
		t.Fatalf("checked: %+v, %v", checked, err)
	}

	r := run(t, cfg)
	a := r.submit(key, "first")
	if logs := r.logsOf(a.body["id"].(string)); logs != "v1" {
		t.Errorf("logged in %q", logs)
	}
	offline := *cfg
	offline.TrustedRoot = keepRoot(t, r)
	report := r.verifyReceipt(&offline, a.body["id"].(string), "first")
	if said := strings.Join(report.Proven, "\n"); len(report.Entries) != 1 || report.Entries[0].Origin != origin || !strings.Contains(said, "by the promise of log "+origin) {
		t.Errorf("%+v, proven:\n%s", report.Entries, said)
	}
	r.end()

	repository.SetFaults(unavailable)
	v1.Kill()
	r = run(t, cfg)
	waiting := r.post(key, "while it is away")
	v1.Restart()
	await(t, "logged", func() bool { return r.get(waiting).body["state"] == "LOGGED" })
	r.end()
}

// keepRoot returns a file with the trusted root that the gateway hands out.
func keepRoot(t *testing.T, r *running) string {
	t.Helper()
	resp := must(http.Get(r.Addresses().HTTP + "/.well-known/rekor-gateway/trusted_root.json"))
	defer resp.Body.Close()
	path := filepath.Join(t.TempDir(), "trusted_root.json")
	if err := os.WriteFile(path, must(io.ReadAll(resp.Body)), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
