// SPDX-License-Identifier: Apache-2.0

//go:build bench

package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
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

// loggedRounds is how often each side has its turn. A log answers at its checkpoints, and how these lie to what is sent is another matter with each
// log that is started: so each round has a log of its own.
const loggedRounds = 4

// measureLogged compares gateway and bare writer: from the first byte until the last entry is logged.
func measureLogged(t *testing.T, r *report) {
	for _, c := range []struct {
		inFlight, entries int // some 16 times what is in flight: how it begins and ends is not what is measured
		target            string
	}{{256, 4096, "≥ 0.95"}, {1024, 16384, "≥ 0.95"}, {mostInFlight, 64000, "≥ 0.8"}} {
		for _, publishes := range []time.Duration{time.Second, oftenPublished} {
			t.Run(fmt.Sprintf("%d/%v", c.inFlight, publishes), func(t *testing.T) {
				l := loggedRun{inFlight: c.inFlight, entries: max(c.inFlight, scaled(c.entries)), publishes: publishes, sign: signX509()}
				for round := range max(1, loggedRounds**rounds/2) {
					t.Run(fmt.Sprint(round), l.runRound)
				}
				l.report(r, c.target)
			})
		}
	}
}

// mostInFlight is about what two processors bear.
const mostInFlight = 4000

// oftenPublished is the least interval between two checkpoints that the log can be given. Rekor looks once a second whether what it answers next has been published,
// by a clock of its own. With an interval of a second, too, the two clocks beat, and a writer's rate says above all how its log's clocks happen
// to lie: what has just missed a checkpoint waits for two. With a short one, a rate says how fast what is answered is followed by what is sent.
const oftenPublished = 100 * time.Millisecond

// loggedRun is the comparison at one number in flight.
type loggedRun struct {
	inFlight, entries                  int
	publishes                          time.Duration // the log's checkpoint interval
	sign                               func([]byte) item
	bare, least, waiting, batch, found []spent // by round
	yielding, foundYielding            []spent // by a gateway that is run by nice
	memory, waitingMemory, foundMemory int64   // peaks
}

func (l *loggedRun) runRound(t *testing.T) {
	log := rekortest.StartServer(t, func(c *localrekor.Config) { c.CheckpointInterval = l.publishes })
	logPID := childNamed("rekor-server-posix")
	items := makeItems(l.entries, l.sign)
	l.bare = append(l.bare, measure(0, logPID, l.entries, func() { check(writeBare(log, items, l.inFlight)) }))
	l.batch = append(l.batch, l.runBatch(t, l.name(""), log, logPID, false))
	l.runLeast(t, log, logPID)
	if l.inFlight == mostInFlight {
		l.yielding = append(l.yielding, l.runBatch(t, l.name("-nice"), log, logPID, true))
		l.found = append(l.found, l.runFound(t, l.name("-auto"), log, logPID, false))
		l.foundYielding = append(l.foundYielding, l.runFound(t, l.name("-auto-nice"), log, logPID, true))
	}
	if len(l.bare)%2 == 1 && l.publishes != oftenPublished { // it has no target of its own, and takes longest
		l.runWaiting(t, log, logPID)
	}
}

func (l *loggedRun) name(of string) string {
	return fmt.Sprintf("logged-%d-%v%s-%d", l.inFlight, l.publishes, of, len(l.bare))
}

// runBatch has a gateway that is told how much may be in flight.
func (l *loggedRun) runBatch(t *testing.T, name string, log *rekortest.Server, logPID int, yields bool) spent {
	g := newGateway(t, log, t.TempDir(), func(c *config.Config) {
		c.Worker.InFlight = config.InFlight(l.inFlight)
	})
	g.yields = yields
	g.start(name)
	clients, items := g.clients(batchStreams), makeItems(l.entries, l.sign)
	taken := measure(g.pid(), logPID, l.entries, func() {
		_ = must(submitBatch(clients, items))
		ctx, cancel := context.WithTimeout(context.Background(), deadline)
		defer cancel()
		g.awaitLogged(ctx, l.entries)
	})
	l.memory = max(l.memory, memoryOf(g.pid(), "VmHWM"))
	g.stop()
	return taken
}

// runFound has a gateway that finds by itself how much may be in flight: as much before as it is in flight four times, and then as much as the others are sent.
func (l *loggedRun) runFound(t *testing.T, name string, log *rekortest.Server, logPID int, yields bool) spent {
	g := newGateway(t, log, t.TempDir(), nil)
	g.yields = yields
	g.start(name)
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	defer cancel()
	clients, before := g.clients(batchStreams), 4*l.inFlight
	_ = must(submitBatch(clients, makeItems(before, l.sign)))
	g.awaitLogged(ctx, before)
	items := makeItems(l.entries, l.sign)
	taken := measure(g.pid(), logPID, l.entries, func() {
		_ = must(submitBatch(clients, items))
		g.awaitLogged(ctx, before+l.entries)
	})
	l.foundMemory = max(l.foundMemory, memoryOf(g.pid(), "VmHWM"))
	g.stop()
	return taken
}

// runLeast has a writer that does no more than a gateway must, in this process.
func (l *loggedRun) runLeast(t *testing.T, log *rekortest.Server, logPID int) {
	w := startLeast(t, log, log.GRPCURL(), l.inFlight, leastPause, nil)
	items := makeItems(l.entries, l.sign)
	rows := w.makeRows(items)
	l.least = append(l.least, measure(0, logPID, l.entries, func() {
		check(inParallel(len(items), runtime.NumCPU(), func(_, i int) error { w.write(items[i], rows[i]); return nil }))
		w.finish()
	}))
}

