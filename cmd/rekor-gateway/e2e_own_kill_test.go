// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// ownCalls are the calls of the store and the log that a record goes through, from being accepted until it is Logged. The first two of
// Sequence come with the start: it is asked whether it would, and then nothing waits yet.
var ownCalls = []string{"store.Enqueue", "store.Sequence#3", "store.Claim", "log.Add", "store.Finish", "store.KeepLooks", "store.KeepAnchor", "store.LogAnchored"}

// TestOwnKillPoints: wherever a gateway is killed between the steps of its own log, what it had accepted is one record there after a
// restart, each anchor is in Rekor once, and receipts verify.
func TestOwnKillPoints(t *testing.T) {
	program := buildProgram(t, "../rekor-gateway", "-tags", "killpoints")
	for _, call := range ownCalls {
		for _, point := range []string{"before " + call, "after " + call} {
			t.Run(point, func(t *testing.T) {
				t.Parallel()
				g := deploy(t, program, rekortest.StartServer(t))
				g.cfg.Worker.AddTimeout, g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.Drain = 4*time.Second, 2*time.Second, time.Second
				testOwnKillPoint(t, g, point, newRequests(t))
			})
		}
	}
}

// testOwnKillPoint has a gateway killed at a point while it has records for its own log.
func testOwnKillPoint(t *testing.T, g *deployment, point string, requests [][][2]string) {
	g.own = newOwnLogs(t)
	for i := range requests {
		requests[i] = append(requests[i], [2]string{"way", "BATCHED"})
	}
	g.startToDie("REKOR_GATEWAY_KILLPOINT=" + point)
	accepted := g.sendAll(requests)
	g.diesOfKill()

	g.start()
	durable := g.list()
	for _, s := range accepted {
		if !slices.Contains(durable, s.ID) {
			t.Errorf("submission %s was accepted and is lost", s.ID)
		}
	}
	leaves := map[string]bool{}
	for _, r := range requests {
		_, s, err := g.submit("wait=0", r...)
		if err != nil {
			t.Fatal(err)
		}
		leaves[g.untilLogged(s.ID).Entries[0].LeafHash] = true
		g.verifyReceipt(s.ID, r)
	}
	tree := g.own.readTrees(t, g)[g.own.config().ID()]
	g.stop()
	for leaf := range leaves {
		if tree[leaf] != 1 {
			t.Errorf("record %s is there %d times", leaf, tree[leaf])
		}
	}
	if len(leaves) != killed || len(tree) != killed {
		t.Errorf("%d leaves, %d records, want %d", len(leaves), len(tree), killed)
	}
	anchors := map[string]int{}
	eachBody(t, rekortest.Origin, g.cfg.Logs[0].ReadURL, func(leaf string, body []byte) {
		if g.own.isAnchor(body) {
			anchors[leaf]++
		}
	})
	for leaf, n := range anchors {
		if n != 1 {
			t.Errorf("anchor %s is logged %d times", leaf, n)
		}
	}
	t.Logf("%d answered, %d durable before the kill; %d anchors", len(accepted), len(durable), len(anchors))
}

// startToDie starts a gateway that may reach its kill point before it is ready: some calls come with the start.
func (g *deployment) startToDie(env string) {
	g.t.Helper()
	g.launch(env)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if resp, err := http.Get("http://" + g.cfg.Admin.Listen + "/readyz"); err == nil {
			resp.Body.Close()
			return
		}
		stat := must(os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.process.Process.Pid)))
		if bytes.Contains(stat, []byte(") Z ")) { // it is dead, and diesOfKill says of what
			return
		}
	}
	g.t.Fatalf("the gateway neither starts nor dies:\n%s", must(os.ReadFile(g.file("log"))))
}

// verifyReceipt has the command verify the receipt of a request, offline.
func (g *deployment) verifyReceipt(id string, request [][2]string) {
	g.t.Helper()
	dir := g.t.TempDir()
	receipt, ok := fetchOwn(g.url + "/v1/submissions/" + id + "/receipt")
	if !ok {
		g.t.Fatalf("no receipt of %s: %s", id, receipt)
	}
	files := map[string]string{"artifact.receipt.json": string(receipt)}
	for _, part := range request {
		files[part[0]] = part[1]
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			g.t.Fatal(err)
		}
	}
	out, err := exec.Command(g.program, "verify", "--quiet", "--key", filepath.Join(dir, "key"), "--trusted-root", g.file(rootFile), "--gateway-trust", g.file(trustFile),
		filepath.Join(dir, "artifact")).CombinedOutput()
	if err != nil {
		g.t.Errorf("the receipt of %s does not verify: %v\n%s", id, err, out)
	}
}
