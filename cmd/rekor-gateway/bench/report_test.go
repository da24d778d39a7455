// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// report is the table in the making.
type report struct{ rows []row }

// row is one figure, with the one that it is held against, if any.
type row struct {
	what            string
	gateway, beside string
	ratio           float64 // 0: none
	target          string
}

func (r *report) add(rows ...row) { r.rows = append(r.rows, rows...) }

func (r *report) format() string {
	return fmt.Sprintf(`# Benchmarks

What `+"`make bench`"+` printed last, on %s.
The log is a real Rekor v2 (rekor-server-posix) with a checkpoint each second, batches of 100 ms, on the same disk. Load generator, gateway and log share the processors.
Ratios mean something, since both sides take turns in one run; absolute figures are this machine's. CPU is user and system time of the process.
The bare writer is a gRPC client that sends the same entries to the same log, and verifies nothing. The bare loop verifies the same submissions and stores the rows that the gateway would, without HTTP or gRPC.

%s`, describeMachine(), r.formatRows("gateway")) + bounds
}

// describeMachine says when this was, where, and what else went on.
func describeMachine() string {
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%s with %d processors of %s (load average at the end: %s)", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), processorName(), bytes.TrimSpace(load))
}

// formatRows returns the table. ours names what is measured.
func (r *report) formatRows(ours string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "| measured | %s | beside it | ratio | target |\n|---|---|---|---|---|\n", ours)
	for _, r := range r.rows {
		ratio := ""
		if r.ratio != 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.gateway, r.beside, ratio, r.target)
	}
	return b.String()
}

// bounds says which figures have other bounds than the gateway.
const bounds = `
## What bounds these figures

Figures in this section are of 2026-11-28, two processors.

*1024 Submit calls that all wait for their receipts.* The log answers at its checkpoints only. Whoever sends the next entry once the last one is answered does so once in as long as
all of them take to come back into the log, and then as long as that takes to answer. A bare writer at 1024 in flight got 570 entries a second logged, so each took 1.80 s, of which 0.41 s are the
two processors' time for 1024 entries (writer and log, 0.80 ms each). For 0.95 of that it may be 1.89 s, and the processors' part 0.50 s: 0.98 ms for an entry. The log and the
load generator took 0.99 ms of it beside the gateway: nothing is left for that, and verifying and storing alone, the bare loop, takes 0.27 ms. With SubmitBatch entries are waiting that
are accepted already, so that the log is kept busy meanwhile: 1.00. What one who waits loses is better seen where callers come by themselves, at even intervals, whether or not others are
answered: the log's part of the time until the receipt is there, below the gateway's own share.

*4000 that all wait.* At 0.8 of the bare writer's 1433 a second, and with the processors busy for 95 % of the time as they are, an entry may take 1.66 ms in all. The log and the load generator
took 0.97 ms of that, which leaves 0.69 ms: little more than the gateway takes with SubmitBatch (0.65), without a gRPC call for each entry, its goroutine, and its receipt.

*The gateway's own share, p99.* All entries of a checkpoint are answered at once, and all sides want the processors then. They took 4.2 ms for an entry (484 ms of both processors for those of one
checkpoint at 256 in flight), about half of it after the checkpoint: proofs, checks, storing, receipts. So the last one waits for a quarter of a second at best, and 25 ms are enough for some 24 entries
of one checkpoint. So there are lines for 32 in flight, too, which are 29 a second.
`

func processorName() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "an unknown make"
}

func perSecond(n int, d time.Duration) float64 { return float64(n) / d.Seconds() }

func formatRate(rate float64) string { return fmt.Sprintf("%.0f/s", rate) }

// perEntry is time spent for each of n.
func perEntry(cpu time.Duration, n int) time.Duration { return cpu / time.Duration(max(n, 1)) }

func formatCPU(d time.Duration) string { return fmt.Sprintf("%.3f ms", float64(d)/1e6) }

func formatMiB(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }
