// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// v1Of is a configured log over a real Rekor v1, and its key in a trusted root.
func v1Of(s *rekorv1test.Server) (config.Log, trustroot.LogKey) {
	l := config.Log{
		ID: "v1", Kind: config.KindRekorV1, Origin: rekorv1test.Hostname + " - " + strconv.FormatInt(s.TreeID(), 10), URL: s.URL, IntegrationDelay: time.Hour,
	}
	return l, trustroot.LogKey{Origin: rekorv1test.Hostname, SPKI: s.Key, Start: anHourAgo}
}

// TestBothRekors records in a real Rekor v1 and a real Rekor v2 at once: what is signed, as it is and as a statement. Receipts verify offline, with
// the time that Rekor v1 has promised.
func TestBothRekors(t *testing.T) {
	t.Parallel()
	cfg := bothConfig(t)
	l := cfg.Logs[1]
	r := run(t, cfg)
	defer r.stop()
	for text, representation := range map[string]string{"as it is": "NATIVE", "as a statement": "ATTESTED"} {
		kind, body := formOf(key, text, text, "", representation)
		a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=60s", kind, body))
		if a.status != http.StatusCreated || a.body["representation"] != representation {
			t.Fatalf("%d %v", a.status, a.body)
		}
		id := a.body["id"].(string)
		if logs := r.logsOf(id); logs != "log v1" {
			t.Errorf("logged in %q", logs)
		}
		report := r.verifyReceipt(cfg, id, text)
		if len(report.Entries) != 2 || report.Entries[1].Origin != l.Origin {
			t.Errorf("entries %+v", report.Entries)
		}
		if said := strings.Join(report.Proven, "\n"); !strings.Contains(said, "time: existed by") || representation == "NATIVE" && !strings.Contains(said, "by the promise of log "+l.Origin) {
			t.Errorf("proven:\n%s", said)
		}
	}
	r.changeV1(cfg)
}

// bothConfig starts a Rekor v2 and a Rekor v1, and returns the configuration of a gateway that records in both.
func bothConfig(t *testing.T) *config.Config {
	t.Helper()
	v1, v2 := rekorv1test.Start(t), rekortest.StartServer(t)
	cfg := rotatingConfig(t, v2)
	l, trustedV1 := v1Of(v1)
	cfg.Logs = append(cfg.Logs, l)
	writeRoot(t, cfg, trustedV1, trusted(v2, anHourAgo, time.Time{}))
	return cfg
}

// changeV1 reloads with what may change of a log of Rekor v1, and with what may not.
func (r *running) changeV1(cfg *config.Config) {
	r.t.Helper()
	other := *cfg
	other.Logs = []config.Log{cfg.Logs[0], cfg.Logs[1]}
	other.Logs[0].ID, other.Logs[1].ID = cfg.Logs[1].ID, cfg.Logs[0].ID
	if err := r.Reload(r.t.Context(), &other); err == nil || !strings.Contains(err.Error(), "its kind is another one than before") {
		r.t.Errorf("logs that become one another: %v", err)
	}
	later := *cfg
	later.Logs = []config.Log{cfg.Logs[0], cfg.Logs[1]}
	later.Logs[1].URL += "/" // the same, at another URL
	if err := r.Reload(r.t.Context(), &later); err != nil {
		r.t.Error(err)
	}
	if logs := r.logsOf(r.submit(key, "after the reload").body["id"].(string)); logs != "log v1" {
		r.t.Errorf("logged in %q", logs)
	}
}

// verifyReceipt verifies a submission's receipt offline.
func (r *running) verifyReceipt(cfg *config.Config, id, text string) *receipt.Report {
	r.t.Helper()
	resp := must(http.Get(r.Addresses().HTTP + "/v1/submissions/" + id + "/receipt"))
	defer resp.Body.Close()
	parsed := must(receipt.Unmarshal(must(io.ReadAll(resp.Body))))
	report, err := receipt.Verify(r.t.Context(), parsed, receipt.Options{
		Registry: all.Formats(), TrustedRoot: must(trustroot.Load(cfg.TrustedRoot)), GatewayTrust: must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)),
		Artifact: strings.NewReader(text), ExpectedKeys: [][]byte{pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(key.Public()))})}, Now: time.Now(),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return report
}

// TestRekorV1Doubt: what a Rekor v1 log was sent while it integrates nothing is in doubt, is found once it is integrated, and ends in the log once.
func TestRekorV1Doubt(t *testing.T) {
	t.Parallel()
	v1, v2 := rekorv1test.Start(t), rekortest.StartServer(t)
	cfg := rotatingConfig(t, v2)
	l, trustedV1 := v1Of(v1)
	cfg.Logs = []config.Log{l}
	cfg.Worker.AddTimeout = 2 * time.Second
	writeRoot(t, cfg, trustedV1)
	r := run(t, cfg)
	defer r.stop()
	v1.Hold()
	ids := r.postAll("held", 5)
	for _, id := range ids {
		await(t, "sent", func() bool {
			a := r.get(id)
			attempts, _ := a.body["entries"].([]any)[0].(map[string]any)["attempts"].(float64)
			if a.body["state"] != "PENDING" {
				t.Fatalf("held: %v", a.body)
			}
			return attempts >= 1
		})
	}
	await(t, "an outcome that is not known", func() bool {
		resp := must(http.Get(r.Addresses().Admin + "/metrics"))
		defer resp.Body.Close()
		return bytes.Contains(must(io.ReadAll(resp.Body)), []byte(`rekor_gateway_log_calls_total{call="add",log="v1",outcome="unknown"}`))
	})
	v1.Kill()
	v1.Release()
	v1.Restart()
	for i, id := range ids {
		await(t, "logged", func() bool { return r.get(id).body["state"] == "LOGGED" })
		r.receiptOf(cfg, id, "held "+strconv.Itoa(i), 1)
	}
	resp := must(http.Get(v1.URL + "/api/v1/log"))
	defer resp.Body.Close()
	if info := must(io.ReadAll(resp.Body)); !bytes.Contains(info, []byte(`"treeSize":5`)) {
		t.Errorf("the log has more or fewer than 5 entries: %s", info)
	}
}

// TestRekorV1Lost: what never came to a Rekor v1 log, and may have, is sent again once what was sent later is in the log, and not before.
func TestRekorV1Lost(t *testing.T) {
	t.Parallel()
	v1, v2 := rekorv1test.Start(t), rekortest.StartServer(t)
	cfg := rotatingConfig(t, v2)
	l, trustedV1 := v1Of(v1)
	const n = 3
	var posts atomic.Int64
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(v1.URL)))
	lossy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && posts.Add(1) <= n {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(lossy.Close)
	l.URL, l.IntegrationDelay = lossy.URL, time.Second
	cfg.Logs = []config.Log{l}
	writeRoot(t, cfg, trustedV1)
	r := run(t, cfg)
	defer r.stop()
	for i, id := range r.postAll("lost", n) {
		await(t, "logged", func() bool { return r.get(id).body["state"] == "LOGGED" })
		r.receiptOf(cfg, id, "lost "+strconv.Itoa(i), 1)
	}
	if sent := posts.Load(); sent <= 2*n {
		t.Errorf("%d posts: no probe came before what was sent again", sent)
	}
}
