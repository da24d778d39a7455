// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

var (
	signatures = flag.Int("signatures", 100_000, "backfill so many signatures BATCHED")
	directly   = flag.Int("directly", 6_000, "backfill so many DIRECT")
	files      = flag.Int("files", 1_000_000, "scan a tree of so many files that is done already")
	parallel   = flag.Int("parallel", 256, "backfill with so many signatures under way at once")
)

// anchorEvery is that of the gateway's own log; its checkpoints and Rekor's come each second.
const anchorEvery = 10 * time.Second

// TestBackfill measures the command line's backfill, from the signatures of a tree to their receipts on disk, and what a second run over a
// tree that is done takes.
func TestBackfill(t *testing.T) {
	program := buildCommand(t)
	r := &report{}
	t.Run("batched", func(t *testing.T) { measureBatched(t, r, program) })
	t.Run("direct", func(t *testing.T) { measureDirect(t, r, program) })
	t.Run("bare", func(t *testing.T) { measureVerification(t, r) })
	t.Run("done", func(t *testing.T) { measureDone(t, r, program) })
	text := fmt.Sprintf(`# Benchmarks of backfill

What `+"`make bench-backfill`"+` printed last, on %s. `+"`rekor-gateway backfill`"+` with `+"`--parallel %d`"+` over gRPC, gateway (SQLite) and log are processes of their own.
The log is a real Rekor v2 (rekor-server-posix) with a checkpoint each second, batches of 100 ms, on the same disk; the gateway's own log has an anchor every %v.
Signatures are an equal mix of X.509, PGP, SSH, PKCS #7, minisign and TUF, of 1 KiB artifacts each. CPU is user and system time of the process.

%s`, describeMachine(), *parallel, anchorEvery, r.formatRows("backfill")) + backfillBounds
	t.Logf("\n%s", text)
	if *tablePath != "" {
		check(os.WriteFile(*tablePath, []byte(text), 0o644))
	}
}

// backfillBounds says where the time goes.
const backfillBounds = `
*What bounds it.* Command and gateway verify each signature, one writes it into its store and the other a file: that is what the bare pipeline does. The rest is making, sending and verifying the receipts, and their JSON, and what both hold of thousands that wait. At the end all wait some three seconds for the last anchor, which comes half a second after the last record, with nothing to compute. What a new file takes the system varies: ext4 passes over numbers of files that were removed in the last minutes, one by one.
`

// buildCommand builds rekor-gateway.
func buildCommand(t *testing.T) string {
	program := filepath.Join(t.TempDir(), "rekor-gateway")
	out, err := exec.Command("go", "build", "-tags", "bench", "-o", program, "..").CombinedOutput()
	if err != nil {
		t.Fatalf("building rekor-gateway: %v\n%s", err, out)
	}
	return program
}

// backfilling is a gateway, and the tree that is backfilled through it.
type backfilling struct {
	t        *testing.T
	program  string
	gateway  *gatewayProcess
	logPID   int
	tree     *tree
	cacheDir string
}

func startBackfilling(t *testing.T, name, program string, tree *tree, change func(*config.Config)) (*backfilling, *rekortest.Server) {
	log := rekortest.StartServer(t)
	b := &backfilling{t: t, program: program, logPID: childNamed("rekor-server-posix"), tree: tree, cacheDir: t.TempDir()}
	b.gateway = startGateway(t, name, log, t.TempDir(), change)
	return b, log
}

// recordBatched has the gateway record all in a log of its own.
func recordBatched(c *config.Config) {
	c.OwnLog = config.OwnLog{Origin: "bench.example/own", Key: "own.key", AnchorKey: "anchor.key", CreateKeys: true, AnchorEvery: anchorEvery}
	c.Policy.Ways = []string{string(gateway.Batched)}
}

// ran is what one run of the command took.
type ran struct {
	spent         // client is the command
	peak    int64 // of the command's resident size, in bytes
	signed  int   // signatures
	printed string
}

