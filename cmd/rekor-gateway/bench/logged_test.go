// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// spent is what a number of entries took.
type spent struct {
	entries              int
	clock                time.Duration
	gateway, log, client time.Duration // processor time
}

func (s *spent) add(more spent) {
	s.entries += more.entries
	s.clock += more.clock
	s.gateway += more.gateway
	s.log += more.log
	s.client += more.client
}

// measure measures what work takes; gateway or log is 0 where there is none.
func measure(gateway, log, entries int, work func()) spent {
	cpu := func(pid int) time.Duration {
		if pid == 0 {
			return 0
		}
		return cpuOf(pid)
	}
	g, l, c, start := cpu(gateway), cpu(log), ownCPU(), time.Now()
	work()
	return spent{entries, time.Since(start), cpu(gateway) - g, cpu(log) - l, ownCPU() - c}
}

// measureLogged compares gateway and bare writer: from the first byte until the last entry is logged.
func measureLogged(t *testing.T, r *report) {
	for _, c := range []struct {
		inFlight, entries int
		target            string
	}{{256, 2048, "≥ 0.95"}, {1024, 6144, "≥ 0.95"}, {4000, 16000, "≥ 0.8"}} {
		t.Run(fmt.Sprint(c.inFlight), func(t *testing.T) { compareLogged(t, r, c.inFlight, scaled(c.entries), c.target) })
	}
}

func compareLogged(t *testing.T, r *report, inFlight, entries int, target string) {
	log := rekortest.StartServer(t)
	logPID := childNamed("rekor-server-posix")
	name := fmt.Sprintf("logged-%d", inFlight)
	g := startGateway(t, name, log, t.TempDir(), func(c *config.Config) {
		c.Worker.InFlight = config.InFlight(inFlight)
	})
	patient := startGateway(t, name+"-waiting", log, t.TempDir(), func(c *config.Config) { // beside what is the default for memory
		c.Worker.InFlight = config.InFlight(inFlight)
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller = 8192, 8192
		c.Limits.MaxRequestMemory = 2 << 30 // of which a call counts 160 KiB, whatever it takes
	})
	clients, patientClients := g.clients(batchStreams), patient.clients(inFlight)
	var bare, waiting, batch spent
	sign, all := signX509(), 0
	for range *rounds {
		items := makeItems(entries, sign)
		bare.add(measure(0, logPID, entries, func() { check(writeBare(log, items, inFlight)) }))
		items = makeItems(entries, sign)
		waiting.add(measure(patient.pid(), logPID, entries, func() { check(submitWaiting(patientClients, items, inFlight, nil)) }))
		items, all = makeItems(entries, sign), all+entries
		batch.add(measure(g.pid(), logPID, entries, func() {
			_ = must(submitBatch(clients, items))
			ctx, cancel := context.WithTimeout(context.Background(), deadline)
			defer cancel()
			g.awaitLogged(ctx, all)
		}))
	}
	addLogged(r, fmt.Sprintf("logged, %d in flight, Submit waits for the receipt", inFlight), waiting, bare, target)
	addLogged(r, fmt.Sprintf("logged, %d in flight, SubmitBatch", inFlight), batch, bare, target)
	r.add(row{
		what: fmt.Sprintf("peak RSS at %d in flight, SubmitBatch", inFlight), gateway: formatMiB(memoryOf(g.pid(), "VmHWM")),
		beside: formatMiB(memoryOf(patient.pid(), "VmHWM")) + " with as many Submit calls that wait", target: "< 300 MiB",
	})
	g.stop()
	patient.stop()
}

func addLogged(r *report, what string, ours, bare spent, target string) {
	mine, its := perSecond(ours.entries, ours.clock), perSecond(bare.entries, bare.clock)
	r.add(
		row{what, formatRate(mine), formatRate(its) + " bare writer", mine / its, target},
		row{
			"– CPU per entry", formatCPU(perEntry(ours.gateway, ours.entries)), formatCPU(perEntry(ours.log, ours.entries)) + " the log",
			float64(ours.gateway) / float64(ours.log), "≤ 1.5",
		},
		row{
			what: "– CPU per entry of the load generator", gateway: formatCPU(perEntry(ours.client, ours.entries)),
			beside: formatCPU(perEntry(bare.client, bare.entries)) + " bare writer; its log " + formatCPU(perEntry(bare.log, bare.entries)),
		},
	)
}
