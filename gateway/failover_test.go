// SPDX-License-Identifier: Apache-2.0

package gateway_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// namedLog is a fake log with an ID of its own.
func namedLog(id string, faults ...gatewaytest.Fault) *gatewaytest.Log {
	l := gatewaytest.NewLog(faults...)
	l.Name = id
	return l
}

// runLogs starts a gateway that records in as many of the logs as are needed, and fails over after a moment
// where failover is set.
func runLogs(t *testing.T, need int, failover bool, logs ...*gatewaytest.Log) *gatewaytest.Gateway {
	t.Helper()
	g, _ := run(t, logs[0], filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Logs = nil
		for _, l := range logs {
			c.Logs = append(c.Logs, l)
		}
		c.Need, c.Timing.Idle = need, 200*time.Millisecond
		if failover {
			c.Failover = 200 * time.Millisecond
		}
	})
	return g
}

// wantIn fails unless sub is logged, in these logs alone.
func wantIn(t *testing.T, sub gateway.Submission, logs ...string) {
	t.Helper()
	got := ""
	for _, e := range sub.Entries {
		got += fmt.Sprintf(" %s/%s", e.Log, e.State)
	}
	want := ""
	for _, l := range logs {
		want += " " + l + "/LOGGED"
	}
	if sub.State != gateway.Logged || got != want {
		t.Fatalf("%s in%s, want it logged in%s", sub.State, got, want)
	}
}

// until waits for something to become true.
func until(t *testing.T, what string, isTrue func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !isTrue(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// What was never sent to a log that cannot be used goes to the next, and what comes meanwhile goes there at
// once. The same submission sent again is the same one, wherever it is.
func TestFailover(t *testing.T) {
	t.Parallel()
	first, second := namedLog("first"), namedLog("second")
	first.SetDown(gateway.ErrUnavailable)
	g := runLogs(t, 1, true, first, second)
	request := gatewaytest.Signed(t, "before it is known")
	sub := submit(t, g, request)
	wantIn(t, wait(t, g, sub.ID), "second")
	until(t, "first is degraded", func() bool { return g.Degraded()["first"] == gateway.ProblemUnavailable })
	wantIn(t, wait(t, g, submit(t, g, gatewaytest.Signed(t, "meanwhile")).ID), "second")
	if again := submit(t, g, request); !again.Existing || again.ID != sub.ID {
		t.Errorf("sent again it is another submission: %+v", again)
	}
	first.SetDown(nil)
	until(t, "first is usable", func() bool { return len(g.Degraded()) == 0 })
	wantIn(t, wait(t, g, submit(t, g, gatewaytest.Signed(t, "after")).ID), "first")
	if again := submit(t, g, request); !again.Existing || again.ID != sub.ID {
		t.Errorf("sent again it is another submission: %+v", again)
	}
	if logged, sent := first.Count(); logged != 1 || sent != 1 {
		t.Errorf("first has %d entries of %d", logged, sent)
	}
}

// Nothing goes on from doubt.
func TestNoFailoverFromDoubt(t *testing.T) {
	t.Parallel()
	first, second := namedLog("first", gatewaytest.Fault{Err: errLost, Applied: true, Down: gateway.ErrUnavailable}), namedLog("second")
	g := runLogs(t, 1, true, first, second)
	sub := submit(t, g, gatewaytest.Signed(t, "doubtful"))
	until(t, "it is sent", func() bool { _, sent := first.Count(); return sent == 1 })
	until(t, "first is degraded", func() bool { return g.Degraded()["first"] == gateway.ProblemUnavailable })
	wantIn(t, wait(t, g, submit(t, g, gatewaytest.Signed(t, "another")).ID), "second")
	time.Sleep(time.Second) // for what must not happen
	if now, err := g.Get(t.Context(), gateway.DefaultTenant, sub.ID); err != nil || now.State != gateway.Pending || now.Entries[0].Log != "first" {
		t.Fatalf("while in doubt: %+v, %v", now, err)
	}
	first.SetDown(nil)
	wantIn(t, wait(t, g, sub.ID), "first")
	if logged, _ := second.Count(); logged != 1 {
		t.Errorf("%d entries in the second log", logged)
	}
}

// What a log refuses goes on at once, and nobody hears of a failure in between.
func TestFailoverFromRefusal(t *testing.T) {
	t.Parallel()
	refusal := gatewaytest.Fault{Err: gateway.ErrRefused}
	g := runLogs(t, 1, true, namedLog("first", refusal), namedLog("second", refusal), namedLog("third"))
	sub := submit(t, g, gatewaytest.Signed(t, "refused"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var last gateway.Submission
	err := g.Watch(ctx, gateway.DefaultTenant, sub.ID, func(now gateway.Submission) error {
		if last = now; now.State == gateway.Failed {
			t.Errorf("told of a failure: %+v", now)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, last, "third")

	all := runLogs(t, 1, true, namedLog("first", refusal), namedLog("second", refusal))
	if sub := wait(t, all, submit(t, all, gatewaytest.Signed(t, "refused by all")).ID); sub.State != gateway.Failed {
		t.Errorf("refused by all it is %s", sub.State)
	}
}

// A log that can be read, and includes nothing, is one that cannot be used; once it includes a probe it can be
// used again.
func TestFailoverFromAStall(t *testing.T) {
	t.Parallel()
	faults := make([]gatewaytest.Fault, 200)
	for i := range faults {
		faults[i] = gatewaytest.Fault{Err: gateway.ErrNotSent}
	}
	first, second := namedLog("first", faults...), namedLog("second")
	first.SetProbesFailing(gateway.ErrNotSent)
	g, _ := run(t, first, filepath.Join(t.TempDir(), "gateway.db"), func(c *gatewaytest.Config) {
		c.Logs, c.Need, c.Failover = []gateway.Log{first, second}, 1, 100*time.Millisecond
		c.Timing.Stalled = 500 * time.Millisecond
	})
	sub := submit(t, g, gatewaytest.Signed(t, "stalled"))
	until(t, "first stalls", func() bool { return g.Degraded()["first"] == gateway.ProblemUnavailable })
	wantIn(t, wait(t, g, sub.ID), "second")
	wantIn(t, wait(t, g, submit(t, g, gatewaytest.Signed(t, "meanwhile")).ID), "second")
}

// A log of several that cannot be used holds up nobody. What it logs later is added.
func TestOneOfAllLogsIsDown(t *testing.T) {
	t.Parallel()
	first, second, third := namedLog("first"), namedLog("second"), namedLog("third")
	first.SetDown(gateway.ErrUnavailable)
	g := runLogs(t, 2, false, first, second, third)
	sub := wait(t, g, submit(t, g, gatewaytest.Signed(t, "hello")).ID)
	if sub.State != gateway.Logged || sub.Entries[0].State != gateway.Pending {
		t.Fatalf("with one log down: %+v", sub)
	}
	before, err := g.Receipt(t.Context(), sub)
	if err != nil || len(before.GetEntries()) != 2 {
		t.Fatalf("receipt with %d entries: %v", len(before.GetEntries()), err)
	}
	first.SetDown(nil)
	until(t, "it is in the first log", func() bool { n, _ := first.Count(); return n == 1 })
	until(t, "the receipt has all", func() bool {
		sub, err := g.Get(t.Context(), gateway.DefaultTenant, sub.ID)
		if err != nil || sub.State != gateway.Logged {
			t.Fatalf("%+v, %v", sub, err)
		}
		r, err := g.Receipt(t.Context(), sub)
		return err == nil && len(r.GetEntries()) == 3
	})
}
