// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/attest"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// writeAllowed names the only key that may sign.
func writeAllowed(t *testing.T, cfg *config.Config, text string) {
	t.Helper()
	path := filepath.Join(filepath.Dir(cfg.TrustedRoot), "allowed.pem")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Policy.Keys = map[string][]string{"x509": {path}}
}

// What is read again counts, a faulty file changes nothing, and the gateway's own keys never become signers.
func TestReload(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	cert, pool := newCertificate(t)
	cfg.HTTP.TLS = cert
	r := run(t, cfg)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	submit := func(text string) answer {
		kind, body := form(key, text)
		return r.answer((&http.Client{Transport: transport}).Post(r.Addresses().HTTP+"/v1/submissions", kind, body))
	}
	if a := submit("one"); a.status != http.StatusCreated {
		t.Errorf("before: %d %v", a.status, a.body)
	}
	changed := *cfg
	writeAllowed(t, &changed, string(must(os.ReadFile("../../formats/x509/testdata/p256.pem"))))
	second, pool2 := newCertificate(t)
	changed.HTTP.TLS = second
	if err := r.Reload(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool2}
	if a := submit("two"); a.status != 422 || a.body["reason"] != "KEY_NOT_TRUSTED" {
		t.Errorf("another key may sign: %d %v", a.status, a.body)
	}
	faulty := changed
	writeAllowed(t, &faulty, "no key")
	if err := r.Reload(t.Context(), &faulty); err == nil || !strings.Contains(err.Error(), "allowed.pem: line 1: ") {
		t.Errorf("a faulty key file: %v", err)
	}
	faulty = *cfg
	faulty.HTTP.TLS = config.TLS{}
	if err := r.Reload(t.Context(), &faulty); err == nil {
		t.Error("TLS was taken away")
	}
	if a := submit("three"); a.status != 422 || a.body["reason"] != "KEY_NOT_TRUSTED" {
		t.Errorf("the policy is gone: %d %v", a.status, a.body)
	}
	back := *cfg
	back.HTTP.TLS, back.Limits.MaxPending = second, 7
	if err := r.Reload(t.Context(), &back); err != nil {
		t.Fatal(err)
	}
	if a := submit("four"); a.status != http.StatusCreated {
		t.Errorf("after: %d %v", a.status, a.body)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(r.log.String(), `restart to use it" keys=[limits.max_pending]`) {
		t.Errorf("nothing says which limits wait for a restart:\n%s", r.log)
	}
}

// Files are looked at before anything is made, and the fault is named.
func TestFaultyFiles(t *testing.T) {
	t.Parallel()
	good := newConfig(t)
	if err := server.CheckFiles(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{good.Store.SQLite.Path, good.Attestation.Key, good.Attestation.GatewayTrust} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("checking made %s", path)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	large := filepath.Join(t.TempDir(), "large") // a hole
	if err := errors.Join(os.WriteFile(large, nil, 0o600), os.Truncate(large, 1<<40)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"large certificate": {func(c *config.Config) { c.HTTP.TLS = config.TLS{CertFile: large, KeyFile: file} }, "http.tls.cert_file: " + large + " is larger than 64MiB"},
		"large key":         {func(c *config.Config) { c.HTTP.TLS = config.TLS{CertFile: file, KeyFile: large} }, "http.tls.key_file: " + large + " is larger than"},
		"large authorities": {func(c *config.Config) { c.GRPC.TLS.ClientCAFile = large }, "grpc.tls.client_ca_file: " + large + " is larger than"},
		"large issuer's authorities": {func(c *config.Config) {
			c.Callers = []config.Caller{{Name: "a", OIDC: config.OIDC{CAFile: large}}}
		}, "oidc.ca_file: " + large + " is larger than"},
		"spool":       {func(c *config.Config) { c.Limits.SpoolDir = file + "-none" }, "limits.spool_dir: "},
		"spool, file": {func(c *config.Config) { c.Limits.SpoolDir = file }, "limits.spool_dir: "},
		"SSH keys": {func(c *config.Config) {
			c.Policy.Keys = map[string][]string{"ssh": {"../../formats/ssh/testdata/allowed_signers.mldsa"}}
		}, "allowed_signers.mldsa: line 2: "},
		"roots":        {func(c *config.Config) { c.Policy.Roots = []string{file} }, file + ": line 1: "},
		"trusted root": {func(c *config.Config) { c.TrustedRoot = file }, file},
		"certificate":  {func(c *config.Config) { c.HTTP.TLS = config.TLS{CertFile: file, KeyFile: file} }, "http.tls (" + file},
	} {
		cfg := *good
		c.change(&cfg)
		if err := server.CheckFiles(t.Context(), &cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		s, err := server.Build(t.Context(), &cfg, server.Options{Logger: slog.New(slog.DiscardHandler)})
		if err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, at the start: %v, want %q", name, err, c.want)
		}
		if _, err := os.Stat(cfg.Store.SQLite.Path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the store was made", name)
		}
	}
	own := ownTrusted(t, good)
	if err := server.CheckFiles(t.Context(), own); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"another own key": {func(c *config.Config) { c.OwnLog.Key = filepath.Join(t.TempDir(), "own.key") }, "own_log.key: " + own.Attestation.GatewayTrust + ": "},
		"no own key":      {func(c *config.Config) { c.OwnLog.Key, c.OwnLog.CreateKeys = file+"-none", false }, "own log"},
		"faulty own key":  {func(c *config.Config) { c.OwnLog.Key = file }, "own log"},
	} {
		cfg := *own
		c.change(&cfg)
		if name == "another own key" {
			_ = must(attest.LoadCheckpointSigner(cfg.OwnLog.Key, cfg.OwnLog.Origin, true))
		}
		if err := server.CheckFiles(t.Context(), &cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, change := range map[string]func(*config.Config){
		"no folder for the store": func(c *config.Config) { c.Store.SQLite.Path = filepath.Join(file+"-none", "db") },
		"no attestation key":      func(c *config.Config) { c.Attestation.CreateKey = false },
		"attestation key":         func(c *config.Config) { c.Attestation.Key = file },
		"trust":                   func(c *config.Config) { c.Attestation.GatewayTrust = file },
	} {
		cfg := *good
		change(&cfg)
		if err := server.CheckFiles(t.Context(), &cfg); err == nil {
			t.Errorf("%s passed", name)
		}
	}
}

// ownTrusted returns c with an own log whose key is in a trust file.
func ownTrusted(t *testing.T, c *config.Config) *config.Config {
	t.Helper()
	own := *c
	own.OwnLog = config.OwnLog{Origin: "gateway.test/own", Key: filepath.Join(t.TempDir(), "own.key"), AnchorKey: filepath.Join(t.TempDir(), "anchor.key"), CreateKeys: true}
	if err := server.CheckFiles(t.Context(), &own); err != nil {
		t.Errorf("keys that are made at the start: %v", err)
	}
	signer := must(attest.LoadCheckpointSigner(own.OwnLog.Key, own.OwnLog.Origin, true))
	own.Attestation.GatewayTrust = filepath.Join(t.TempDir(), "gateway_trust.json")
	if err := must((&trustroot.Gateway{}).WithOwnLog(own.OwnLog.Origin, signer.VerifierKey())).Write(own.Attestation.GatewayTrust); err != nil {
		t.Fatal(err)
	}
	return &own
}

// TestInFlightIsReadAgain: how many entries may be under way to a log counts from a reload on, and nothing is said to wait for a restart.
func TestInFlightIsReadAgain(t *testing.T) {
	t.Parallel()
	cfg := newConfig(t)
	r := run(t, cfg)
	changed := *cfg
	changed.Worker.InFlight = 3
	if err := r.Reload(t.Context(), &changed); err != nil {
		t.Fatal(err)
	}
	r.awaitMetric(`log_in_flight_limit{log="test"}`, "3")
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), "restart to use it") {
		t.Errorf("the bound is said to wait for a restart:\n%s", r.log)
	}
}
