// SPDX-License-Identifier: Apache-2.0

package rekorv1test

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// process is a running program.
type process struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has

	mu   sync.Mutex
	said bytes.Buffer
}

// start starts one of the programs.
func (s *Server) start(name string, arguments ...string) *process {
	s.t.Helper()
	p := &process{name: name, ended: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(s.programs, name), arguments...) //nolint:gosec,noctx // programs of this package; a server outlives a context
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = s.folder, p, p
	if err := p.cmd.Start(); err != nil {
		s.t.Fatalf("starting %s: %v", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in what it said
		close(p.ended)
	}()
	return p
}

// Write takes what the process says.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// kill ends the process, if it has not ended, and waits until it has.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails for one that has ended
	<-p.ended
}

func (p *process) pause()  { _ = p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) resume() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }
