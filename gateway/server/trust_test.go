// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// attestText submits text to be attested and returns its receipt.
func (r *running) attestText(text string) []byte {
	r.t.Helper()
	kind, body := formOf(key, text, text, "", "ATTESTED")
	a := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, body))
	if a.status != http.StatusCreated {
		r.t.Fatalf("%d %v", a.status, a.body)
	}
	resp := must(http.Get(r.Addresses().HTTP + "/v1/submissions/" + a.body["id"].(string) + "/receipt"))
	defer resp.Body.Close()
	return must(io.ReadAll(resp.Body))
}

// runOnce runs a gateway for as long as f takes.
func runOnce(t *testing.T, cfg *config.Config, f func(*running)) {
	t.Helper()
	r := run(t, cfg)
	f(r)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
}

// verdictOn returns why a receipt over text does not verify by cfg's files, "" when it does.
func verdictOn(t *testing.T, cfg *config.Config, raw []byte, text string) formats.Reason {
	t.Helper()
	o := receipt.Options{
		Registry: all.Formats(), TrustedRoot: must(trustroot.Load(cfg.TrustedRoot)), AnySigner: true, Now: time.Now(),
		GatewayTrust: must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)), Artifact: strings.NewReader(text),
	}
	_, err := receipt.Verify(t.Context(), must(receipt.Unmarshal(raw)), o)
	if err != nil && formats.ReasonOf(err) == "" {
		t.Fatal(err)
	}
	return formats.ReasonOf(err)
}

// rangesOf returns the ranges of all keys in the trust file.
func rangesOf(t *testing.T, cfg *config.Config) (all []trustroot.LogRange) {
	t.Helper()
	for _, k := range must(trustroot.LoadGateway(cfg.Attestation.GatewayTrust)).Keys() {
		all = append(all, k.Logs...)
	}
	return all
}

// refuseStart returns the words with which a start is refused.
func refuseStart(t *testing.T, cfg *config.Config) string {
	t.Helper()
	s, err := server.Build(t.Context(), cfg, server.Options{Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		s.Close()
		t.Fatal("it starts")
	}
	return err.Error()
}

// A trust file that is lost is made again, so that receipts of before verify, those of keys that sign
// no more included.
func TestLostTrustIsMadeAgain(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	dir := filepath.Dir(cfg.Attestation.Key)
	var old, first, second []byte
	runOnce(t, cfg, func(r *running) {
		r.submit(key, "before")
		old = r.attestText("old")
		first = r.attestText("first")
	})
	cfg.Attestation.OtherKeys = []string{cfg.Attestation.Key}
	cfg.Attestation.Key = filepath.Join(dir, "next key")
	runOnce(t, cfg, func(r *running) { second = r.attestText("second") })

	if err := os.Remove(cfg.Attestation.GatewayTrust); err != nil {
		t.Fatal(err)
	}
	unnamed := *cfg
	unnamed.Attestation.OtherKeys = nil
	if got := refuseStart(t, &unnamed); !strings.Contains(got, "attestation.other_keys") {
		t.Errorf("without the old key: %s", got)
	}
	runOnce(t, cfg, func(r *running) { r.attestText("third") })
	for text, raw := range map[string][]byte{"old": old, "first": first, "second": second} {
		if got := verdictOn(t, cfg, raw, text); got != "" {
			t.Errorf("the receipt of %q: %s", text, got)
		}
	}
	if got := string(must(json.Marshal(rangesOf(t, cfg)))); got != `[{"origin":"`+cfg.Logs[0].Origin+`","from":1,"to":2},{"origin":"`+cfg.Logs[0].Origin+`","from":3}]` {
		t.Errorf("ranges %s", got)
	}
}

// A trust file that learns late of a log, as of a shard that begins by the clock, has the key count from its first statement there, and not before.
func TestTrustLearnsLate(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	var early []byte
	runOnce(t, cfg, func(r *running) {
		r.submit(key, "before")
		early = r.attestText("early")
		r.submit(key, "after")
	})
	if err := must(trustroot.NewGateway()).Write(cfg.Attestation.GatewayTrust); err != nil {
		t.Fatal(err)
	}
	runOnce(t, cfg, func(*running) {})
	if got := verdictOn(t, cfg, early, "early"); got != "" {
		t.Error(got)
	}
	if ranges := rangesOf(t, cfg); len(ranges) != 1 || ranges[0].From != 1 || ranges[0].To != nil {
		t.Errorf("ranges %+v", ranges)
	}
}

// Where the store cannot tell, start says what to do, and leaves nothing behind that hides the loss.
func TestLostTrustAndStore(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	var old []byte
	runOnce(t, cfg, func(r *running) { old = r.attestText("old") })
	if err := os.Remove(cfg.Attestation.GatewayTrust); err != nil {
		t.Fatal(err)
	}
	kept := cfg.Store.SQLite.Path
	cfg.Store.SQLite.Path = filepath.Join(t.TempDir(), "new.db")
	for range 2 {
		if got := refuseStart(t, cfg); !strings.Contains(got, "Restore the file") || !strings.Contains(got, "attestation.gateway_trust_from: 0") {
			t.Errorf("refused with: %s", got)
		}
	}
	zero := int64(0)
	cfg.Attestation.GatewayTrustFrom = &zero
	runOnce(t, cfg, func(*running) {})
	if got := verdictOn(t, cfg, old, "old"); got != "" {
		t.Errorf("with gateway_trust_from: %s", got)
	}

	// The key is gone, too, and the store is not.
	cfg.Store.SQLite.Path, cfg.Attestation.GatewayTrustFrom = kept, nil
	for _, path := range []string{cfg.Attestation.GatewayTrust, cfg.Attestation.Key} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if got := refuseStart(t, cfg); !strings.Contains(got, "Restore the files") {
		t.Errorf("without the key: %s", got)
	}
	if _, err := os.Stat(cfg.Attestation.Key); err == nil {
		t.Error("a key was made")
	}
}

// A first start that fails half way, here for want of the log, is still a first start.
func TestFirstStartFails(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	broken := *cfg
	broken.Logs = []config.Log{cfg.Logs[0]}
	broken.Logs[0].ReadURL = "http://127.0.0.1:1"
	refuseStart(t, &broken)
	if _, err := os.Stat(cfg.Attestation.Key); err != nil {
		t.Fatalf("no key was made: %v", err)
	}
	runOnce(t, cfg, func(r *running) {
		r.submit(key, "before")
		if got := verdictOn(t, cfg, r.attestText("old"), "old"); got != "" {
			t.Error(got)
		}
	})
}
