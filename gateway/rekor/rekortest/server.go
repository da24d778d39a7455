// SPDX-License-Identifier: Apache-2.0

// Package rekortest gives tests a Rekor v2 log: the real server in a process of its own, or a
// fake in this process that can be made to fail in every way.
package rekortest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/freeport"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/localrekor"
)

// Origin is the origin of the logs started here.
const Origin = "log.test"

const startTimeout = 20 * time.Second

// Server is a running upstream server.
type Server struct {
	*localrekor.Server
	t testing.TB
}

// Named gives the log another origin.
func Named(origin string) Option { return func(c *localrekor.Config) { c.Origin = origin } }

// Option changes how the server is started.
type Option func(*localrekor.Config)

// PersistentAntispam makes the log remember all its entries, not only the last 256.
func PersistentAntispam(c *localrekor.Config) { c.PersistentAntispam = true }

// StartServer starts the real log with a directory and key of its own, and ends it with the
// test. The binary is $REKOR_SERVER, or .build/bin/rekor-server-posix in the repository.
// Without it the test is skipped, or fails where $CI is set.
func StartServer(t testing.TB, options ...Option) *Server {
	t.Helper()
	output := new(syncBuffer)
	cfg := localrekor.Config{Binary: Binary(t), DataDir: t.TempDir(), Origin: Origin, Output: output}
	for _, option := range options {
		option(&cfg)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	server, err := localrekor.Start(ctx, cfg)
	if err != nil {
		t.Fatalf("starting the local Rekor server: %v\n%s", err, output)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Kill(), server.Stop()); err != nil {
			t.Errorf("ending the local Rekor server: %v", err)
		}
		if t.Failed() {
			t.Logf("the local Rekor server said:\n%s", output)
		}
	})
	return &Server{Server: server, t: t}
}

// Kill ends the server as a crash would.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.Server.Kill(); err != nil {
		s.t.Fatalf("killing the local Rekor server: %v", err)
	}
}

// Restart starts the server again with its old state and addresses.
func (s *Server) Restart() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), startTimeout)
	defer cancel()
	if err := s.Server.Restart(ctx); err != nil {
		s.t.Fatalf("restarting the local Rekor server: %v", err)
	}
}

// Rekey restarts the server with a new key, over the same tree and at the same addresses.
func (s *Server) Rekey() {
	s.t.Helper()
	s.Kill()
	if err := s.Server.Rekey(); err != nil {
		s.t.Fatalf("giving the local Rekor server another key: %v", err)
	}
	s.Restart()
}

// Binary returns the path of the real server, or ends the test as StartServer does.
func Binary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("REKOR_SERVER"); path != "" {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".build", "bin", "rekor-server-posix")
		if _, err := os.Stat(path); err == nil {
			return path
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("rekor-server-posix is missing: run `make build` first")
	}
	t.Skip("SKIPPED WITHOUT A REAL LOG: rekor-server-posix is missing; run `make build` first")
	return ""
}

// syncBuffer is a buffer for the output of a process.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// FreePort returns a port of loopback for a server of a test's own, which may be stopped and started again on it.
func FreePort() (int, error) { return freeport.Find() }
