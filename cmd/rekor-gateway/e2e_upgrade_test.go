// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// nextMigration is what the release after this one may do to the tables: it only adds.
const nextMigration = `-- +goose Up
ALTER TABLE submission ADD COLUMN next text;
ALTER TABLE entry ADD COLUMN next bigint NOT NULL DEFAULT 7;
ALTER TABLE replica ADD COLUMN next text NOT NULL DEFAULT 'none';
CREATE TABLE next (log bigint PRIMARY KEY);
CREATE INDEX entry_next ON entry (next, id);
`

// buildNextRelease builds the gateway as a later release: with one more migration, and notifications of another version, which
// this one cannot read.
func buildNextRelease(t *testing.T) string {
	t.Helper()
	store := must(filepath.Abs("../../gateway/store/postgres"))
	migrations := must(filepath.Glob(filepath.Join(store, "migrations", "*.sql")))
	telling := filepath.Join(store, "notify.go")
	const payload = `payloadVersion = "1"`
	source := string(must(os.ReadFile(telling)))
	if strings.Count(source, payload) != 1 {
		t.Fatalf("%s does not have %s", telling, payload)
	}
	dir := t.TempDir()
	replace := map[string]string{
		filepath.Join(store, "migrations", fmt.Sprintf("%05d_next.sql", len(migrations)+1)): nextMigration,
		telling: strings.Replace(source, payload, `payloadVersion = "next"`, 1),
	}
	for path, content := range replace {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(replace[path], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, must(json.Marshal(map[string]any{"Replace": replace})), 0o600); err != nil {
		t.Fatal(err)
	}
	return buildProgram(t, "../rekor-gateway", "-tags", "killpoints", "-overlay", overlay)
}

// TestRollingUpgrade replaces three gateways one after the other, while submissions go on, by those of the next release, which adds to the
// tables: both serve side by side, each delivers what the other has taken and tells of it, an older one does not start any more, and
// nothing is lost or logged twice. $REKOR_GATEWAY_OLDER is a program of a release with older tables, built with the tag
// killpoints, which is replaced by this one instead.
func TestRollingUpgrade(t *testing.T) {
	t.Parallel() // it mostly waits
	postgrestest.Require(t)
	older, newer := os.Getenv("REKOR_GATEWAY_OLDER"), buildProgram(t, "../rekor-gateway", "-tags", "killpoints")
	if older == "" {
		older, newer = newer, buildNextRelease(t)
	}
	c := chaos{submissions: 600, lasts: 25 * time.Second, seed: rand.Uint64()}
	log := rekortest.StartServer(t)
	r := deployReplicas(t, older, log, 3, nil, func(cfg *config.Config) { cfg.Logs[0].IntegrationDelay = 3 * time.Second })
	m := newModel(c.plan(t))

	var sending sync.WaitGroup
	var stopped atomic.Pointer[deployment] // which a load balancer does not send to
	pick := func(random *rand.Rand) *deployment {
		for {
			if g := r.pick(random); g != stopped.Load() {
				return g
			}
		}
	}
	for i, send := range []sender{m.sendHTTP, m.sendGRPC, m.sendBatch, m.sendWaiting} {
		sending.Go(func() { m.sendAll(t, pick, send, c.random(100+uint64(i)), c.lasts) })
	}
	for i, g := range r.all {
		time.Sleep(2 * time.Second)
		stopped.Store(g)
		g.stop()
		g.program = newer
		g.start()
		g.awaitReady()
		stopped.Store(nil)
		time.Sleep(3 * time.Second) // they work side by side
		for _, g := range r.all {
			if is := g.condition(); is != "ready" {
				t.Errorf("with %d replaced one is %s", i+1, is)
			}
		}
		r.refusesOlder(t, older)
	}
	sending.Wait()
	m.awaitLogged(t, r.all[0])
	m.checkReceipts(t, r.all[0])
	m.checkLogOf(t, r, log)
	for _, g := range r.all {
		g.stop()
	}
}

// refusesOlder starts an older release, and a command of it, on the tables of a newer one: they end, and say why.
func (r *replicas) refusesOlder(t *testing.T, older string) {
	t.Helper()
	file := filepath.Join(r.all[0].dir, "older.yaml")
	cfg := r.all[0].cfg
	cfg.HTTP.Listen, cfg.GRPC.Listen, cfg.Admin.Listen = freeAddress(), freeAddress(), freeAddress()
	if err := os.WriteFile(file, must(cfg.Marshal()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"serve"}, {"store", "replicas"}} {
		cmd := exec.CommandContext(t.Context(), older, append(command, "--config", file)...)
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != exitInput || !strings.Contains(string(out), "the tables are of a newer release") {
			t.Errorf("%s of an older release: %v\n%s", command, err, out)
		}
	}
}

// awaitReady waits until the gateway says that it is ready, and nothing else.
func (g *deployment) awaitReady() {
	g.t.Helper()
	for deadline := time.Now().Add(time.Minute); g.condition() != "ready"; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			g.t.Fatalf("the gateway is %s:\n%s", g.condition(), g.lastLines())
		}
	}
}

// condition is what the gateway says of itself: ready, degraded, with why, or not ready.
func (g *deployment) condition() string {
	resp, err := http.Get(g.url + "/readyz")
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return err.Error()
	}
	var is struct{ Status string }
	if json.Unmarshal(raw, &is) == nil && is.Status == "ready" {
		return is.Status
	}
	return string(raw)
}
