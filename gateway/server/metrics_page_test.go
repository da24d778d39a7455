// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"crypto/tls"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/rekor-gateway/rekor-gateway/gateway/auth/issuer/issuertest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources/tuftest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

var update = flag.Bool("update", false, "write the table in docs/metrics.md")

const (
	metricsPage = "../../docs/metrics.md"
	tableHead   = "| metric | type | labels | meaning |\n|---|---|---|---|\n"
)

// TestMetricsPage: docs/metrics.md lists the metrics that a gateway serves once it has done each thing that it does, and
// nothing else.
func TestMetricsPage(t *testing.T) {
	log, repository := rekortest.StartServer(t, rekortest.Named("127.0.0.1")), tuftest.Start(t)
	repository.Publish(tufTargets([]trustroot.LogKey{trusted(log, anHourAgo, time.Time{})}, service(front(t, log), anHourAgo, time.Time{})))
	cfg := tufConfig(t, log, repository)
	cfg.Limits.RequestsPerMinute = 6000
	cert, pool := newCertificate(t)
	cfg.GRPC.TLS = cert
	cfg.Callers = []config.Caller{
		{Name: "all", Tenant: "default", Anonymous: true, May: []string{"submit", "read"}, Limits: config.CallerLimits{SubmissionsPerDay: 1}}, byOIDC(issuertest.Start(t), "farm", map[string]string{"sub": "farm"}, "read"),
	}
	cfg.OwnLog = newOwnLog(cfg)
	cfg.OwnLog.Witnesses = []config.Witness{{Key: witnessKey, URL: "http://127.0.0.1:1"}}
	r := run(t, cfg)
	defer r.stop()
	if a := r.submit(key, "hello"); a.status != 201 {
		t.Fatalf("%d %v", a.status, a.body)
	}
	if a := r.submit(key, "more than a day may have"); a.status != http.StatusTooManyRequests {
		t.Fatalf("%d %v", a.status, a.body)
	}
	r.checkHealth(credentials.NewTLS(&tls.Config{RootCAs: pool}))
	table := r.describeMetrics()
	page := string(must(os.ReadFile(metricsPage)))
	before, _, ok := strings.Cut(page, tableHead)
	if !ok {
		t.Fatalf("%s has no table", metricsPage)
	}
	want := before + tableHead + table
	if *update {
		if err := os.WriteFile(metricsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if page != want {
		t.Errorf("%s is not what a gateway serves; run: go test ./gateway/server -run %s -update\n%s", metricsPage, t.Name(), table)
	}
}

// witnessKey is nobody's.
const witnessKey = "witness.example.com/w1+7c007075+BGOCs8yIFBK3e/yu7QJgAcANnjAl5mwg9ufpLweYUUYq"

// describeMetrics returns the rows of the gateway's own metrics.
func (r *running) describeMetrics() string {
	var out strings.Builder
	for _, family := range must(r.registry.Gather()) {
		if !strings.HasPrefix(family.GetName(), "rekor_gateway_") {
			continue
		}
		labels := map[string]bool{}
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = true
			}
		}
		named := strings.Join(slices.Sorted(maps.Keys(labels)), ", ")
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", family.GetName(), strings.ToLower(family.GetType().String()), named, family.GetHelp())
	}
	return out.String()
}

// What callers choose never becomes a label's value: methods, paths, formats, and request ids.
func TestLabelsAreNoCallers(t *testing.T) {
	r := run(t, newConfig(t))
	defer r.stop()
	for _, request := range []struct{ method, path, kind, body string }{
		{"EVIL", "/v1/submissions", "", ""},
		{"GET", "/v1/evil?evil=evil", "", ""},
		{"GET", "/v1/submissions/evil", "", ""},
		{"POST", "/v1/submissions", "application/json", `{"format":"evil","signature":"ZXZpbA==","keys":["ZXZpbA=="]}`},
		{"POST", "/v1/submissions", "application/json", `{"representation":"evil","signature":"ZXZpbA==","keys":["ZXZpbA=="]}`},
		{"POST", "/v1/submissions", "application/json", `{"evil":1}`},
	} {
		sent := must(http.NewRequest(request.method, r.Addresses().HTTP+request.path, strings.NewReader(request.body)))
		sent.Header.Set("X-Request-Id", "evil")
		sent.Header.Set("Content-Type", request.kind)
		must(http.DefaultClient.Do(sent)).Body.Close()
	}
	r.checkHealth(insecure.NewCredentials())
	series := 0
	for _, family := range must(r.registry.Gather()) {
		for _, m := range family.GetMetric() {
			series++
			for _, l := range m.GetLabel() {
				if strings.Contains(strings.ToLower(l.GetValue()), "evil") {
					t.Errorf("%s has the label %s", family.GetName(), l)
				}
			}
		}
	}
	if series < 100 || series > 600 {
		t.Errorf("%d series", series)
	}
}
