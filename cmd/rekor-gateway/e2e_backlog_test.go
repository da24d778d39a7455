// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestBacklog stops the log, has $OUTAGE_ENTRIES submissions wait for it, starts it again, and goes on to submit while they
// are worked off: those who wait for an answer get it, and each entry is logged once. It prints the figures.
func TestBacklog(t *testing.T) {
	entries := must(strconv.Atoi(cmp.Or(os.Getenv("OUTAGE_ENTRIES"), "600")))
	log := rekortest.StartServer(t)
	g := deploy(t, buildProgram(t, "../rekor-gateway"), log)
	g.cfg.Limits.MaxPending = entries + 1000
	m := newModel(chaos{submissions: entries + entries/10}.planSigned(newX509Signer()))
	m.priority = "backfill"
	g.start()
	log.Kill()

	began := time.Now()
	var sending sync.WaitGroup
	for numbers := range slices.Chunk(m.takeAll(entries), (entries+3)/4) {
		sending.Go(func() { m.sendOnce(t, func() *deployment { return g }, m.sendBatch, numbers) })
	}
	sending.Wait()
	if pending := g.pending(); pending != entries {
		t.Fatalf("%d entries wait, want %d", pending, entries)
	}
	t.Logf("%d accepted with the log stopped, %.0f/s", entries, float64(entries)/time.Since(began).Seconds())

	log.Restart()
	began = time.Now()
	var live []time.Duration
	next := entries
	for ; g.pending() > 0; next++ {
		if next == len(m.planned) || t.Failed() {
			t.Fatalf("%d entries still wait after %v", g.pending(), time.Since(began))
		}
		sent := time.Now()
		m.sendOnce(t, func() *deployment { return g }, m.sendWaiting, []int{next})
		live = append(live, time.Since(sent))
		time.Sleep(time.Second / 2)
	}
	took := time.Since(began)
	m.planned, m.ids, m.leaves = m.planned[:next], m.ids[:next], m.leaves[:next]
	m.awaitLogged(t, g)
	m.checkLog(t, g, log)
	g.stop()
	slices.Sort(live)
	if len(live) > 0 {
		t.Logf("all logged %v after the log worked again, %.0f/s; meanwhile %d callers waited %v as a rule, and %v at most",
			took.Round(time.Millisecond), float64(entries)/took.Seconds(), len(live), live[len(live)/2].Round(time.Millisecond), live[len(live)-1].Round(time.Millisecond))
	}
}

// planSigned returns submissions by one signer, of the default tenant.
func (c chaos) planSigned(s signer) []planned {
	all := make([]planned, c.submissions)
	for i := range all {
		all[i] = planned{tenant: chaosTenants[0], signer: "signer", key: s.key, artifact: fmt.Appendf(nil, "artifact %d", i)}
		all[i].signature = s.sign(all[i].artifact)
	}
	return all
}

// takeAll returns the first n numbers.
func (m *model) takeAll(n int) []int {
	numbers := make([]int, n)
	for i := range numbers {
		numbers[i] = i
	}
	return numbers
}

// pending returns how many entries wait, by the gateway's metrics.
func (g *deployment) pending() int {
	g.t.Helper()
	resp := must(http.Get("http://" + g.cfg.Admin.Listen + "/metrics"))
	defer resp.Body.Close()
	found := regexp.MustCompile(`(?m)^rekor_gateway_entries_pending\{log="test"\} (.*)$`).FindSubmatch(must(io.ReadAll(resp.Body)))
	if found == nil {
		return 0
	}
	return int(must(strconv.ParseFloat(string(found[1]), 64)))
}
