// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// unreached are kill points that no run of chaos reaches: the log does not fork, none is retired, and nothing goes over to another, and no
// witness cosigns; nothing is recorded again for clients of Rekor v1; and no artifact is sent to a log. TestWholeKillPoints reaches the last four.
var unreached = regexp.MustCompile(`store\.(KeepFork|Forks|ListLogs|Retire|Reinstate|Move|KeepCosignature|KeepContradiction|DropContradiction|Contradictions|AddMirror|Mirrored|ForgetMirrored|AppendBlob|BlobPart|BlobOf|DropBlob)$`)

// listPoints returns every kill point that a run of chaos can reach, in random order.
func listPoints(t *testing.T, random *rand.Rand) []string {
	points := killPoints(t)
	for _, call := range killCalls(t) {
		points = append(points, "before "+call, "after "+call)
	}
	points = slices.DeleteFunc(points, unreached.MatchString)
	random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points
}

// pointPatience is how long a kill point may take to be reached, before the gateway is killed where it is.
const pointPatience = 8 * time.Second

// troubleGateway kills the gateway at each kill point, and goes on to end it at points and otherwise until all is sent. It
// leaves it running.
func (c chaos) troubleGateway(t *testing.T, g *deployment, sent <-chan struct{}) {
	random := c.random(2)
	points := slices.DeleteFunc(listPoints(t, random), func(p string) bool { return strings.HasSuffix(p, "Audit") }) // nobody has a name here
	counts, missed := map[string]int{}, []string{}
	for n := 0; (n < len(points) || !isClosed(sent)) && !t.Failed(); n++ {
		how := "killed at a point"
		switch {
		case n < len(points):
			if !g.diesAt(points[n], 1) {
				how, missed = "killed", append(missed, points[n])
			}
		case random.IntN(2) == 0:
			if !g.diesAt(points[random.IntN(len(points))], 1+random.IntN(20)) {
				how = "killed"
			}
		default:
			how = g.endsSomehow(random)
		}
		counts[how]++
		pause(random, 500*time.Millisecond)
		g.start()
		pause(random, time.Second)
	}
	t.Logf("the gateway was %v; not reached: %q", counts, missed)
	if len(missed) > len(points)/4 { // leases are rarely old enough to be extended
		t.Errorf("%d of %d kill points were not reached", len(missed), len(points))
	}
}

// diesAt starts the gateway anew with a kill point, and waits until that is reached for the n-th time. Where it takes too
// long the gateway is killed.
func (g *deployment) diesAt(p string, n int) (reached bool) {
	g.kill()
	switch {
	case strings.HasSuffix(p, " store.EachAttested"):
		_ = os.Remove(g.file(trustFile)) // it is made again from the store
	case strings.HasSuffix(p, " store.CloseOwnLog"):
		g.own.rotate()
	}
	g.launch(fmt.Sprintf("REKOR_GATEWAY_KILLPOINT=%s#%d", p, n))
	late := time.AfterFunc(pointPatience, func() { _ = g.process.Process.Kill() })
	_ = g.process.Wait()
	return late.Stop()
}

// kill ends the gateway as a crash does.
func (g *deployment) kill() {
	_ = g.process.Process.Kill()
	_ = g.process.Wait()
}

// endsSomehow ends the gateway, and says how.
func (g *deployment) endsSomehow(random *rand.Rand) string {
	switch random.IntN(4) {
	case 0:
		g.kill()
		return "killed"
	case 1:
		_ = g.process.Process.Signal(syscall.SIGSTOP)
		pause(random, 4*time.Second)
		_ = g.process.Process.Signal(syscall.SIGCONT)
		pause(random, time.Second)
		g.kill()
		return "frozen and killed"
	case 2:
		_ = g.process.Process.Signal(syscall.SIGTERM)
		pause(random, 500*time.Millisecond)
		_ = g.process.Process.Signal([]os.Signal{syscall.SIGTERM, syscall.SIGINT}[random.IntN(2)])
		_ = g.process.Wait()
		return "stopped in a hurry"
	default:
		began := time.Now()
		_ = g.process.Process.Signal(syscall.SIGTERM)
		err := g.process.Wait()
		if took := time.Since(began); err != nil || took > 2*g.cfg.Worker.Drain+2*time.Second+2*time.Second {
			g.t.Errorf("the gateway stopped after %v: %v", took, err)
		}
		return "stopped"
	}
}

// troubleLog kills, holds and freezes the log until all is sent, and leaves it running.
func (c chaos) troubleLog(t *testing.T, log *rekortest.Server, sent <-chan struct{}) {
	random := c.random(3)
	counts := map[string]int{}
	for !isClosed(sent) && !t.Failed() {
		pause(random, 8*time.Second)
		undo := func() {}
		what := []string{"left alone", "held", "frozen"}[random.IntN(3)]
		switch what {
		case "held":
			undo = log.HoldSequencing()
		case "frozen":
			undo = log.Freeze()
		}
		if what != "left alone" {
			pause(random, 8*time.Second)
		}
		if what == "left alone" || random.IntN(2) == 0 {
			what += ", and killed"
			restartLog(t, log, undo, random)
		}
		undo()
		counts[what]++
	}
	t.Logf("the log was %v", counts)
}

// restartLog kills the log, which does not start while it is held.
func restartLog(t *testing.T, log *rekortest.Server, undo func(), random *rand.Rand) {
	if err := log.Server.Kill(); err != nil {
		t.Error(err)
	}
	undo()
	pause(random, 3*time.Second)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := log.Server.Restart(ctx); err != nil {
		t.Error(err)
	}
}

// pause waits for a time that is random, up to most.
func pause(random *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(random.Int64N(int64(most))))
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
