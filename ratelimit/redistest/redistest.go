// SPDX-License-Identifier: Apache-2.0

// Package redistest runs a real Redis server for tests, in a temporary folder, on a free port.
package redistest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// program is Redis's server.
const program = "redis-server"

// Server is a Redis server, which ends with its test.
type Server struct {
	t      testing.TB
	folder string
	port   int
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
	output bytes.Buffer  // what it said; read it when it has ended
}

// NewServer starts a server. Without Redis the test is skipped; under CI it fails.
func NewServer(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("Redis is not installed: make system-tools")
		}
		t.Skip("Redis is not installed: make system-tools")
	}
	s := &Server{t: t, folder: t.TempDir(), port: FreePort(t)}
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// FreePort returns a port of loopback on which nothing listens.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was sent
	return l.Addr().(*net.TCPAddr).Port
}

// URL names the server's first database.
func (s *Server) URL() string { return "redis://127.0.0.1:" + strconv.Itoa(s.port) + "/0" }

// Start starts the server again, empty, and waits until it takes connections.
func (s *Server) Start() {
	s.t.Helper()
	s.output.Reset()
	s.cmd = exec.Command(program, "--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.folder, "--save", "", "--appendonly", "no") //nolint:gosec,noctx // a server outlives a context
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	ended, cmd := make(chan struct{}), s.cmd
	s.ended = ended
	go func() {
		_ = cmd.Wait() // how it ended is in its output
		close(ended)
	}()
	s.waitReady()
}

func (s *Server) waitReady() {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.port)); err == nil { //nolint:noctx // loopback
			_ = conn.Close()
			return
		}
		select {
		case <-s.ended:
			s.t.Fatalf("Redis ended: %s", s.output.Bytes())
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.t.Fatal("Redis takes no connections")
}

// Kill ends the server as a crash does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
}

// Freeze stops the server, which keeps its connections and answers nothing. Thaw lets it go on.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}
