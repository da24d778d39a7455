// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
)

// TestHangup: SIGHUP has serve read its configuration again, and never ends it, whatever the file is like.
func TestHangup(t *testing.T) {
	g := deploy(t, buildProgram(t, "../rekor-gateway"), rekortest.StartServer(t))
	g.start()
	good := must(os.ReadFile(g.file(configFile)))
	for _, c := range []struct{ config, want string }{
		{"not: [yaml", "the configuration was not read again"},
		{string(good) + "policy: {keys: {ssh: [nowhere]}}\n", "nowhere"},
		{string(good) + "policy: {roots: [" + configFile + "]}\n", "line 1: there is no certificate in PEM"},
		{string(good), "read again"},
	} {
		before := len(must(os.ReadFile(g.file("log"))))
		if err := os.WriteFile(g.file(configFile), []byte(c.config), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := g.process.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(string(must(os.ReadFile(g.file("log")))[before:]), c.want); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%q is not in the log:\n%s", c.want, must(os.ReadFile(g.file("log")))[before:])
			}
		}
		resp, err := http.Get(g.url + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != http.StatusOK {
			t.Errorf("readyz: %d", resp.StatusCode)
		}
	}
	g.stop()
}
