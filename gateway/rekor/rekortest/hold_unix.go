// SPDX-License-Identifier: Apache-2.0

//go:build unix

package rekortest

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// HoldSequencing makes the log stall until release is called: it takes entries and answers none, and what it
// has taken it includes afterwards. It holds the lock under which the server sequences.
func (s *Server) HoldSequencing() (release func()) {
	s.t.Helper()
	path := filepath.Join(filepath.Dir(s.PublicKeyPath()), "tiles", ".state", "treeState.lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		s.t.Fatalf("opening the server's lock: %v", err)
	}
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.FcntlFlock(f.Fd(), syscall.F_SETLKW, &lock)
	}
	if err != nil {
		s.t.Fatalf("locking %s: %v", path, err)
	}
	return func() { _ = f.Close() } // which gives the lock back
}

// Freeze stops the server's process, as on a machine that hangs, until thaw is called: its connections stay,
// and nothing answers.
func (s *Server) Freeze() (thaw func()) {
	s.t.Helper()
	pid := s.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		s.t.Errorf("stopping the local Rekor server: %v", err)
	}
	return func() { _ = syscall.Kill(pid, syscall.SIGCONT) } // it may have been killed meanwhile
}
