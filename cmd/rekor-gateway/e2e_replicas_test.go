// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// replicas are gateways that share a database, in front of one log.
type replicas struct {
	all    []*deployment
	own    *ownLogs // nil: none
	server *postgrestest.Server
	paused atomic.Int64 // how often one was stopped for longer than its leases last
}

// deployReplicas configures n gateways, which have the key and the trust of the first, and own logs, if any, and starts them.
func deployReplicas(t *testing.T, program string, log *rekortest.Server, n int, own *ownLogs, change func(*config.Config)) *replicas {
	t.Helper()
	r := &replicas{own: own, server: postgrestest.NewServer(t, "max_connections=200")}
	for i := range n {
		g := deploy(t, program, log)
		g.own = own
		g.cfg.Store = config.Store{Postgres: config.Postgres{DSN: r.server.DSN("postgres"), MaxConnections: 16}}
		if i > 0 {
			g.cfg.Attestation.Key, g.cfg.Attestation.CreateKey = r.all[0].file(keyFile), false
			for _, name := range []string{trustFile, rootFile} {
				if err := os.WriteFile(g.file(name), must(os.ReadFile(r.all[0].file(name))), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		change(&g.cfg)
		g.start()
		r.all = append(r.all, g)
	}
	return r
}

// pick returns one of the gateways, as a load balancer does.
func (r *replicas) pick(random *rand.Rand) *deployment { return r.all[random.IntN(len(r.all))] }

// TestChaosReplicas is TestChaos over three gateways and a PostgreSQL server. Each gateway is killed, stopped for longer than
// its leases last, and has a clock that is wrong; the server is killed, and put back to a backup, again and again. Every submission
// that was accepted, and that the backup had where it was accepted before that, has a receipt that verifies, and the log has
// each entry once, but for the few that lay in the buffers of a gateway that was stopped: those are counted. A third goes into an own log, from which
// another takes over after each backup that was put back, as docs/operations.md says, in each gateway when it is next started; no own log shows two roots
// for one size.
func TestChaosReplicas(t *testing.T) {
	postgrestest.Require(t)
	c := newChaos(t)
	c.batched = true
	log := rekortest.StartServer(t)
	r := deployReplicas(t, buildProgram(t, "../rekor-gateway", "-tags", "killpoints"), log, 3, newOwnLogs(t), func(cfg *config.Config) {
		cfg.Worker.AddTimeout, cfg.Logs[0].IntegrationDelay, cfg.Worker.Drain = 4*time.Second, 3*time.Second, time.Second
	})
	m := newModel(c.plan(t))

	sent, stop := c.startSending(t, m, r.pick), make(chan struct{})
	var reading, troubling sync.WaitGroup
	reading.Go(func() { m.readAll(r.pick, c.random(4), stop) })
	reading.Go(func() { r.own.watch(r.pick, c.random(6), stop) })
	troubling.Go(func() { c.troubleLog(t, log, sent) })
	for i, g := range r.all {
		troubling.Go(func() { c.troubleReplica(t, r, g, c.random(200+uint64(i)), sent) })
	}
	c.troubleDatabase(t, r, m, sent)
	troubling.Wait()
	close(stop)
	reading.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("a gateway was stopped for longer than its leases %d times", r.paused.Load())
	for _, g := range r.all { // by the last own log
		g.kill()
		g.start()
	}
	m.awaitLogged(t, r.all[0])
	m.checkReceipts(t, r.all...)
	m.checkLogOf(t, r, log)
	m.checkOwn(t, r.all[0])
	for _, g := range r.all {
		g.stop()
	}
}

// troubleReplica ends, stops and starts one gateway, with another clock each time, until all is sent. It leaves it running.
func (c chaos) troubleReplica(t *testing.T, r *replicas, g *deployment, random *rand.Rand, sent <-chan struct{}) {
	points := listPoints(t, random)
	counts := map[string]int{}
	for !isClosed(sent) && !t.Failed() {
		time.Sleep(2 * time.Second)
		pause(random, 8*time.Second)
		how := "stopped for longer than its leases"
		switch random.IntN(4) {
		case 0:
			r.paused.Add(1)
			_ = g.process.Process.Signal(syscall.SIGSTOP)
			time.Sleep(leaseTime + time.Duration(random.IntN(6000))*time.Millisecond)
			_ = g.process.Process.Signal(syscall.SIGCONT)
			counts[how]++
			continue
		case 1:
			how = "killed at a point"
			g.kill()
			g.launch(clockOffset(random), "REKOR_GATEWAY_KILLPOINT="+points[random.IntN(len(points))])
			if !g.endsWithin(pointPatience) {
				how = "killed"
				g.kill()
			}
		default:
			how = g.endsSomehow(random)
		}
		counts[how]++
		pause(random, 2*time.Second)
		g.launch(clockOffset(random))
	}
	t.Logf("a gateway was %v", counts)
}

// leaseTime is how long the gateway's leases last.
const leaseTime = 15 * time.Second

// clockOffset is an environment in which a gateway's clock is wrong by up to 30 seconds.
func clockOffset(random *rand.Rand) string {
	return "REKOR_GATEWAY_CLOCK_OFFSET=" + []string{"-30s", "0s", "30s"}[random.IntN(3)]
}

// endsWithin reports whether the gateway ends by itself in time.
func (g *deployment) endsWithin(d time.Duration) bool {
	late := time.AfterFunc(d, func() { _ = g.process.Process.Kill() })
	_ = g.process.Wait()
	return late.Stop()
}

// troubleDatabase kills the server until all is sent, and puts it back to a backup in between.
func (c chaos) troubleDatabase(t *testing.T, r *replicas, m *model, sent <-chan struct{}) {
	random := c.random(5)
	killed, restored, backup := 0, 0, ""
	for !isClosed(sent) && !t.Failed() {
		time.Sleep(4 * time.Second)
		pause(random, c.lasts/10)
		if random.IntN(2) == 0 {
			backup = c.restoreDatabase(t, r, m, random, backup)
			restored++
			continue
		}
		if err := r.server.Kill(); err != nil {
			t.Error(err)
		}
		pause(random, 3*time.Second)
		if err := r.server.Restart(); err != nil {
			t.Error(err)
		}
		killed++
	}
	t.Logf("the database was killed %d times, and put back %d times", killed, restored)
}

// restoreDatabase takes a backup, lets things go on for less than a lease or for longer, and puts the backup in the place of the database; or the last one,
// again. What was accepted meanwhile is lost, and the model is told.
func (c chaos) restoreDatabase(t *testing.T, r *replicas, m *model, random *rand.Rand, last string) (backup string) {
	if backup = last; last == "" || random.IntN(5) > 0 {
		var err error
		if backup, err = os.MkdirTemp("", "backup"); err != nil {
			t.Error(err)
			return last
		}
		t.Cleanup(func() { _ = os.RemoveAll(backup) })
		if err := r.server.Backup(backup); err != nil {
			t.Error(err)
			return last
		}
		time.Sleep(500 * time.Millisecond)
		pause(random, []time.Duration{2 * time.Second, c.lasts / 20, c.lasts / 8}[random.IntN(3)])
	}
	m.sending.Lock() // what was answered is known now
	defer m.sending.Unlock()
	if err := errors.Join(r.server.Kill(), r.server.Restore(backup), r.server.Restart()); err != nil {
		t.Error(err)
		return backup
	}
	survived, lost := m.noteLost(t, r.pick, random)
	t.Logf("put back to a backup: %d submissions survived, %d are lost", survived, lost)
	if r.own != nil {
		r.own.rotate() // the store may have forgotten anchors
	}
	return backup
}

// noteLost asks which of the submissions that were accepted are there. What was sent and not answered may have been stored, logged
// and lost.
func (m *model) noteLost(t *testing.T, pick func(*rand.Rand) *deployment, random *rand.Rand) (survived, lost int) {
	for n, id := range m.ids {
		m.unsure[n] = m.unsure[n] || id == "" && m.tried[n]
		for id != "" && !m.lost[n] && !t.Failed() {
			_, err := m.get(pick(random), n, "/v1/submissions/"+id)
			switch {
			case err == nil:
				survived++
			case errors.Is(err, errNotNow):
				time.Sleep(20 * time.Millisecond)
				continue
			case strings.Contains(err.Error(), http.StatusText(http.StatusNotFound)):
				m.lost[n], m.ids[n] = true, ""
				lost++
			default:
				t.Error(err)
			}
			break
		}
	}
	return survived, lost
}

// mostDoubled bounds the entries that may be in the log twice, of 20,000.
const mostDoubled = 5

// checkLogOf holds the log to the answers: each entry is in it once, but for a few that the gateways have counted.
func (m *model) checkLogOf(t *testing.T, r *replicas, log *rekortest.Server) {
	t.Helper()
	counts, doubled, checked := countLeaves(t, log.ReadURL()), 0, 0
	excused := map[string]bool{} // signatures of what is lost, or may be: what else has them may have been logged before
	for n := range m.planned {
		excused[string(m.planned[n].signature)] = excused[string(m.planned[n].signature)] || m.lost[n] || m.unsure[n]
	}
	for n, leaf := range m.leaves {
		if !m.lost[n] && !m.planned[n].batched && counts[leaf] == 0 {
			t.Errorf("the entry of submission %d, %s, is not in the log", n, leaf)
		}
		if excused[string(m.planned[n].signature)] || m.planned[n].batched {
			continue
		}
		checked++
		if counts[leaf] > 1 {
			doubled++
			t.Logf("the entry of submission %d, %s, is logged %d times", n, leaf, counts[leaf])
		}
	}
	told := 0
	for _, g := range r.all {
		told += strings.Count(string(must(os.ReadFile(g.file("log")))), "logged twice")
	}
	if doubled > mostDoubled || doubled > 0 && (told == 0 || r.paused.Load() == 0) {
		t.Errorf("%d entries are in the log twice; the gateways said so %d times", doubled, told)
	}
	t.Logf("%d entries of submissions, of %d, looked up in the log, %d of them there twice", checked, len(m.planned), doubled)
}
