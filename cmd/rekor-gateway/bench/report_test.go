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
	var b strings.Builder
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(&b, `# Benchmarks

What `+"`make bench`"+` printed last, on %s with %d processors of %s (load average at the end: %s).
The log is a real Rekor v2 (rekor-server-posix) with a checkpoint each second, batches of 100 ms, on the same disk. Load generator, gateway and log share the processors.
Ratios mean something, since both sides take turns in one run; absolute figures are this machine's. CPU is user and system time of the process.
The bare writer is a gRPC client that sends the same entries to the same log, and verifies nothing. The bare loop verifies the same submissions and stores the rows that the gateway would, without HTTP or gRPC.

| measured | gateway | beside it | ratio | target |
|---|---|---|---|---|
`, time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), processorName(), bytes.TrimSpace(load))
	for _, r := range r.rows {
		ratio := ""
		if r.ratio != 0 {
			ratio = fmt.Sprintf("%.2f", r.ratio)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.gateway, r.beside, ratio, r.target)
	}
	return b.String()
}

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
