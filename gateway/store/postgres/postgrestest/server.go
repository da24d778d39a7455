// SPDX-License-Identifier: Apache-2.0

// Package postgrestest runs a real PostgreSQL server for tests, in a temporary folder, on a free port, and as another
// user than root, which PostgreSQL refuses.
package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/freeport"
)

// Server is a running PostgreSQL server.
type Server struct {
	folder string
	port   int
	args   []string // further ones of postgres
	owner  *syscall.Credential
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
	output bytes.Buffer  // what it said; read it when it has ended
}

// Start makes a database cluster in folder, which only its owner may enter, and starts a server on it, with settings
// such as "fsync=off". The caller stops it.
func Start(folder string, settings ...string) (*Server, error) {
	s := &Server{folder: folder}
	for _, setting := range settings {
		s.args = append(s.args, "-c", setting)
	}
	var err error
	if s.owner, err = findOwner(); err != nil {
		return nil, err
	}
	if s.port, err = freeport.Find(); err != nil {
		return nil, err
	}
	if s.owner != nil {
		if err := os.Chown(folder, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return nil, err
		}
	}
	initdb := s.command("initdb", "--pgdata", s.Data(), "--username", "gateway", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("making a database cluster: %w: %s", err, out)
	}
	return s, s.Restart()
}

// Data is the server's data folder.
func (s *Server) Data() string { return filepath.Join(s.folder, "data") }

// Port is the one that the server listens on, on loopback.
func (s *Server) Port() int { return s.port }

// Address is the one that the server listens on.
func (s *Server) Address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

// DSN names a database of the server.
func (s *Server) DSN(database string) string {
	return fmt.Sprintf("postgres://gateway@%s/%s?sslmode=disable", s.Address(), database)
}

// Process is the server's main process.
func (s *Server) Process() *os.Process { return s.cmd.Process }

// Restart starts the server again on its data, and waits until it takes connections.
func (s *Server) Restart() error {
	s.output.Reset()
	args := append([]string{"-D", s.Data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + s.folder}, s.args...)
	s.cmd = s.command("postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.output, &s.output
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	s.ended = ended
	cmd := s.cmd
	go func() {
		_ = cmd.Wait() // how it ended is in its output
		close(ended)
	}()
	return s.waitReady()
}

func (s *Server) waitReady() error {
	deadline := time.Now().Add(time.Minute)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		conn, err := pgx.Connect(ctx, s.DSN("postgres"))
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended: %s", s.output.Bytes())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return errors.Join(fmt.Errorf("the server takes no connections: %w", err), s.Kill())
		}
	}
}

// Stop ends the server in order, with all its connections.
func (s *Server) Stop() error { return s.end(syscall.SIGINT) }

// Kill ends the server as a crash does. Its children notice, and end.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

func (s *Server) end(signal syscall.Signal) error {
	if err := s.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(30 * time.Second):
		return errors.Join(errors.New("the server does not end"), s.cmd.Process.Kill())
	}
}

// Exec runs statements in a database of the server.
func (s *Server) Exec(ctx context.Context, database, statements string) error {
	conn, err := pgx.Connect(ctx, s.DSN(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statements)
	return errors.Join(err, conn.Close(ctx))
}

// command is a program of PostgreSQL's, as the owner of the data.
func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(findProgram(name), args...) //nolint:gosec,noctx // names of this package; a server outlives a context
	cmd.Dir = s.folder
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.owner, Setpgid: true}
	return cmd
}

// findOwner returns the user that a server runs as: nil is whoever runs this process.
func findOwner() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}, nil
	}
	return nil, errors.New("no user postgres or nobody, and PostgreSQL does not run as root")
}

// findProgram returns the path of a program of PostgreSQL's, of the newest version that Debian has installed, or the
// name, for the PATH.
func findProgram(name string) string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	return name
}

// Require skips the test where there is no PostgreSQL; under CI it fails.
func Require(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath(findProgram("postgres")); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal("PostgreSQL is not installed: make system-tools")
	}
	t.Skip("PostgreSQL is not installed: make system-tools")
}

// Backup copies the database cluster, while the server works on it, into a folder that is empty.
func (s *Server) Backup(folder string) error {
	if s.owner != nil {
		if err := os.Chown(folder, int(s.owner.Uid), int(s.owner.Gid)); err != nil {
			return err
		}
	}
	out, err := s.command("pg_basebackup", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port), "-U", "gateway", "-D", folder, "-c", "fast", "--no-sync").CombinedOutput()
	if err != nil {
		return fmt.Errorf("backing up: %w: %s", err, out)
	}
	return nil
}

// Restore puts a backup in the place of the data of the server, which does not run.
func (s *Server) Restore(backup string) error {
	if out, err := s.command("rm", "-rf", s.Data()).CombinedOutput(); err != nil {
		return fmt.Errorf("removing the data: %w: %s", err, out)
	}
	if out, err := s.command("cp", "-a", backup, s.Data()).CombinedOutput(); err != nil {
		return fmt.Errorf("copying the backup: %w: %s", err, out)
	}
	return nil
}
