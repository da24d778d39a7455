// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// mostAnchors bounds how many entries the log has for all that the own log has: one for each checkpoint that was anchored, and probes.
const mostAnchors = 150

// TestBackfillKilled: some 2,000 signatures of the real tools', with every kind of defect among them, are sent batched. The command is killed again and
// again, and so is the gateway; the token is replaced, and two run at once. At the end the report is right line by line, each receipt verifies, and
// the gateway's own log has each signature once. A folder of them goes directly then, with a kill of each.
func TestBackfillKilled(t *testing.T) {
	log := rekortest.StartServer(t)
	r := startReleases(t, log)
	r.checkPlan()
	for kill := range 5 {
		r.runUntilKilled(r.command(kill%2 == 0), 250*(kill+1), kill == 1 || kill == 3)
	}
	r.runTwoAtOnce()
	if code := r.command(true).wait(); code != exitSome {
		t.Errorf("exit %d", code)
	}
	receipts := r.checkReport("report.jsonl", "BATCHED")
	r.verifyFolders()
	r.checkOwnLog(receipts)
	if left := shell(t, r.dir, "find . -name '*.part'"); left != "" {
		t.Errorf("there is left: %s", left)
	}
	r.fillDisk()
	r.runManifests()
	r.runDirectly(log)
}

type releases struct {
	t            *testing.T
	dir, program string
	gateway      *deployment
}

// startReleases starts a gateway with a log of its own, which knows one caller, over a tree of releases.
func startReleases(t *testing.T, log *rekortest.Server) *releases {
	t.Helper()
	program := buildProgram(t, "../rekor-gateway")
	g := deploy(t, program, log)
	shell(t, g.dir, fmt.Sprintf("for n in 1 2; do %s config token $n >token.$n; done", program))
	g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.AddTimeout = 2*time.Second, 4*time.Second
	g.cfg.OwnLog = config.OwnLog{Origin: "gateway.test/own", Key: "own.key", AnchorKey: "anchor.key", CreateKeys: true, AnchorEvery: time.Second}
	g.cfg.Policy.Ways = []string{"BATCHED", "DIRECT"}
	g.cfg.Callers = []config.Caller{{Name: "releases", Tenant: "releases", May: []string{"submit", "read"}, Priority: "backfill", TokenSHA256: []string{g.hashOfFile("token.1")}}}
	g.start()
	r := &releases{t: t, dir: makeTreeOfReleases(t), program: program, gateway: g}
	shell(t, r.dir, "cp "+g.file("token.1")+" token")
	r.keepBusy()
	return r
}

// keepBusy touches a file until the test ends.
func (r *releases) keepBusy() {
	var touching sync.WaitGroup
	ended := make(chan struct{})
	r.t.Cleanup(func() { close(ended); touching.Wait() })
	touching.Go(func() {
		ticks := time.NewTicker(2 * time.Millisecond)
		defer ticks.Stop()
		for {
			select {
			case now := <-ticks.C:
				_ = os.Chtimes(filepath.Join(r.dir, "tree/bad/busy"), now, now)
			case <-ended:
				return
			}
		}
	})
}

// releaseRun is one run of the command.
type releaseRun struct {
	t       *testing.T
	process *exec.Cmd
	printed bytes.Buffer
}

// start runs backfill over path.
func (r *releases) start(path string, more ...string) *releaseRun {
	r.t.Helper()
	c := exec.Command(r.program, append([]string{"backfill", path, "--follow", "--token-file", "token", "--label", "from=tree",
		"--key", "keys/pgp.asc", "--key", "keys/x509.pub", "--key", "keys/ssh.pub", "--key", "keys/minisign.pub",
		"--trusted-root", r.gateway.file(rootFile), "--gateway-trust", r.gateway.file(trustFile)}, more...)...)
	run := &releaseRun{t: r.t, process: c}
	c.Dir, c.Stdout, c.Stderr = r.dir, &run.printed, &run.printed
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(r.dir, "cache"))
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	return run
}

