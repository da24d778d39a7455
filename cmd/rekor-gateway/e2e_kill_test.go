// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// killPoints reads the declared ones; a test beside them holds the list to the code.
func killPoints(t *testing.T) []string {
	t.Helper()
	source := must(os.ReadFile("../../gateway/internal/killpoint/killpoint.go"))
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\t\w+ Point = "([a-z-]+)"$`).FindAllSubmatch(source, -1) {
		names = append(names, string(m[1]))
	}
	if len(names) < 5 {
		t.Fatalf("only these kill points: %q", names)
	}
	return names
}

// killCalls reads the calls of store and log that have a kill point before and after, such as "store.Claim".
func killCalls(t *testing.T) (calls []string) {
	t.Helper()
	source := must(os.ReadFile("../../gateway/server/killpoints_on.go"))
	for _, m := range regexp.MustCompile(`killpoint\.Around\("([a-zA-Z.]+)"\)`).FindAllSubmatch(source, -1) {
		calls = append(calls, string(m[1]))
	}
	if len(calls) < 20 {
		t.Fatalf("only these calls have kill points: %q", calls)
	}
	return calls
}

// killed is how many submissions are sent while the gateway is killed, mostProbes how many probes that takes
// at most.
const killed, mostProbes = 8, 4

// TestKillPoints: wherever the gateway is killed, what it had accepted is logged exactly once
// after a restart, and so is what is sent again.
func TestKillPoints(t *testing.T) {
	program := buildProgram(t, "../rekor-gateway", "-tags", "killpoints")
	for _, point := range killPoints(t) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			log := rekortest.StartServer(t)
			g := deploy(t, program, log)
			g.cfg.Worker.AddTimeout, g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.Drain = 4*time.Second, 2*time.Second, time.Second
			requests := newRequests(t)
			if strings.HasPrefix(point, "own-") {
				testOwnKillPoint(t, g, point, requests)
				return
			}

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
			if len(durable) == 0 { // every kill point comes after a commit
				t.Error("nothing is durable")
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
				leaves[g.untilLogged(s.ID).Entries[0].LeafHash] = true
			}
			g.stop()
			counts := countLeaves(t, log.ReadURL())
			for leaf := range leaves {
				if counts[leaf] != 1 {
					t.Errorf("leaf %s is logged %d times", leaf, counts[leaf])
				}
			}
			// What was in doubt may have waited for probes.
			if len(leaves) != killed || len(counts) > killed+mostProbes {
				t.Errorf("%d leaves, %d in the log, want %d", len(leaves), len(counts), killed)
			}
			t.Logf("%d answered, %d durable before the kill", len(accepted), len(durable))
		})
	}
}

// newRequests signs some artifacts.
func newRequests(t *testing.T) [][][2]string {
	t.Helper()
	dir := t.TempDir()
	sign := exec.Command("bash", "-euc", ec("256")+"; openssl pkey -in private -pubout -out key; "+
		fmt.Sprintf("for i in $(seq %d); do echo $i >artifact$i; openssl dgst -sha256 -sign private -out sig$i artifact$i; done", killed))
	sign.Dir = dir
	if out, err := sign.CombinedOutput(); err != nil {
		t.Fatalf("signing: %v\n%s", err, out)
	}
	read := func(name string) string { return string(must(os.ReadFile(filepath.Join(dir, name)))) }
	var requests [][][2]string
	for i := 1; i <= killed; i++ {
		requests = append(requests, [][2]string{
			{"signature", read(fmt.Sprint("sig", i))}, {"key", read("key")}, {"artifact", read(fmt.Sprint("artifact", i))},
		})
	}
	return requests
}

// sendAll sends the requests at once and returns those that were answered.
func (g *deployment) sendAll(requests [][][2]string) (accepted []submitted) {
	var mu sync.Mutex
	var sending sync.WaitGroup
	for _, r := range requests {
		sending.Go(func() {
			if _, s, err := g.submit("wait=0", r...); err == nil {
				mu.Lock()
				defer mu.Unlock()
				accepted = append(accepted, s)
			}
		})
	}
	sending.Wait()
	return accepted
}

// diesOfKill waits until the gateway has killed itself.
func (g *deployment) diesOfKill() {
	g.t.Helper()
	hung := time.AfterFunc(20*time.Second, func() { _ = g.process.Process.Signal(syscall.SIGTERM) })
	defer hung.Stop()
	err := g.process.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		g.t.Fatalf("the gateway did not reach its kill point: %v", err)
	}
}

// untilLogged waits until the submission is logged.
func (g *deployment) untilLogged(id string) submitted {
	g.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		s, err := g.get(id)
		if err != nil {
			g.t.Fatal(err)
		}
		if s.State == "LOGGED" {
			return s
		}
		if s.State == "FAILED" || time.Now().After(deadline) {
			g.t.Fatalf("submission %s is %s\n%s", id, s.State, must(os.ReadFile(g.file("log"))))
		}
	}
}

// countLeaves counts each leaf hash in the log's tiles.
func countLeaves(t *testing.T, readURL string) map[string]int {
	t.Helper()
	return countLeavesOf(t, rekortest.Origin, readURL)
}

// countLeavesOf is countLeaves of a log by its origin.
func countLeavesOf(t *testing.T, origin, readURL string) map[string]int {
	t.Helper()
	counts := map[string]int{}
	eachBody(t, origin, readURL, func(leaf string, _ []byte) { counts[leaf]++ })
	return counts
}

// eachBody calls f with each entry in the log's tiles.
func eachBody(t *testing.T, origin, readURL string, f func(leaf string, body []byte)) {
	t.Helper()
	fetcher := must(client.NewHTTPFetcher(must(url.Parse(readURL)), http.DefaultClient))
	for index := uint64(0); ; index++ {
		var size uint64
		checkpoint := must(fetcher.ReadCheckpoint(context.Background()))
		if _, err := fmt.Sscanf(string(checkpoint), origin+"\n%d\n", &size); err != nil {
			t.Fatalf("reading the checkpoint: %v", err)
		}
		if index*256 >= size {
			return
		}
		raw := must(fetcher.ReadEntryBundle(context.Background(), index, uint8(min(256, size-index*256)%256)))
		var bundle api.EntryBundle
		if err := bundle.UnmarshalText(raw); err != nil {
			t.Fatal(err)
		}
		for _, body := range bundle.Entries {
			f(hex.EncodeToString(rfc6962.DefaultHasher.HashLeaf(body)), body)
		}
	}
}
