// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// safeBuffer is written to by the gateway while the test reads.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A reload that never ends, here for a pipe that nobody writes to, keeps nobody from stopping the gateway.
func TestStopDuringReload(t *testing.T) {
	dir := t.TempDir()
	keep := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	root, err := os.ReadFile(offline(rootFile))
	if err != nil {
		t.Fatal(err)
	}
	keep(rootFile, root)
	config := keep("config.yaml", []byte(`
http: {listen: "127.0.0.1:0"}
grpc: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
trusted_root: trusted_root.json
logs:
  - {id: main, origin: rekor.local, url: "http://127.0.0.1:1"}
worker: {drain: 1s}
attestation: {key: made, create_key: true}
`))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var logs safeBuffer
	ended := make(chan error, 1)
	go func() { ended <- runServe(ctx, config, &logs) }()
	waitFor(t, &logs, `"msg":"serving"`, ended)
	if err := os.Remove(config); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	writer := openWhenRead(t, config) // the reload has the pipe open now
	defer writer.Close()              // lets the reload end
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the gateway does not stop")
	}
}

// openWhenRead opens a pipe for writing, which works once somebody reads it.
func openWhenRead(t *testing.T, path string) *os.File {
	t.Helper()
	for range 1000 {
		if f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0); err == nil {
			return f
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nobody reads the pipe")
	return nil
}

// waitFor waits until text is logged.
func waitFor(t *testing.T, logs *safeBuffer, text string, ended <-chan error) {
	t.Helper()
	for range 1000 {
		if strings.Contains(logs.String(), text) {
			return
		}
		select {
		case err := <-ended:
			t.Fatalf("ended: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatalf("no %s in %s", text, logs.String())
}

// Callers are read again when the file changes. A faulty one changes nothing, and is told.
func TestCallersAreFollowed(t *testing.T) {
	dir := t.TempDir()
	root, err := os.ReadFile(offline(rootFile))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "config.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "new"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const rest = `
http: {listen: "127.0.0.1:0"}
grpc: {listen: "127.0.0.1:0"}
admin: {listen: "127.0.0.1:0"}
trusted_root: trusted_root.json
logs:
  - {id: main, origin: rekor.local, url: "http://127.0.0.1:1"}
worker: {drain: 1s}
`
	write(rootFile, string(root))
	write("config.yaml", rest)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var logs safeBuffer
	ended := make(chan error, 1)
	go func() { ended <- runServe(ctx, path, &logs) }()
	waitFor(t, &logs, `"msg":"serving"`, ended)
	write("config.yaml", rest+"callers: [{name: all, tenant: public, anonymous: true, may: [raed]}]\n")
	waitFor(t, &logs, `did you mean \"read\"?`, ended)
	write("config.yaml", rest+"callers: [{name: all, tenant: public, anonymous: true, may: [read]}]\n")
	waitFor(t, &logs, `"what":"callers"`, ended)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