// server returns the gateway's address, for HTTP or for gRPC.
func (r *releases) server(overHTTP bool) string {
	if overHTTP {
		return r.gateway.url
	}
	return "grpc://" + r.gateway.cfg.GRPC.Listen
}

func (r *releases) command(overHTTP bool) *releaseRun {
	return r.start("tree", "--server", r.server(overHTTP), "--report", "report.jsonl")
}

func (c *releaseRun) wait() int {
	c.t.Helper()
	_ = c.process.Wait()
	if printed := c.printed.Bytes(); len(printed) > 4<<10 {
		c.t.Logf("… %s", printed[len(printed)-4<<10:])
	} else {
		c.t.Logf("%s", printed)
	}
	return c.process.ProcessState.ExitCode()
}

// checkPlan holds a dry run, which asks the gateway, to what is done later.
func (r *releases) checkPlan() {
	r.t.Helper()
	run := r.start("tree", "--server", r.gateway.url, "--dry-run", "--output", "json")
	if code := run.wait(); code != 0 {
		r.t.Fatalf("exit %d", code)
	}
	submit, refused := int64(0), int64(0)
	for line := range bytes.Lines(run.printed.Bytes()) {
		var g planGroup
		if err := json.Unmarshal(line, &g); err != nil {
			r.t.Fatalf("%v in %s", err, line)
		}
		if g.State != stateSubmit {
			refused += g.Count
			continue
		}
		submit += g.Count
		if g.Way != "BATCHED" || !g.Asked || g.Representation == "" || g.Sends == "" || g.Representation == "PROJECTED" && g.Sends == "bytes" {
			r.t.Errorf("planned: %s", line)
		}
	}
	if submit != int64(inFolders+len(goodDefects)) || refused != int64(len(releaseDefects)) {
		r.t.Errorf("%d planned, and %d not", submit, refused)
	}
}

// countReceipts counts those that are whole, in the folders of path.
func (r *releases) countReceipts(path string) int {
	return len(must(filepath.Glob(filepath.Join(r.dir, path, "[0-9b]*/*"+receiptSuffix))))
}

// runUntilKilled kills the command once there are so many receipts. The gateway is killed, too, if that is asked for, and started again
// while the command goes on.
func (r *releases) runUntilKilled(run *releaseRun, receipts int, gateway bool) {
	r.t.Helper()
	killAt := receipts
	if gateway {
		killAt -= 100
	}
	for deadline := time.Now().Add(120 * time.Second); r.countReceipts("tree") < receipts; time.Sleep(50 * time.Millisecond) {
		if gateway && r.countReceipts("tree") >= killAt {
			gateway = false
			_ = r.gateway.process.Process.Kill()
			_ = r.gateway.process.Wait()
			r.gateway.start()
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("there are %d receipts of %d:\n%s", r.countReceipts("tree"), receipts, run.printed.Bytes())
		}
	}
	_ = run.process.Process.Signal(syscall.SIGKILL)
	_ = run.process.Wait()
}

// runTwoAtOnce runs two over the tree, over HTTP and gRPC, and replaces the token meanwhile: for some time neither has one that is known.
func (r *releases) runTwoAtOnce() {
	r.t.Helper()
	one := r.start("tree", "--server", r.server(true), "--report", "one.jsonl")
	two := r.start("tree", "--server", r.server(false), "--report", "two.jsonl")
	before := r.countReceipts("tree")
	for deadline := time.Now().Add(120 * time.Second); r.countReceipts("tree") <= before && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	r.gateway.cfg.Callers[0].TokenSHA256 = []string{r.gateway.hashOfFile("token.2")}
	if err := os.WriteFile(r.gateway.file(configFile), must(r.gateway.cfg.Marshal()), 0o600); err != nil {
		r.t.Fatal(err)
	}
	_ = r.gateway.process.Process.Signal(syscall.SIGHUP)
	time.Sleep(2 * time.Second) // of refused calls
	shell(r.t, r.dir, "cp "+r.gateway.file("token.2")+" token.new; mv token.new token")
	if first, second := one.wait(), two.wait(); first != exitSome || second != exitSome {
		r.t.Errorf("exit %d and %d", first, second)
	}
	r.checkReport("one.jsonl", "BATCHED")
	r.checkReport("two.jsonl", "BATCHED")
}