// run runs the command over the tree, and wants it to go well.
func (b *backfilling) run(arguments ...string) ran {
	b.t.Helper()
	all := append([]string{"backfill", b.tree.dir, "--parallel", fmt.Sprint(*parallel), "--server", "grpc://" + b.gateway.cfg.GRPC.Listen, "--timeout", "10m",
		"--trusted-root", b.gateway.file("trusted_root.json"), "--gateway-trust", b.gateway.file("gateway_trust.json")}, b.tree.keyFlags()...)
	c := exec.Command(b.program, append(all, arguments...)...)
	var printed bytes.Buffer
	c.Stdout, c.Stderr = &printed, &printed
	c.Env = append(os.Environ(), "XDG_CACHE_HOME="+b.cacheDir)
	if *profileDir != "" {
		c.Env = append(c.Env, commandProfileEnv+"="+must(filepath.Abs(*profileDir)))
	}
	out := ran{signed: b.tree.signatures}
	out.spent = measure(b.gateway.pid(), b.logPID, b.tree.signatures, func() {
		var err error
		if out.peak, err = runWatched(c); err != nil {
			b.t.Fatalf("backfill: %v\n%s", err, printed.Bytes())
		}
	})
	out.client = c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	b.t.Logf("%q: %v user, %v system", arguments, c.ProcessState.UserTime(), c.ProcessState.SystemTime())
	out.printed = printed.String()
	return out
}

// cost is what a signature took: processor time of all processes, and bytes of its receipt.
type cost struct {
	cpu          time.Duration
	receiptBytes int64
}

// measureBatched: from signatures to receipts by way of the gateway's own log. What it is compared with comes before anything is removed: for minutes after
// that a new file takes the file system much longer.
func measureBatched(t *testing.T, r *report, program string) {
	b, log := startBackfilling(t, "backfill-batched", program, makeTree(t, *signatures), recordBatched)
	s := b.run()
	b.tree.checkReceipts(t)
	n, size := s.signed, logSize(log)
	r.add(
		row{fmt.Sprintf("%d signatures BATCHED, from the tree to receipts on disk", n), formatSeconds(s.clock), formatRate(perSecond(n, s.clock)), 0, "100,000 in ≤ 60 s"},
		row{what: "– anchors in Rekor, all that its log has", gateway: fmt.Sprint(size), beside: fmt.Sprintf("%.1f intervals", s.clock.Seconds()/anchorEvery.Seconds()), target: "one an interval"},
		row{what: "– CPU of the command for each", gateway: formatCPU(perEntry(s.client, n)), beside: formatSeconds(s.client) + " in all; peak RSS " + formatMiB(s.peak)},
		row{what: "– CPU of the gateway for each", gateway: formatCPU(perEntry(s.gateway, n)), beside: formatSeconds(s.gateway) + " in all; peak RSS " + formatMiB(memoryOf(b.gateway.pid(), "VmHWM"))},
		row{what: "– CPU of the log for each", gateway: formatCPU(perEntry(s.log, n)), beside: formatSeconds(s.log) + " in all"},
		row{what: "– neither computes: waiting for anchors and the disk", gateway: formatSeconds(s.idle()), beside: fmt.Sprintf("of %s of %d processors", formatSeconds(s.clock*time.Duration(runtime.NumCPU())), runtime.NumCPU())},
		row{what: "– bytes of a receipt, mean", gateway: fmt.Sprint(b.tree.receiptBytes / int64(n))},
		row{what: "– bytes of the gateway's store for each", gateway: fmt.Sprint(must(os.Stat(b.gateway.file(b.gateway.cfg.Store.SQLite.Path))).Size() / int64(n))},
	)
	batched := cost{perEntry(s.client+s.gateway+s.log, n), b.tree.receiptBytes / int64(n)}
	t.Run("least", func(t *testing.T) { measureLeast(t, r, batched) })
	t.Run("parts", func(*testing.T) { b.measureParts(r) })
	b.gateway.stop()
}

// idle is what the processors had left.
func (s spent) idle() time.Duration {
	return max(0, s.clock*time.Duration(runtime.NumCPU())-s.client-s.gateway-s.log)
}

