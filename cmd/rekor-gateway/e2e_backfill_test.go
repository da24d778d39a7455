// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// perTool is how many files each tool signs in the tree that is backfilled.
const perTool = 40

// makeReleases makes a tree signed by the real tools, with what goes wrong in ten years, and the keys beside it.
const makeReleases = `
export GNUPGHOME=$PWD/gnupg; mkdir -m 700 gnupg tree keys
gpg -q --batch --passphrase '' --quick-gen-key releases@example.org nistp256 sign never
gpg --armor --export >keys/pgp.asc
gpg -q --batch --passphrase '' --quick-gen-key stranger@example.org nistp256 sign never
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private && openssl pkey -in private -pubout -out keys/x509.pub
ssh-keygen -q -t ecdsa -N '' -f ssh && mv ssh.pub keys
minisign -G -W -p keys/minisign.pub -s minisign.key >/dev/null
for i in $(seq %[1]d); do
  d=tree/$((i %% 7)); mkdir -p $d
  for tool in pgp x509 ssh minisign; do echo "$tool $i" >$d/$tool$i; done
  gpg -q --batch -u releases@example.org --detach-sign --armor $d/pgp$i
  openssl dgst -sha256 -sign private -out $d/x509$i.sig $d/x509$i
  ssh-keygen -q -Y sign -f ssh -n file $d/ssh$i 2>/dev/null
  minisign -S -W -s minisign.key -m $d/minisign$i >/dev/null
done
mkdir tree/bad && cd tree/bad
echo twice >twice; gpg -q --batch -u releases@example.org --detach-sign --armor twice; minisign -S -W -s ../../minisign.key -m twice >/dev/null
echo before >changed; openssl dgst -sha256 -sign ../../private -out changed.sig changed; echo after >changed
echo gone >gone; gpg -q --batch -u releases@example.org --detach-sign --armor gone; rm gone
echo strange >strange; gpg -q --batch -u stranger@example.org --detach-sign --armor strange
echo listed >listed; sha256sum listed >SHA256SUMS; gpg -q --batch -u releases@example.org --detach-sign --armor SHA256SUMS
name=$(printf 'two\nlines\377'); echo odd >"$name"; openssl dgst -sha256 -sign ../../private -out "$name.sig" "$name"
`

// releaseDefects are what a report says of the signatures that are not as they should be.
var releaseDefects = map[string]string{
	"bad/changed.sig": "SIGNATURE_INVALID", "bad/gone.asc": "MISSING_ARTIFACT", "bad/strange.asc": "KEY_MISMATCH",
}

// moreReleases are the signatures of the folder bad that are logged: twice's two, the list's and that of an odd name.
const moreReleases = 4

// TestBackfillKilled: the command is killed again and again, and so is the gateway; at the end the report is right line by line, each
// receipt verifies, and the log has each signature once.
func TestBackfillKilled(t *testing.T) {
	program := buildProgram(t, "../rekor-gateway")
	log := rekortest.StartServer(t)
	g := deploy(t, program, log)
	g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.AddTimeout = 2*time.Second, 4*time.Second
	g.start()
	dir := t.TempDir()
	shell(t, dir, fmt.Sprintf(makeReleases, perTool))
	r := &releases{t: t, dir: dir, program: program, gateway: g}
	for kill := range 5 {
		r.runUntilKilled(15*(kill+1), kill == 1 || kill == 3)
	}
	if code := r.command().wait(); code != exitSome {
		t.Errorf("exit %d", code)
	}
	receipts := r.checkReport()
	r.checkReceipts(receipts)
	if left := shell(t, dir, "find tree . -name '*.part'"); left != "" {
		t.Errorf("there is left: %s", left)
	}
	if code := r.command().wait(); code != exitSome {
		t.Errorf("once more: exit %d", code)
	}
	g.stop()
	r.checkLog(log.ReadURL(), receipts)
}

type releases struct {
	t            *testing.T
	dir, program string
	gateway      *deployment
}

// releaseRun is one run of the command.
type releaseRun struct {
	t       *testing.T
	process *exec.Cmd
	printed bytes.Buffer
}

func (r *releases) command() *releaseRun {
	r.t.Helper()
	c := exec.Command(r.program, "backfill", "tree", "--server", r.gateway.url, "--parallel", "16", "--report", "report.jsonl", "--label", "from=tree",
		"--key", "keys/pgp.asc", "--key", "keys/x509.pub", "--key", "keys/ssh.pub", "--key", "keys/minisign.pub",
		"--trusted-root", r.gateway.file(rootFile), "--gateway-trust", r.gateway.file(trustFile))
	run := &releaseRun{t: r.t, process: c}
	c.Dir, c.Stdout, c.Stderr = r.dir, &run.printed, &run.printed
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(r.dir, "cache"))
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	return run
}