// checkReport holds a report to what was made, and returns the receipts' files.
func (r *releases) checkReport(name, way string) (receipts []string) {
	r.t.Helper()
	seen, files := map[string]bool{}, map[string]bool{}
	for line := range bytes.Lines(must(os.ReadFile(filepath.Join(r.dir, name)))) {
		var o outcome
		if err := json.Unmarshal(line, &o); err != nil {
			r.t.Fatal(err)
		}
		if seen[o.Name] {
			r.t.Errorf("%s is there twice", o.Name)
		}
		seen[o.Name] = true
		if want := releaseDefects[o.Name]; want != "" {
			if o.State != stateRefused || string(o.Reason) != want || o.Hint == "" {
				r.t.Errorf("%s: %+v, want %s", o.Name, o, want)
			}
			continue
		}
		if _, ok := goodDefects[o.Name]; strings.HasPrefix(strings.TrimPrefix(o.Name, `"`), "bad/") != ok {
			r.t.Errorf("%s was not made", o.Name)
		}
		if o.State != stateLogged && o.State != stateDone || o.SubmissionID == "" || o.Representation == "" || o.Way != way || len(o.Signers) != 1 {
			r.t.Errorf("%s: %+v", o.Name, o)
		}
		files[r.pathOf(o.Receipt)] = true
	}
	if want := inFolders + len(goodDefects) + len(releaseDefects); len(seen) != want {
		r.t.Errorf("%s: %d lines, want %d", name, len(seen), want)
	}
	if n := r.countReceipts("tree"); n != len(files) {
		r.t.Errorf("%s: %d receipts, and %d in the report", name, n, len(files))
	}
	return slices.Sorted(maps.Keys(files))
}

// checkOwnLog finds each receipt's record in the gateway's own log once, nothing else there, and few anchors.
func (r *releases) checkOwnLog(receipts []string) {
	r.t.Helper()
	own := r.gateway.cfg.OwnLog
	counts := countLeavesOf(r.t, own.Origin, r.gateway.url+"/own/"+own.ID()+"/")
	expected, anchors := map[string]bool{}, map[string]bool{}
	for _, path := range receipts {
		for _, e := range readReceipt(r.t, path).GetEntries() {
			leaf := hex.EncodeToString(rfc6962.DefaultHasher.HashLeaf(e.GetOwn().GetBody()))
			expected[leaf] = true
			if n := counts[leaf]; n != 1 {
				r.t.Errorf("%s is in the own log %d times", path, n)
			}
			anchors[string(e.GetOwn().GetAnchors()[0].GetBundle().GetMessageSignature().GetSignature())] = true
		}
	}
	if len(counts) != len(expected) {
		r.t.Errorf("the own log has %d records for %d", len(counts), len(expected))
	}
	r.t.Logf("%d records, %d anchors", len(counts), len(anchors))
}

// fillDisk has no room for receipts: what is there is whole, and the rest comes once there is room.
func (r *releases) fillDisk() {
	r.t.Helper()
	small := storetest.MountSmall(r.t, 256<<10)
	if run := r.start("tree/2", "--server", r.server(true), "--receipts", small); run.wait() != exitInput || !bytes.Contains(run.printed.Bytes(), []byte("make room")) {
		r.t.Errorf("a full disk: exit %d", run.process.ProcessState.ExitCode())
	}
	kept := must(os.ReadDir(small))
	for _, e := range kept {
		readReceipt(r.t, filepath.Join(small, e.Name()))
	}
	shell(r.t, r.dir, fmt.Sprintf("mkdir elsewhere; cp %s/*.receipt.json elsewhere", small))
	if code := r.start("tree/2", "--server", r.server(true), "--receipts", "elsewhere").wait(); code != 0 || len(kept) == 0 {
		r.t.Errorf("elsewhere, beside %d that there are: exit %d", len(kept), code)
	}
}

