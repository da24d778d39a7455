// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// chaos is the size of a run: $CHAOS=full is the large one.
type chaos struct {
	submissions int
	lasts       time.Duration // that submissions come in
	batched     bool          // a third of them goes into the gateway's own log
	seed        uint64        // of what is sent, and of what goes wrong, in which order: $CHAOS_SEED
}

func newChaos(t *testing.T) chaos {
	t.Helper()
	c := chaos{submissions: 1500, lasts: 150 * time.Second, seed: rand.Uint64()}
	if os.Getenv("CHAOS") == "full" {
		c.submissions, c.lasts = 20_000, 8*time.Minute
	}
	if s := os.Getenv("CHAOS_SEED"); s != "" {
		c.seed = must(strconv.ParseUint(s, 10, 64))
	}
	t.Logf("%d submissions, CHAOS_SEED=%d", c.submissions, c.seed)
	return c
}

// random returns the run's source for one purpose.
func (c chaos) random(purpose uint64) *rand.Rand { return rand.New(rand.NewPCG(c.seed, purpose)) }

// startSending has senders of each kind send what is planned, to the gateways that pick returns. The channel is closed once all is sent.
func (c chaos) startSending(t *testing.T, m *model, pick func(*rand.Rand) *deployment) (sent chan struct{}) {
	sent = make(chan struct{})
	var sending sync.WaitGroup
	for i, send := range []sender{m.sendHTTP, m.sendHTTP, m.sendHTTP, m.sendHTTP, m.sendGRPC, m.sendGRPC, m.sendBatch} {
		sending.Go(func() { m.sendAll(t, pick, send, c.random(100+uint64(i)), c.lasts) })
	}
	go func() { sending.Wait(); close(sent) }()
	return sent
}

// TestChaos submits for several tenants, over HTTP, gRPC and in batches, while the gateway is killed at every
// kill point and at random, and the log is killed, held and frozen, for longer than its integration delay. Then
// every submission that was accepted has a receipt that verifies offline, and the log has each entry once, read back
// from its tiles. A third goes into the gateways' own log, from which others take over meanwhile, and which never shows two roots for one size.
func TestChaos(t *testing.T) {
	c := newChaos(t)
	c.batched = true
	log := rekortest.StartServer(t)
	g := deploy(t, buildProgram(t, "../rekor-gateway", "-tags", "killpoints"), log)
	g.cfg.Worker.AddTimeout, g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.Drain = 4*time.Second, 3*time.Second, time.Second
	m := newModel(c.plan(t))
	g.own = newOwnLogs(t)
	g.start()

	sent, stop := c.startSending(t, m, g.always), make(chan struct{})
	var reading, troubling sync.WaitGroup
	reading.Go(func() { m.readAll(g.always, c.random(4), stop) })
	reading.Go(func() { g.own.watch(g.always, c.random(6), stop) })
	troubling.Go(func() { c.troubleLog(t, log, sent) })
	c.troubleGateway(t, g, sent)
	troubling.Wait()
	close(stop)
	reading.Wait()
	if t.Failed() {
		t.FailNow()
	}
	m.awaitLogged(t, g)
	m.checkListed(t, g)
	m.checkReceipts(t, g)
	m.checkLog(t, g, log)
	m.checkOwn(t, g)
	g.stop()
}
