// SPDX-License-Identifier: Apache-2.0

package api

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
)

// Stock clients get every answer: curl while it sends, or of a file, and Python, which reads nothing before it has sent all.
func TestLineBatchByStockClients(t *testing.T) {
	for _, tool := range []string{"curl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	s := serveLines(t, start(t, gatewaytest.NewLog()), gateway.NewMemory(64<<20), noChange)
	curl := []string{"--silent", "--show-error", "--no-buffer", "--fail", "--max-time", "60", "--header", "Content-Type: application/x-ndjson"}
	t.Run("curl while it sends", func(t *testing.T) {
		checkCurlTalks(t, append(curl, "--request", "POST", "--upload-file", "-", s.URL+batchPath))
	})
	lines := func(n int) string {
		file := filepath.Join(t.TempDir(), "lines")
		if err := os.WriteFile(file, []byte(strings.Repeat(`{"ref":"a line with a ref, so that the file is not so small"}`+"\n", n)), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const python = `
import http.client, sys
c = http.client.HTTPConnection(sys.argv[1])
c.request("POST", "/v1/submissions:batch", open(sys.argv[2], "rb"), {"Content-Type": "application/x-ndjson"})
sys.stdout.write(c.getresponse().read().decode())
`
	for name, c := range map[string]struct {
		lines int
		run   func(file string) *exec.Cmd
	}{
		"curl of a file": {30000, func(file string) *exec.Cmd {
			return exec.Command("curl", append(curl, "--data-binary", "@"+file, s.URL+batchPath)...)
		}},
		"curl that uploads a file": {30000, func(file string) *exec.Cmd {
			return exec.Command("curl", append(curl, "--request", "POST", "--upload-file", file, s.URL+batchPath)...)
		}},
		"Python": {8000, func(file string) *exec.Cmd {
			return exec.Command("python3", "-c", python, strings.TrimPrefix(s.URL, "http://"), file)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := c.run(lines(c.lines))
			var messages bytes.Buffer
			cmd.Stderr = &messages
			raw, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &messages)
			}
			if got := readAnswers(t, raw); len(got) != c.lines {
				t.Errorf("%d answers, want %d", len(got), c.lines)
			}
		})
	}
}

// checkCurlTalks sends lines until three were answered. While its input rests, curl 7.88 reads nothing.
func checkCurlTalks(t *testing.T, arguments []string) {
	t.Helper()
	cmd := exec.Command("curl", arguments...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	enough, sent := make(chan struct{}), make(chan int)
	go func() {
		lines := 0
		for tick := time.NewTicker(20 * time.Millisecond); ; {
			select {
			case <-enough:
				_ = in.Close()
				sent <- lines
				return
			case <-tick.C:
				lines++
				_, _ = io.WriteString(in, "{}\n")
			}
		}
	}()
	answers := bufio.NewReader(out)
	for range 3 {
		if line, err := answers.ReadBytes('\n'); err != nil {
			t.Fatal(err)
		} else if a := readAnswer(t, line); a.Status < 400 {
			t.Errorf("%s", line)
		}
	}
	close(enough)
	lines := <-sent
	rest, err := io.ReadAll(answers)
	if got := readAnswers(t, rest); err != nil || len(got) != lines-3 {
		t.Errorf("%d answers more to %d lines, %v", len(got), lines, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
