// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/server"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// newReplicas returns the configurations of n gateways on one database, in front of one real log and with the same key.
func newReplicas(t *testing.T, dsn string, n int) []*config.Config {
	t.Helper()
	log := rekortest.StartServer(t)
	all := make([]*config.Config, n)
	for i := range all {
		all[i] = newConfigOver(t, log)
		all[i].Store = config.Store{Postgres: config.Postgres{DSN: dsn, MaxConnections: 8}}
		all[i].TrustedRoot, all[i].Attestation = all[0].TrustedRoot, all[0].Attestation
	}
	return all
}

// readyz returns the status of /readyz and its body, of the admin listener.
func (r *running) readyz() (status int, state, body string) {
	r.t.Helper()
	a := r.answer(http.Get(r.Addresses().Admin + "/readyz"))
	return a.status, fmt.Sprint(a.body["status"]), fmt.Sprint(a.body)
}

func (r *running) awaitState(want string, within time.Duration) (body string) {
	r.t.Helper()
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		_, state, body := r.readyz()
		if state == want {
			return body
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("readyz says %s, want %q", body, want)
		}
	}
}

// TestReplicas: gateways on one database are one: any of them answers for whatever was submitted to another one.
func TestReplicas(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	configs := newReplicas(t, dsn, 2)
	a, b := run(t, configs[0]), run(t, configs[1])
	kind, body := form(key, "hello")
	post := func(r *running) answer {
		return r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions", kind, bytes.NewReader(body.Bytes())))
	}
	sent := post(a)
	if sent.status != http.StatusCreated {
		t.Fatalf("%d %v", sent.status, sent.body)
	}
	if again := post(b); again.status != http.StatusOK || again.body["id"] != sent.body["id"] {
		t.Errorf("the same at the other one: %d %v", again.status, again.body)
	}
	if got := b.answer(http.Get(b.Addresses().HTTP + fmt.Sprint("/v1/submissions/", sent.body["id"]))); got.status != http.StatusOK || got.body["state"] != "LOGGED" {
		t.Errorf("read at the other one: %d %v", got.status, got.body)
	}
	for _, r := range []*running{a, b} {
		r.awaitState("ready", time.Minute)
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
}

// TestDrift: a gateway that differs from the others is noticed by all, and it is forgiven once it does not any more, or has left.
func TestDrift(t *testing.T) {
	t.Parallel()
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	configs := newReplicas(t, dsn, 2)
	configs[1].Logs[0].Rate, configs[1].Logs[0].RateBurst = 50, 10
	a, b := run(t, configs[0]), run(t, configs[1])
	for _, r := range []*running{a, b} {
		if body := r.awaitState("degraded", time.Minute); !strings.Contains(body, "part:logs") || strings.Contains(body, "part:policy") {
			t.Error(body)
		}
	}
	again := *configs[1]
	again.Logs = configs[0].Logs
	if err := b.Reload(t.Context(), &again); err != nil {
		t.Fatal(err)
	}
	a.awaitState("ready", time.Minute)
	b.awaitState("ready", time.Minute)
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if err := a.stop(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(a.log.String(), "another gateway on this store differs"); n != 1 {
		t.Errorf("it was told %d times\n%s", n, a.log)
	}
}

// TestDatabaseGone: while the database is gone nothing is taken, and the gateway says so; it goes on by itself when it is back.
// One that starts meanwhile waits.
func TestDatabaseGone(t *testing.T) {
	t.Parallel() // it mostly waits
	database := postgrestest.NewServer(t)
	configs := newReplicas(t, database.DSN("postgres"), 2)
	r := run(t, configs[0])
	r.awaitState("ready", time.Minute)
	if err := database.Kill(); err != nil {
		t.Fatal(err)
	}
	r.awaitState("not ready", 30*time.Second)
	if a := r.submit(key, "meanwhile"); a.status != http.StatusServiceUnavailable || a.body["reason"] != "NOT_STORED" {
		t.Errorf("meanwhile: %d %v", a.status, a.body)
	}
	started := make(chan *running)
	go func() { started <- run(t, configs[1]) }()
	time.Sleep(time.Second)
	if err := database.Restart(); err != nil {
		t.Fatal(err)
	}
	if a := r.submit(key, "after"); a.status != http.StatusCreated {
		t.Errorf("after: %d %v", a.status, a.body)
	}
	r.awaitState("ready", 40*time.Second)
	second := <-started
	second.awaitState("ready", 40*time.Second)
	for _, r := range []*running{r, second} {
		if err := r.stop(); err != nil {
			t.Error(err)
		}
	}
	if text := second.log.String(); !strings.Contains(text, "the database cannot be reached; it is tried again") {
		t.Errorf("log:\n%s", text)
	}
}

// TestPasswordIsNotTold: what goes wrong with the database is said without the password.
func TestPasswordIsNotTold(t *testing.T) {
	file := t.TempDir() + "/dsn"
	if err := os.WriteFile(file, []byte("postgres://gateway:topsecret@[::1/x"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := newReplicas(t, "", 1)[0]
	cfg.Store.Postgres = config.Postgres{DSNFile: file, MaxConnections: 4}
	if _, err := server.Build(t.Context(), cfg, server.Options{Logger: slog.New(slog.DiscardHandler)}); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%v", err)
	}
}

// TestForkStopsAll: the evidence of a fork that one gateway has kept stops every gateway on the store within seconds, also what was
// accepted already, and those that had nothing to send.
func TestForkStopsAll(t *testing.T) {
	t.Parallel() // it mostly waits
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	configs := newReplicas(t, dsn, 2)
	a, b := run(t, configs[0]), run(t, configs[1])
	for _, r := range []*running{a, b} {
		if got := r.submit(key, fmt.Sprint("before, at ", r.Addresses().HTTP)); got.status != http.StatusCreated {
			t.Fatalf("%d %v", got.status, got.body)
		}
	}
	finder := must(postgres.Open(t.Context(), dsn, postgres.Options{})) // a third gateway
	shard := shardOf(t, configs[0])
	small := must(finder.Checkpoint(t.Context(), shard))
	large := *small
	large.Root[0] ^= 1
	if err := finder.KeepFork(t.Context(), gateway.Fork{Shard: shard, Small: *small, Large: large, PrefixRoot: large.Root}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	for _, r := range []*running{a, b} {
		kind, body := form(key, fmt.Sprint("after, at ", r.Addresses().HTTP))
		if got := r.answer(http.Post(r.Addresses().HTTP+"/v1/submissions?wait=3", kind, body)); got.status == http.StatusCreated {
			t.Errorf("logged after the fork: %v", got.body)
		}
		r.awaitState("not ready", 5*time.Second)
	}
	if kept := must(finder.Checkpoint(t.Context(), shard)); kept.Size != small.Size {
		t.Errorf("the log grew from %d to %d", small.Size, kept.Size)
	}
	for _, end := range []func() error{a.stop, b.stop, finder.Close} {
		if err := end(); err != nil {
			t.Error(err)
		}
	}
}

// shardOf returns the shard of a configuration's only log, by the key in the trusted root.
func shardOf(t *testing.T, cfg *config.Config) gateway.Shard {
	t.Helper()
	root := must(trustroot.Load(cfg.TrustedRoot))
	for _, l := range root.Logs() {
		if l.Origin == cfg.Logs[0].Origin {
			return gateway.Shard{Origin: l.Origin, KeyID: [32]byte(l.ID)}
		}
	}
	t.Fatal("no such log")
	return gateway.Shard{}
}