// leastPause is how long a transaction waits for more where nobody waits for it: one costs as much as storing twenty entries, however few are in it.
const leastPause = 10 * time.Millisecond

func (l *loggedRun) runWaiting(t *testing.T, log *rekortest.Server, logPID int) {
	g := startGateway(t, l.name("-waiting"), log, t.TempDir(), func(c *config.Config) { // beside what is the default for memory
		c.Worker.InFlight = config.InFlight(l.inFlight)
		c.Limits.MaxRequests, c.Limits.MaxRequestsPerCaller = 8192, 8192
		c.Limits.MaxRequestMemory = 2 << 30 // of which a call counts 160 KiB, whatever it takes
	})
	clients, items := g.clients(l.inFlight), makeItems(l.entries, l.sign)
	l.waiting = append(l.waiting, measure(g.pid(), logPID, l.entries, func() { check(submitWaiting(clients, items, l.inFlight, nil)) }))
	l.waitingMemory = max(l.waitingMemory, memoryOf(g.pid(), "VmHWM"))
	g.stop()
}

func (l *loggedRun) report(r *report, target string) {
	what := fmt.Sprintf("logged, %d in flight", l.inFlight)
	if l.publishes == oftenPublished {
		what += fmt.Sprintf(", a log that publishes each %v", l.publishes)
	}
	addLogged(r, what+", SubmitBatch", l.batch, l.bare, "bare writer", target)
	l.addLeast(r, what, target)
	if len(l.found) > 0 {
		const nice = ", the gateway run by nice"
		auto, bare := strings.Replace(what, fmt.Sprint(l.inFlight), "what in_flight: auto has found", 1)+", SubmitBatch", fmt.Sprintf("bare writer, %d in flight", l.inFlight)
		addLogged(r, what+", SubmitBatch"+nice, l.yielding, l.bare, "bare writer", target)
		addLogged(r, auto, l.found, l.bare, bare, target)
		addLogged(r, auto+nice, l.foundYielding, l.bare, bare, target)
		r.add(row{what: "– peak RSS", gateway: formatMiB(l.foundMemory), target: "< 300 MiB"})
	}
	memory := row{what: "– peak RSS, SubmitBatch, " + what, gateway: formatMiB(l.memory), target: "< 300 MiB"}
	if len(l.waiting) > 0 {
		addLogged(r, what+", Submit waits for the receipt", l.waiting, l.bare, "bare writer", target)
		memory.beside = formatMiB(l.waitingMemory) + " with as many Submit calls that wait"
	}
	r.add(memory)
}

// addLeast adds what is left to a writer that does no more than a gateway must, and what the gateway is beside it, which is held to the same target: how much
// verifying and storing leaves of a bare writer's rate is a matter of the machine.
func (l *loggedRun) addLeast(r *report, what, target string) {
	least, bare, batch := sum(l.least), sum(l.bare), sum(l.batch)
	its, gateways := perEntry(least.client, least.entries), perEntry(batch.gateway, batch.entries)
	r.add(
		rateRow("– what is left to a writer that does no more than a gateway must: "+what, l.least, l.bare, "bare writer", ""),
		row{
			what: "– CPU per entry of such a writer", gateway: formatCPU(its),
			beside: formatCPU(perEntry(bare.client, bare.entries)) + " bare writer; its own log " + formatCPU(perEntry(least.log, least.entries)),
		},
		rateRow(what+", SubmitBatch, beside such a writer", l.batch, l.least, "such a writer", target),
		row{"– CPU per entry", formatCPU(gateways), formatCPU(its) + " such a writer", float64(gateways) / float64(its), ""},
	)
}

func sum(rounds []spent) spent {
	var all spent
	for _, s := range rounds {
		all.add(s)
	}
	return all
}

// rateRow returns the rate of all rounds beside that of others, and between what the rounds' own ratios lie.
func rateRow(what string, ourRounds, otherRounds []spent, others, target string) row {
	ours, other := sum(ourRounds), sum(otherRounds)
	mine, its := perSecond(ours.entries, ours.clock), perSecond(other.entries, other.clock)
	var ratios []float64
	for i, s := range ourRounds {
		at := i * len(otherRounds) / len(ourRounds) // of the same log
		ratios = append(ratios, perSecond(s.entries, s.clock)/perSecond(otherRounds[at].entries, otherRounds[at].clock))
	}
	return row{what, formatRate(mine), fmt.Sprintf("%s %s; %d rounds, %.2f to %.2f", formatRate(its), others, len(ratios), slices.Min(ratios), slices.Max(ratios)), mine / its, target}
}

// addLogged adds the gateway's rate beside that of others, and what both take.
func addLogged(r *report, what string, ourRounds, otherRounds []spent, others, target string) {
	ours, other := sum(ourRounds), sum(otherRounds)
	r.add(
		rateRow(what, ourRounds, otherRounds, others, target),
		row{
			"– CPU per entry", formatCPU(perEntry(ours.gateway, ours.entries)), formatCPU(perEntry(ours.log, ours.entries)) + " the log",
			float64(ours.gateway) / float64(ours.log), "≤ 1.5",
		},
		row{
			what: "– CPU per entry of the load generator", gateway: formatCPU(perEntry(ours.client, ours.entries)),
			beside: formatCPU(perEntry(other.client, other.entries)) + " " + others + "; its log " + formatCPU(perEntry(other.log, other.entries)),
		},
	)
}
