// SPDX-License-Identifier: Apache-2.0

//go:build unix

package server_test

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/sources/tuftest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// tufConfig is a gateway whose log comes from a TUF repository.
func tufConfig(t *testing.T, log *rekortest.Server, repository *tuftest.Repository) *config.Config {
	t.Helper()
	cfg := rotatingConfig(t, log)
	dir := t.TempDir()
	cfg.TrustedRoot = ""
	cfg.Source = config.Source{TUF: repository.URL, TUFRoot: filepath.Join(dir, "root.json"), TUFCache: filepath.Join(dir, "cache"), TUFTrustedRoot: "trusted_root.json", TUFSigningConfig: "signing_config.json"}
	cfg.Logs = []config.Log{{ID: "log", IntegrationDelay: time.Second}}
	cfg.Contact = "mailto:ops@example.com"
	if err := os.WriteFile(cfg.Source.TUFRoot, repository.First, 0o600); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func tufTargets(keys []trustroot.LogKey, services ...root.Service) map[string][]byte {
	return map[string][]byte{"trusted_root.json": must(must(trustroot.New(keys...)).Marshal()), "signing_config.json": signingConfig(services...)}
}

func unavailable(w http.ResponseWriter, _ *http.Request) bool {
	w.WriteHeader(http.StatusServiceUnavailable)
	return true
}

// TestLogsFromTUF: the repository brings a new shard, under load, with new keys of its own; the gateway starts without it; what has
// expired lets nothing be sent, and what waits is sent once it is refreshed.
func TestLogsFromTUF(t *testing.T) {
	t.Parallel()
	one, two := rekortest.StartServer(t, rekortest.Named("127.0.0.1")), rekortest.StartServer(t, rekortest.Named("localhost"))
	keys := []trustroot.LogKey{trusted(one, anHourAgo, time.Time{}), trusted(two, anHourAgo, time.Time{})}
	first, second := service(front(t, one), anHourAgo, time.Time{}), service(front(t, two), anHourAgo.Add(time.Minute), time.Time{})
	repository := tuftest.Start(t)
	repository.Publish(tufTargets(keys[:1], first))
	cfg := tufConfig(t, one, repository)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }

	r := runBy(t, cfg, now)
	wantOnce(t, r.awaitLogged(r.postAll("first", 3)), one)
	r.awaitMetric("source_failing", "0")
	if !repository.HasSeen("rekor-gateway (+mailto:ops@example.com)") {
		t.Error("the repository was not told whom to turn to")
	}
	stop := r.load("load")
	time.Sleep(time.Second)
	repository.Rotate("timestamp", "snapshot", "targets", "root")
	repository.Publish(tufTargets(keys, first, second))
	if err := r.RefreshSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the second shard", func() bool { return len(server.ReadLeaves(t, two)) > 0 })
	time.Sleep(time.Second)
	wantOnce(t, r.awaitLogged(stop()), one, two)
	wantOnce(t, r.awaitLogged(r.postAll("second", 2)), two)
	r.end()

	repository.SetFaults(unavailable)
	r = runBy(t, cfg, now)
	wantOnce(t, r.awaitLogged(r.postAll("offline", 3)), two)
	r.awaitMetric("source_failing", "1")
	ahead.Store(int64(25 * time.Hour))
	before := len(server.ReadLeaves(t, two))
	waiting := r.postAll("expired", 3)
	await(t, "the trouble", func() bool { return r.troubles()["log"] != "" })
	time.Sleep(6 * time.Second) // it is looked at by itself, too
	if n := len(server.ReadLeaves(t, two)); n != before {
		t.Errorf("%d entries were sent", n-before)
	}
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		repository.SetExpiry(role, time.Now().Add(48*time.Hour))
	}
	repository.Rotate()
	repository.Publish(tufTargets(keys, first, second))
	repository.SetFaults()
	if err := r.RefreshSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantOnce(t, r.awaitLogged(waiting), two)
	await(t, "no trouble", func() bool { return len(r.troubles()) == 0 })
	if text := r.end(); !strings.Contains(text, "what the logs come from has expired") {
		t.Errorf("log:\n%s", text)
	}

	ahead.Store(int64(49 * time.Hour)) // a start with what has expired
	repository.SetFaults(unavailable)
	if _, err := server.Build(t.Context(), cfg, server.Options{Logger: slog.New(slog.DiscardHandler), Now: now}); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("%v", err)
	}
}

// TestExpiryOfWhatIsInUse: what was fetched and cannot be used does not put off when nothing is sent any more.
func TestExpiryOfWhatIsInUse(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t, rekortest.Named("127.0.0.1"))
	repository := tuftest.Start(t)
	keys, is := []trustroot.LogKey{trusted(log, anHourAgo, time.Time{})}, service(front(t, log), anHourAgo, time.Time{})
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	repository.SetExpiry("timestamp", soon)
	repository.Publish(tufTargets(keys, is))
	r := run(t, tufConfig(t, log, repository))
	expiry := func(at time.Time) string { return strconv.FormatFloat(float64(at.Unix()), 'g', -1, 64) }
	r.awaitMetric("source_expiry_timestamp_seconds", expiry(soon))
	later := soon.Add(2 * time.Hour)
	repository.SetExpiry("timestamp", later)
	useless := is
	useless.MajorAPIVersion = 1
	repository.Publish(tufTargets(keys, useless))
	if err := r.RefreshSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.awaitMetric(`config_last_reload_successful{what="trusted_root"}`, "0")
	r.wantMetric("source_expiry_timestamp_seconds", expiry(soon))
	repository.Publish(tufTargets(keys, is))
	if err := r.RefreshSource(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.awaitMetric("source_expiry_timestamp_seconds", expiry(later))
	r.end()
}

// TestTUFChecks: what a configuration would do is told without a gateway; what is settled at the start is not changed later.
func TestTUFChecks(t *testing.T) {
	t.Parallel()
	log := rekortest.StartServer(t, rekortest.Named("127.0.0.1"))
	repository := tuftest.Start(t)
	keys := []trustroot.LogKey{trusted(log, anHourAgo, time.Time{})}
	repository.Publish(tufTargets(keys, service(front(t, log), anHourAgo, time.Time{})))
	cfg := tufConfig(t, log, repository)
	if err := server.CheckFiles(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(cfg.Source.TUFCache); err == nil {
		t.Error("the check has made a cache")
	}
	if _, err := server.ReadPolicy(t.Context(), cfg, ""); err != nil {
		t.Error(err)
	}
	r := run(t, cfg)
	other := *cfg
	other.Source.TUFCache += "2"
	if err := r.Reload(t.Context(), &other); err == nil || !strings.Contains(err.Error(), "source.tuf, or a key that begins with it") {
		t.Errorf("%v", err)
	}
	r.reload(cfg)
	r.end()
	repository.SetFaults(unavailable)
	if err := server.CheckFiles(t.Context(), cfg); err != nil {
		t.Errorf("with the cache alone: %v", err)
	}
	other = *cfg
	other.Source.TUFCache = t.TempDir()
	if err := server.CheckFiles(t.Context(), &other); err == nil || !strings.Contains(err.Error(), repository.URL) {
		t.Errorf("without it: %v", err)
	}
	v1 := service("http://127.0.0.1:1", anHourAgo, time.Time{})
	v1.MajorAPIVersion = 1
	repository.SetFaults()
	repository.Publish(tufTargets(keys, v1))
	if err := server.CheckFiles(t.Context(), &other); err == nil || !strings.Contains(err.Error(), "version 1 alone") {
		t.Errorf("version 1: %v", err)
	}
}
