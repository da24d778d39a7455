// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// facadeCalls are the calls of the store that an entry goes through until clients of Rekor v1 see it. The first two of Sequence, and the first of
// Mirrored, come with the start.
var facadeCalls = []string{"store.AddMirror", "store.Finish", "store.Mirrored#2", "store.ForgetMirrored", "store.Sequence#3", "store.KeepLooks", "store.KeepAnchor", "store.LogAnchored"}

// TestFacadeKillPoints: wherever a gateway is killed between the steps of the log for clients of Rekor v1, what it had accepted is there once after a
// restart, though nobody asks for it.
func TestFacadeKillPoints(t *testing.T) {
	program := buildProgram(t, "../rekor-gateway", "-tags", "killpoints")
	for _, call := range facadeCalls {
		for _, point := range []string{"before " + call, "after " + call} {
			t.Run(point, func(t *testing.T) {
				t.Parallel()
				g := deploy(t, program, rekortest.StartServer(t))
				g.cfg.Worker.AddTimeout, g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.Drain = 4*time.Second, 2*time.Second, time.Second
				g.cfg.RekorAPI = config.RekorAPI{V1: "test", Facade: config.Facade{Host: "rekor.example", Key: facadeFile, AnchorKey: facadeAnchorFile, CreateKeys: true}}
				testFacadeKillPoint(t, g, point, newRequests(t))
			})
		}
	}
}

func testFacadeKillPoint(t *testing.T, g *deployment, point string, requests [][][2]string) {
	g.startToDie("REKOR_GATEWAY_KILLPOINT=" + point)
	accepted := g.sendAll(requests)
	g.diesOfKill()
	g.start()
	for _, r := range requests {
		_, s, err := g.submit("wait=0", r...)
		if err != nil {
			t.Fatal(err)
		}
		g.untilLogged(s.ID)
	}
	read := func(path string, into any) int {
		resp, err := http.Get(g.url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	var info struct{ TreeSize int }
	for deadline := time.Now().Add(time.Minute); info.TreeSize < killed && time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		read("/api/v1/log", &info)
	}
	time.Sleep(3 * time.Second) // what is there twice would come by then
	if read("/api/v1/log", &info); info.TreeSize != killed {
		t.Errorf("there are %d entries, want %d", info.TreeSize, killed)
	}
	distinct := map[string]bool{}
	for i := range killed {
		entries := map[string]any{}
		if status := read(fmt.Sprint("/api/v1/log/entries?logIndex=", i), &entries); status != http.StatusOK {
			t.Errorf("entry %d: %d %v", i, status, entries)
		}
		for id := range entries {
			distinct[id] = true
		}
	}
	if len(distinct) != killed {
		t.Errorf("%d entries are distinct", len(distinct))
	}
	g.stop()
	t.Logf("%d answered before the kill", len(accepted))
}