// measureParts tells where the command's time goes, by runs that do a part of it, and what a second run takes.
func (b *backfilling) measureParts(r *report) {
	again := b.run("--verify-receipts")
	known := b.run()
	b.tree.removeReceipts()
	dry := b.run("--dry-run")
	add := func(what string, one ran) {
		r.add(row{what: what, gateway: formatCPU(perEntry(one.client, one.signed)), beside: formatSeconds(one.clock) + " by the clock"})
	}
	add("– CPU of a dry run: finding, reading and verifying signatures", dry)
	add("– CPU of a second run with --verify-receipts: that, and reading and verifying receipts", again)
	add("– CPU of a second run", known)
}

// measureDirect: the same, with an entry in Rekor for each.
func measureDirect(t *testing.T, r *report, program string) {
	b, _ := startBackfilling(t, "backfill-direct", program, makeTree(t, *directly), nil)
	s := b.run()
	b.tree.checkReceipts(t)
	n := s.signed
	r.add(
		row{what: fmt.Sprintf("%d of them DIRECT, an entry in Rekor v2 for each", n), gateway: formatSeconds(s.clock), beside: formatRate(perSecond(n, s.clock)) + "; " + scaledTime(s.clock, n)},
		row{what: "– CPU for each: command, gateway, log", gateway: formatCPU(perEntry(s.client+s.gateway+s.log, n)), beside: fmt.Sprintf("%s, %s, %s",
			formatCPU(perEntry(s.client, n)), formatCPU(perEntry(s.gateway, n)), formatCPU(perEntry(s.log, n)))},
	)
	b.gateway.stop()
}

// scaledTime says how long as many as are measured BATCHED would take at that rate.
func scaledTime(d time.Duration, n int) string {
	return fmt.Sprintf("%d at this rate: %s", *signatures, formatSeconds(d*time.Duration(*signatures)/time.Duration(max(n, 1))))
}

// measureVerification: what every run has to do at least, on all processors: each signature is verified once.
func measureVerification(t *testing.T, r *report) {
	items := mixedItems(min(*signatures, 12_000))
	bare := newBareLoop(t, nil, gatewaytest.NewLog())
	s := measure(0, 0, len(items), func() {
		check(inParallel(len(items), runtime.NumCPU(), func(_, i int) error { bare.verify(items[i]); return nil }))
	})
	r.add(row{
		what:    fmt.Sprintf("the bare verification loop, %d of them in memory", len(items)),
		gateway: formatSeconds(s.clock), beside: formatRate(perSecond(len(items), s.clock)) + "; " + scaledTime(s.clock, len(items)) + "; CPU for each " + formatCPU(perEntry(s.client, len(items))),
	})
}

// measureDone: a run over a tree of a million files in which all is done.
func measureDone(t *testing.T, r *report, program string) {
	b, _ := startBackfilling(t, "backfill-done", program, makeOriginals(t, *files), recordBatched)
	b.run()
	b.tree = b.tree.spread(t, *files)
	first := b.run() // remembers what it has verified
	again := b.run()
	r.add(
		row{fmt.Sprintf("%d files scanned, all done before: %d signatures", b.tree.files, again.signed), formatSeconds(again.clock), formatRate(perSecond(b.tree.files, again.clock)), 0, "1,000,000 in ≤ 60 s"},
		row{"– peak RSS of the command", formatMiB(again.peak), formatSeconds(again.client) + " CPU", 0, "≤ 200 MiB"},
		row{what: "– the run before, which verifies each receipt", gateway: formatSeconds(first.clock), beside: formatMiB(first.peak) + " peak RSS; " + formatSeconds(first.client) + " CPU"},
	)
	b.gateway.stop()
}

func formatSeconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// logSize returns how many entries the log has.
func logSize(log *rekortest.Server) (size int) {
	resp := must(http.Get(log.ReadURL() + "/checkpoint"))
	defer resp.Body.Close()
	lines := strings.Split(string(must(io.ReadAll(resp.Body))), "\n")
	_ = must(fmt.Sscan(lines[1], &size))
	return size
}
