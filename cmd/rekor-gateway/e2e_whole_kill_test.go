// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekorv1test"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// wholeParts is how many parts of a blob each artifact has, at least.
const wholeParts = 2

// TestWholeKillPoints: wherever the gateway is killed while artifacts are spooled, enqueued, sent or swept, what it had accepted is in the real Rekor v1
// exactly once after a restart, and so is what is sent again; nothing stays spooled, and the store is sound.
func TestWholeKillPoints(t *testing.T) {
	program := buildProgram(t, "../rekor-gateway", "-tags", "killpoints")
	requests := newWholeRequests(t)
	for _, point := range []string{
		"before store.AppendBlob#1", "after store.AppendBlob#2", "before store.Enqueue#1", "after store.Enqueue#1", "accepted#1", "after store.Claim#1", "before store.BlobOf#1",
		"after store.BlobPart#1", "before store.BlobPart#2", "after log.Add#1", "after store.Finish#1", "after store.SweepBlobs#2",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			log := rekorv1test.Start(t)
			g := deployWhole(t, program, log)
			g.start("REKOR_GATEWAY_KILLPOINT=" + point)
			accepted := g.sendAll(requests)
			g.diesOfKill()

			g.start()
			durable := g.list()
			for _, s := range accepted {
				if !slices.Contains(durable, s.ID) {
					t.Errorf("submission %s was accepted and is lost", s.ID)
				}
			}
			for _, id := range durable {
				g.untilLogged(id)
			}
			leaves := map[string]bool{}
			for _, r := range requests { // as a client does that got no answer
				_, s, err := g.submit("wait=0", r...)
				if err != nil {
					t.Fatal(err)
				}
				logged := g.untilLogged(s.ID)
				leaves[logged.Entries[0].LeafHash] = true
			}
			g.stop()
			if out, err := exec.Command(program, "store", "check", "--config", g.file(configFile)).CombinedOutput(); err != nil {
				t.Errorf("store check: %v: %s", err, out)
			}
			info := must(exec.Command("curl", "-sS", log.URL+"/api/v1/log").Output())
			// What was in doubt may have waited for probes; the log has nothing twice.
			size := must(strconv.Atoi(string(regexp.MustCompile(`"treeSize":(\d+)`).FindSubmatch(info)[1])))
			if len(leaves) != len(requests) || size < len(requests) || size > len(requests)+mostProbes {
				t.Errorf("%d leaves, want %d; the log is %s", len(leaves), len(requests), info)
			}
		})
	}
}

// deployWhole is deploy for a real Rekor v1, to which artifacts are sent.
func deployWhole(t *testing.T, program string, log *rekorv1test.Server) *deployment {
	t.Helper()
	g := deploy(t, program, rekortest.StartServer(t))
	inlineMax := config.Size(16 << 20)
	g.cfg.Logs = []config.Log{{
		ID: "v1", Kind: config.KindRekorV1, Origin: rekorv1test.Hostname + " - " + strconv.FormatInt(log.TreeID(), 10), URL: log.URL,
		IntegrationDelay: 2 * time.Second, InFlight: 16, InlineMax: &inlineMax,
	}}
	root := must(trustroot.New(trustroot.LogKey{Origin: rekorv1test.Hostname, SPKI: log.Key, Start: time.Now().Add(-time.Hour)}))
	if err := root.Write(g.file(rootFile)); err != nil {
		t.Fatal(err)
	}
	g.cfg.Worker.AddTimeout, g.cfg.Worker.Drain = 4*time.Second, time.Second
	return g
}

// newWholeRequests has ssh-keygen sign some artifacts of several parts.
func newWholeRequests(t *testing.T) (requests [][][2]string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "key")).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for i := range killed {
		file := filepath.Join(dir, fmt.Sprint("artifact", i))
		if err := os.WriteFile(file, []byte(strings.Repeat(fmt.Sprintf("artifact %d\n", i), 1+wholeParts*(256<<10)/10)), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", filepath.Join(dir, "key"), file).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		read := func(name string) string { return string(must(os.ReadFile(name))) }
		requests = append(requests, [][2]string{{"signature", read(file + ".sig")}, {"key", read(filepath.Join(dir, "key.pub"))}, {"artifact", read(file)}})
	}
	return requests
}