// runManifests takes lists in place of a tree: one with DOS line ends and a path that leads outside, and one that lacks a column.
func (r *releases) runManifests() {
	r.t.Helper()
	rows := []string{"signature,artifact,keys", "tree/1/x5091.sig,,keys/x509.pub", "tree/1/x5091.sig,tree/1/ssh1,keys/x509.pub", "../x.sig,,", "tree/1/none.sig,,", ""}
	bad := []string{"artifact,keys", "tree/1/x5091,keys/x509.pub"}
	for name, c := range map[string]struct {
		rows []string
		code int
	}{"list.csv": {rows, exitSome}, "bad.csv": {bad, exitInput}} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(strings.Join(c.rows, "\r\n")), 0o644); err != nil {
			r.t.Fatal(err)
		}
		run := exec.Command(r.program, "backfill", "--manifest", name, "--server", r.gateway.url, "--token-file", "token", "--report", name+".jsonl",
			"--receipts", "listed", "--trusted-root", r.gateway.file(rootFile), "--gateway-trust", r.gateway.file(trustFile))
		run.Dir = r.dir
		if out, _ := run.CombinedOutput(); run.ProcessState.ExitCode() != c.code {
			r.t.Errorf("%s: exit %d\n%s", name, run.ProcessState.ExitCode(), out)
		}
	}
	for _, want := range []string{`"state":"LOGGED"`, `"reason":"SIGNATURE_INVALID"`, `"reason":"OUTSIDE_ROOT"`, `"reason":"FILE"`} {
		if text := string(must(os.ReadFile(filepath.Join(r.dir, "list.csv.jsonl")))); strings.Count(text, want) != 1 {
			r.t.Errorf("%s is not there once in\n%s", want, text)
		}
	}
}

// runDirectly sends a folder as entries of the log itself, with the receipts elsewhere; the command and the gateway are killed once.
func (r *releases) runDirectly(log *rekortest.Server) {
	r.t.Helper()
	direct := func() *releaseRun {
		return r.start("tree/1", "--way", "direct", "--receipts", "direct/1", "--server", r.server(true), "--report", "direct.jsonl", "--parallel", "64")
	}
	run := direct()
	for deadline := time.Now().Add(60 * time.Second); r.countReceipts("direct") < 40 && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
	}
	_ = run.process.Process.Kill()
	_ = r.gateway.process.Process.Kill()
	_, _ = run.process.Wait(), r.gateway.process.Wait()
	r.gateway.start()
	if code := direct().wait(); code != 0 {
		r.t.Errorf("exit %d", code)
	}
	r.gateway.stop()
	receipts := must(filepath.Glob(filepath.Join(r.dir, "direct/1/*"+receiptSuffix)))
	if made := r.countReceipts("tree") - len(goodDefects); len(receipts) < made/8 {
		r.t.Errorf("%d receipts", len(receipts))
	}
	counts := countLeaves(r.t, log.ReadURL())
	for _, path := range receipts {
		for _, e := range readReceipt(r.t, path).GetEntries() {
			body := e.GetBundle().GetVerificationMaterial().GetTlogEntries()[0].GetCanonicalizedBody()
			if n := counts[hex.EncodeToString(rfc6962.DefaultHasher.HashLeaf(body))]; n != 1 {
				r.t.Errorf("%s is in the log %d times", path, n)
			}
		}
	}
	if len(counts) > len(receipts)+mostAnchors {
		r.t.Errorf("the log has %d entries for %d receipts and the anchors", len(counts), len(receipts))
	}
}
