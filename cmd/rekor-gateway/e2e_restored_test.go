// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestChaosRestored is TestChaos over a SQLite store that is put back to an older one again and again, in each of the ways that a gateway notices, and
// over a log that is held, frozen and killed meanwhile. What the older one knew of is logged once, however soon the gateway is killed after that. A third goes into
// own logs, of which another takes over each time.
func TestChaosRestored(t *testing.T) {
	c := newChaos(t)
	c.batched = true
	log := rekortest.StartServer(t)
	g := deploy(t, buildProgram(t, "../rekor-gateway", "-tags", "killpoints"), log)
	g.cfg.Worker.AddTimeout, g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.Drain = 4*time.Second, 9*time.Second, time.Second
	g.cfg.Store.SQLite.Path = filepath.Join("data", "store.db")
	m := newModel(c.plan(t))
	g.own = newOwnLogs(t)
	g.start()

	sent, stop := c.startSending(t, m, g.always), make(chan struct{})
	var reading, troubling sync.WaitGroup
	reading.Go(func() { g.own.watch(g.always, c.random(6), stop) })
	troubling.Go(func() { c.troubleLog(t, log, sent) })
	c.troubleStore(t, g, m, sent)
	troubling.Wait()
	close(stop)
	reading.Wait()
	if t.Failed() {
		t.FailNow()
	}
	m.awaitLogged(t, g)
	m.checkReceipts(t, g)
	m.checkLogOf(t, &replicas{all: []*deployment{g}}, log)
	m.checkOwn(t, g)
	g.stop()
}

// troubleStore puts the store of a gateway back to an older one until all is sent.
func (c chaos) troubleStore(t *testing.T, g *deployment, m *model, sent <-chan struct{}) {
	random, points := c.random(5), listPoints(t, c.random(7))
	counts := map[string]int{}
	for n := 0; !isClosed(sent) && !t.Failed(); n++ {
		pause(random, 6*time.Second)
		ways := []string{"file", "folder", "backup"}
		how := ways[random.IntN(len(ways))]
		backup := filepath.Join(g.dir, fmt.Sprint("backup", n))
		if err := g.takeCopy(how, backup, random); err != nil {
			t.Error(err)
			return
		}
		time.Sleep(500 * time.Millisecond)
		pause(random, []time.Duration{time.Second, 6 * time.Second, 15 * time.Second}[random.IntN(3)])
		func() {
			m.sending.Lock()
			defer m.sending.Unlock()
			g.endsSomehow(random)
			if err := g.putCopy(how, backup); err != nil {
				t.Error(err)
			}
			g.own.rotate() // the store may have forgotten anchors
			for range random.IntN(3) {
				g.launch("REKOR_GATEWAY_KILLPOINT=" + points[random.IntN(len(points))])
				g.endsWithin(time.Duration(random.Int64N(int64(3 * time.Second))))
			}
			g.start()
			survived, lost := m.noteLost(t, g.always, random)
			t.Logf("put back: %s: %d submissions survived, %d are lost", how, survived, lost)
		}()
		counts[how]++
	}
	t.Logf("the store was put back: %v", counts)
}

// takeCopy makes a copy of the store, for which the gateway ends, or a backup, beside it.
func (g *deployment) takeCopy(how, to string, random *rand.Rand) error {
	if how == "backup" {
		out, err := exec.Command(g.program, "store", "backup", "--config", g.file(configFile), to).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	g.endsSomehow(random)
	err := os.CopyFS(to, os.DirFS(g.file("data")))
	g.start()
	return err
}

// putCopy puts a copy in the place of the store. The file alone is that of the copy, with what SQLite has beside it.
func (g *deployment) putCopy(how, from string) error {
	if how == "backup" {
		out, err := exec.Command(g.program, "store", "restore", "--force", "--config", g.file(configFile), from).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%w: %s", err, out)
		}
		return err
	}
	kept, err := os.ReadFile(g.file("data/store.db.incarnation"))
	if err := errors.Join(err, os.RemoveAll(g.file("data")), os.CopyFS(g.file("data"), os.DirFS(from))); err != nil {
		return err
	}
	if how == "file" {
		return os.WriteFile(g.file("data/store.db.incarnation"), kept, 0o600)
	}
	return nil
}
