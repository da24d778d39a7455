// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// diskFaults are what strace has the store's files do; see strace(1), "inject".
var diskFaults = []struct {
	name, inject string
	always       bool // nothing can be stored meanwhile
}{
	{"syncs fail", "fsync,fdatasync:error=EIO", true},
	{"writes fail", "pwrite64:error=EIO", true},
	{"the disk is full", "pwrite64,ftruncate:error=ENOSPC", true},
	{"reads fail", "pread64:error=EIO", false},
	{"now and then one fails", "fsync,fdatasync,pwrite64,pread64:error=EIO:when=1+40", false},
}

// TestDiskFaults: while the disk under the store fails, the gateway says so and takes nothing that it could lose; once the
// disk works it goes on by itself. What was accepted, before and meanwhile, is logged once, also when the gateway is
// killed then.
func TestDiskFaults(t *testing.T) {
	program := buildProgram(t, "../rekor-gateway")
	for _, fault := range diskFaults {
		t.Run(fault.name, func(t *testing.T) {
			log := rekortest.StartServer(t)
			g := deploy(t, program, log)
			g.cfg.Worker.AddTimeout, g.cfg.Logs[0].IntegrationDelay, g.cfg.Worker.Drain = 4*time.Second, time.Second, time.Second
			m := newModel(chaos{submissions: 40}.plan(t))
			g.start()
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("%s", g.lastLines())
				}
			})
			m.sendOnce(t, func() *deployment { return g }, m.sendHTTP, []int{0, 1, 2, 3})

			end := injectFault(t, g.process.Process.Pid, fault.inject)
			taken := m.submitDuring(t, g, 4, 20)
			if fault.always && taken > 0 {
				t.Errorf("%d submissions were accepted", taken)
			}
			if status := statusOf(t, g.url+"/readyz"); fault.always && status != http.StatusServiceUnavailable {
				t.Errorf("readyz: %d", status)
			}
			end()

			var sending sync.WaitGroup
			for n := range 36 {
				sending.Go(func() { m.sendOnce(t, func() *deployment { return g }, m.sendHTTP, []int{n}) })
			}
			sending.Wait()
			if status := statusOf(t, g.url+"/readyz"); status != http.StatusOK {
				t.Errorf("readyz, after the fault: %d", status)
			}
			g.kill()
			g.start()
			m.sendOnce(t, func() *deployment { return g }, m.sendHTTP, []int{36, 37, 38, 39})
			m.awaitLogged(t, g)
			m.checkReceipts(t, g)
			m.checkLog(t, g, log)
			g.stop()
			if out, err := exec.Command(program, "store", "check", "--config", g.file(configFile)).CombinedOutput(); err != nil {
				t.Errorf("the store is damaged: %v\n%s", err, out)
			}
			t.Logf("%d of 16 were accepted during the fault", taken)
		})
	}
}

// injectFault has the system calls of a process fail, until end is called.
func injectFault(t *testing.T, pid int, inject string) (end func()) {
	t.Helper()
	calls, _, _ := strings.Cut(inject, ":")
	cmd := exec.Command("strace", "-f", "-p", strconv.Itoa(pid), "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+inject)
	said := must(cmd.StderrPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // it ends by the signal
	})
	t.Cleanup(end)
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "attached") {
		t.Fatalf("strace says %q", lines.Text())
	}
	go func() {
		for lines.Scan() {
			continue
		}
	}()
	return end
}

// submitDuring submits each once, and returns how many were accepted. The others are refused for now, in clear words.
func (m *model) submitDuring(t *testing.T, g *deployment, from, to int) (accepted int) {
	t.Helper()
	for n := from; n < to; n++ {
		err := m.sendHTTP(t.Context(), g, []int{n}, func(number int, id string) {
			accepted++
			m.noteAccepted(t, number, id)
		})
		if err != nil && (!errors.Is(err, errNotNow) || !strings.Contains(err.Error(), "503")) {
			t.Errorf("submitting: %v", err)
		}
		if _, err := m.get(g, 0, "/v1/submissions/"+m.ids[0]); err != nil && (!errors.Is(err, errNotNow) || !strings.Contains(err.Error(), "503")) {
			t.Errorf("getting: %v", err)
		}
	}
	return accepted
}

// statusOf returns the status of an answer.
func statusOf(t *testing.T, url string) int {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
