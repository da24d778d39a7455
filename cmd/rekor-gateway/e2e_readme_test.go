// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// readmeBlocks are the README's shell examples, in order.
func readmeBlocks(t *testing.T) []string {
	t.Helper()
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(must(os.ReadFile("../../README.md")), -1) {
		blocks = append(blocks, string(m[1]))
	}
	if len(blocks) == 0 || !strings.HasPrefix(blocks[0], "make demo") {
		t.Fatal("the README's first command is not make demo")
	}
	return blocks
}

// TestDemo runs what the README's first command runs, in the time it may take.
func TestDemo(t *testing.T) {
	readmeBlocks(t)
	program := buildProgram(t, "../rekor-gateway")
	demo := exec.Command("./demo/demo.sh")
	demo.Env = append(os.Environ(), "REKOR_SERVER="+rekortest.Binary(t), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	started := time.Now()
	out, err := demo.CombinedOutput()
	if err != nil || time.Since(started) > time.Minute {
		t.Errorf("%v after %v\n%s", err, time.Since(started), out)
	}
	for _, s := range []string{"NATIVE", "PROJECTED", "ATTESTED"} {
		if !strings.Contains(string(out), s) {
			t.Errorf("nothing is %s:\n%s", s, out)
		}
	}
}

// TestReadme runs the README's examples with the signature they make, against a gateway as
// `make run` starts it but for its ports.
func TestReadme(t *testing.T) {
	program, dir := buildProgram(t, "../rekor-gateway"), t.TempDir()
	dev := exec.Command(program, "dev", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", "ready.json")
	dev.Dir, dev.Env = dir, append(os.Environ(), "REKOR_SERVER="+rekortest.Binary(t))
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = dev.Process.Signal(os.Interrupt)
		if err := dev.Wait(); err != nil {
			t.Error(err)
		}
	}()
	ready := awaitReady(t, filepath.Join(dir, "ready.json"))
	here := strings.NewReplacer("http://127.0.0.1:8080", ready.HTTP, ".build/bin/rekor-gateway", program)
	ran := 0
	for _, block := range readmeBlocks(t) {
		if strings.Contains(block, "artifact.sig") {
			shell(t, dir, here.Replace(block))
			ran++
		}
	}
	if ran < 3 {
		t.Errorf("only %d examples ran", ran)
	}
}

func awaitReady(t *testing.T, path string) (r readiness) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if raw, err := os.ReadFile(path); err == nil {
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatal(err)
			}
			return r
		}
		if time.Now().After(deadline) {
			t.Fatal("dev does not start")
		}
	}
}
