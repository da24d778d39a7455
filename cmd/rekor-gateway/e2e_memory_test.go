// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

const (
	uploadSize = 384 << 20 // bytes; its spooled copy needs that much disk
	allowance  = 64 << 10  // KiB above idle
)

// TestUploadMemory: a large artifact passes through in little memory, whether it comes last
// and is streamed or first and is spooled.
func TestUploadMemory(t *testing.T) {
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	g.cfg.Limits.SpoolDir = t.TempDir()
	dir := t.TempDir()
	shell(t, dir, fmt.Sprintf("truncate -s %d artifact; %s; openssl pkey -in private -pubout -out key; openssl dgst -sha256 -sign private -out sig artifact",
		uploadSize, ec("256")))
	g.start()
	shell(t, dir, "echo small >small; openssl dgst -sha256 -sign private -out small.sig small; "+
		"curl -sS --fail-with-body -F signature=@small.sig -F key=@key -F artifact=@small "+g.url+"/v1/submissions") // everything has run once
	for name, form := range map[string]string{
		"last":  "-F signature=@sig -F key=@key -F artifact=@artifact",
		"first": "-F artifact=@artifact -F signature=@sig -F key=@key",
	} {
		g.resetPeak()
		idle := g.memory("VmRSS")
		if out := shell(t, dir, "curl -sS --fail-with-body "+form+" "+g.url+"/v1/submissions"); !strings.Contains(out, `"state":"LOGGED"`) {
			t.Fatalf("%s: %s", name, out)
		}
		peak := g.memory("VmHWM")
		t.Logf("artifact %s: %d KiB idle, %d KiB at the peak", name, idle, peak)
		if peak-idle > allowance {
			t.Errorf("artifact %s: %d KiB above idle, at most %d are allowed", name, peak-idle, allowance)
		}
	}
	if left := must(os.ReadDir(g.cfg.Limits.SpoolDir)); len(left) > 0 {
		t.Errorf("left in the spool: %v", left)
	}
	g.stop()
}

// resetPeak makes the kernel forget the peak so far (proc(5), clear_refs).
func (g *deployment) resetPeak() {
	g.t.Helper()
	if err := os.WriteFile(g.proc("clear_refs"), []byte("5"), 0); err != nil {
		g.t.Fatal(err)
	}
}

func (g *deployment) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", g.process.Process.Pid, name)
}

// memory returns a field of /proc/PID/status in KiB.
func (g *deployment) memory(field string) int {
	g.t.Helper()
	m := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(must(os.ReadFile(g.proc("status"))))
	if m == nil {
		g.t.Fatalf("no %s", field)
	}
	return must(strconv.Atoi(string(m[1])))
}