func (c *releaseRun) wait() int {
	c.t.Helper()
	_ = c.process.Wait()
	c.t.Logf("%s", c.printed.Bytes())
	return c.process.ProcessState.ExitCode()
}

// countReceipts counts those that are whole.
func (r *releases) countReceipts() int {
	return len(strings.Fields(shell(r.t, r.dir, "find tree -name '*.receipt.json' -printf 'x '")))
}

// runUntilKilled kills the command once there are so many receipts. The gateway is killed, too, if that is asked for, and started again
// while the command goes on.
func (r *releases) runUntilKilled(receipts int, gateway bool) {
	r.t.Helper()
	run := r.command()
	killAt := receipts
	if gateway {
		killAt -= 8
	}
	for deadline := time.Now().Add(60 * time.Second); r.countReceipts() < receipts; time.Sleep(20 * time.Millisecond) {
		if gateway && r.countReceipts() >= killAt {
			gateway = false
			_ = r.gateway.process.Process.Kill()
			_ = r.gateway.process.Wait()
			r.gateway.start()
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("there are %d receipts of %d:\n%s", r.countReceipts(), receipts, run.printed.Bytes())
		}
	}
	_ = run.process.Process.Signal(syscall.SIGKILL)
	_ = run.process.Wait()
}

// checkReport holds the report to what was made, and returns the receipts' names.
func (r *releases) checkReport() (receipts []string) {
	r.t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(must(os.ReadFile(filepath.Join(r.dir, "report.jsonl")))))
	seen := map[string]bool{}
	for lines.Scan() {
		var o outcome
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
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
		if o.State != stateLogged && o.State != stateDone || o.SubmissionID == "" || o.Representation == "" || len(o.Signers) != 1 {
			r.t.Errorf("%s: %+v", o.Name, o)
		}
		receipts = append(receipts, o.Receipt)
	}
	if want := 4*perTool + moreReleases + len(releaseDefects); len(seen) != want {
		r.t.Errorf("%d lines, want %d", len(seen), want)
	}
	return receipts
}

// checkReceipts has verify take each of them, by the tool's key alone.
func (r *releases) checkReceipts(receipts []string) {
	r.t.Helper()
	if n := r.countReceipts(); n != len(receipts) {
		r.t.Errorf("%d receipts, and %d in the report", n, len(receipts))
	}
	for _, tool := range []string{"pgp.asc", "x509.pub", "ssh.pub", "minisign.pub"} {
		name, _, _ := strings.Cut(tool, ".")
		shell(r.t, r.dir, fmt.Sprintf("%s verify --quiet $(find tree -name '%s*' ! -name '*.*') --key keys/%s --trusted-root %s --gateway-trust %s",
			r.program, name, tool, r.gateway.file(rootFile), r.gateway.file(trustFile)))
	}
	for file, more := range map[string]string{"bad/twice": "--key keys/pgp.asc", "bad/SHA256SUMS": "--key keys/pgp.asc",
		"bad/twice ": "--receipt tree/bad/twice.minisig.receipt.json --key keys/minisign.pub"} {
		shell(r.t, r.dir, fmt.Sprintf("%s verify --quiet tree/%s %s --trusted-root %s --gateway-trust %s", r.program, strings.TrimSpace(file), more,
			r.gateway.file(rootFile), r.gateway.file(trustFile)))
	}
	shell(r.t, r.dir, fmt.Sprintf("%s verify --quiet tree/bad/two*lines*[!.a-z] --key keys/x509.pub --trusted-root %s --gateway-trust %s", r.program,
		r.gateway.file(rootFile), r.gateway.file(trustFile)))
}

// checkLog finds each receipt's entry in the log once. What was in doubt may have waited for probes.
func (r *releases) checkLog(readURL string, receipts []string) {
	r.t.Helper()
	counts := countLeaves(r.t, readURL)
	for _, name := range receipts {
		path := filepath.Join(r.dir, name)
		if strings.ContainsRune(name, '\uFFFD') { // a name that is no UTF-8 is not in JSON as it is
			found := must(filepath.Glob(filepath.Join(r.dir, "tree/bad/two*.receipt.json")))
			path = found[0]
		}
		for _, e := range readReceipt(r.t, path).GetEntries() {
			body := e.GetBundle().GetVerificationMaterial().GetTlogEntries()[0].GetCanonicalizedBody()
			if n := counts[hex.EncodeToString(rfc6962.DefaultHasher.HashLeaf(body))]; n != 1 {
				r.t.Errorf("%s is in the log %d times", name, n)
			}
		}
	}
	if len(counts) > len(receipts)+10*mostProbes {
		r.t.Errorf("the log has %d entries for %d receipts", len(counts), len(receipts))
	}
}
