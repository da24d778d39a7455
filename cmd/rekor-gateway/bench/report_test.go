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
The log is a real Rekor v2 (rekor-server-posix) with a checkpoint each second unless said otherwise, batches of 100 ms, on the same disk. Load generator, gateway and log share the processors.
Ratios mean something, since both sides take turns in one run; absolute figures are this machine's. CPU is user and system time of the process.
The bare writer is a gRPC client that sends the same entries to the same log, and verifies nothing. The bare loop verifies the same submissions and stores the rows that the gateway would, without HTTP or gRPC.
A writer that does no more than a gateway must verifies and stores each entry before it sends it, checks what the log answers, and stores the proof, by the gateway's own store and log client. It is one process with the load generator: nobody submits anything to it, and it answers nobody.
In flight is how many entries the log was sent and has not answered. In the rows of what is logged beside a bare writer, a round is one turn of each side at a log of its own, and the ratio is that of all rounds' rates, or of the gateway's CPU to the other's. In those of what is accepted with the log stopped it is the other's CPU to the gateway's, so that more is better there. Calls that wait and watchers by the thousand need higher limits than the default ones.

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
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.what, r.gateway, r.beside, ratio, r.formatTarget())
	}
	return b.String()
}

// bounds says which figures have other bounds than the gateway.
const bounds = `
## What bounds these figures

Figures in this section are of 2026-11-29 and 30 unless said otherwise, two processors.

*A log with a checkpoint each second* has two clocks. It publishes a checkpoint when something was integrated and the last one is a second old, and it looks once a second whether what it has to answer is in one. A writer that
has so many in flight sends the next ones when the last ones are answered, all at once, and what of these has just missed a checkpoint waits for two. So at 1024 in flight a writer's rate says above all how the clocks of its log happen to lie, which
stays so for that log's life, and how much of the second until the next checkpoint those who send, verify and include a thousand entries take both processors for: beside the bare writer a gateway was 0.77 to 0.87 at four logs, and a writer that does no
more than a gateway must 0.64 to 1.03, so that the gateway had 0.98 of what such a writer has. A log that publishes each 100 ms has one clock left. There the gateway is 0.99 of the bare writer at 256 in flight (0.94 and 0.99 at four logs each with two clocks), and 0.96 at 1024 (0.94 to 1.00 at four
logs; 0.91 before a quarter of what is in flight was claimed ahead).

*4000 in flight* is about what two processors bear. A writer that does no more than a gateway must, and has nobody to answer, gets 0.72 of the bare writer's rate at a log that publishes each 100 ms (four logs), and 0.91 at one that publishes each second (two logs, of 64,000 entries each; 0.80, 0.87
and 0.94 at two, four and four others of half as many, where more depends on how it begins and ends). The gateway, which takes in what it sends as well, has 0.60 and 0.77, so 0.83 and 0.85 of that. It takes 0.50 ms of processor time for an entry, such a writer 0.33, and the log 0.6.
How much of the bare writer's rate verifying and storing leaves is a matter of the machine. On two processors of an Intel Xeon, where they take 0.60 to 0.66, 0.41 and 0.8 ms, such a writer had 0.79, 0.75, 0.69 and 0.84 of it at a log that publishes each second (two logs each, 32,000 entries), and
the gateway 0.64, 0.60, 0.67 and 0.69, so 0.81, 0.80, 0.96 and 0.82 of that. All sides took 89 % of both processors there in the last of these runs. For 0.8 of the bare writer's rate the gateway would have to take the 0.40 ms of a writer that nobody submits anything to, which is
half of what the log takes; the row below allows it 1.5 times that. Where the processors bound, the first of the two rows so asks of a gateway to have callers for nothing, and it is held to what such a writer has, too.

*Run by nice*, a gateway leaves the processors to the log that shares them with it ([operations.md](operations.md#a-gateway-on-its-logs-machine)). On two processors of the Intel Xeon, at six logs that publish each second, 64,000 entries each, in two runs on 2026-12-01, it had 1,357 a second with 4000
in flight, 0.82 of the bare writer's 1,650 (0.86 at the four logs of one run, 0.76 at the two of the other; 0.70 to 0.92). A gateway that was not had 1,155, 0.70 (0.64 to 0.82), and a writer that does no more than a gateway must, which was not either, 1,269, 0.77 (0.70 to 0.88). It took 0.55 ms of processor time for an entry,
and 0.68 otherwise. With a bound that it had found itself it had 1,257, 0.76 (0.67 to 0.91). At two other logs, in an hour in which the machine was faster, it had 0.89 with 4000 (three turns) and 0.80 with what it had found (four). At nice 5 it had 0.82, and 0.70 without (four turns each, two logs); a bare writer gained nothing by that:
1,760 a second, and 1,818 without. Nor does a gateway with 1024 in flight, where what is sent next has to be there before the log's next checkpoint: 452 a second by nice, and 509 without (three turns each, two logs; bare writer 588). With 256 it was 162 and 168 (two turns each, one log).

*What in_flight: auto has found* is, with a backlog, as much as the log answers within some two and a half seconds. Once 16,000 entries before had let it find a bound, a gateway that nobody had told one had 1,049 a second on the Intel Xeon (one log), 0.53 of the bare
writer's 1,968 with 4000 in flight, where one that was told 4000 had 0.63 and the writer that does no more than a gateway must 0.71; by a limiter that was the same from 1024 in flight on it had 1,186 at two other logs, 0.73 of the bare writer's 1,615, where 4000 had 0.71 and that writer 0.91. A gateway keeps a log's 4000 places full: what is
missing is what it takes from the log of the processors, and when.

*Submit calls that wait for their receipts* send the next entry once the last one is answered, and so feel every millisecond between two of a log's checkpoints twice. What one who waits loses is better seen where callers come by themselves, at
even intervals, whether or not others are answered: the log's part of the time until the receipt is there, below the gateway's own share. 4000 such calls take 320 MiB, of which a quarter is their stacks.

*The gateway's own share, p99.* All entries of a checkpoint are answered at once, 233 of them at 256 in flight, and all sides want the processors then: gateway, log, relay and load generator took some 340 ms of both for those of one
checkpoint. The last one waits for all others: a writer that does no more than a gateway must, and answers nobody, had a p99 of 29 ms (one run). The gateway, which makes receipts and answers 233 calls as well, had 57, 66 and 70 ms (three runs). 25 ms are enough for some 30 entries of one checkpoint.
So there are lines for 32 in flight, too, which are 29 a second.
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
