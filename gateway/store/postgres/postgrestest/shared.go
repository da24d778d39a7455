// SPDX-License-Identifier: Apache-2.0

package postgrestest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

var (
	shared struct {
		once   sync.Once
		server *Server
		folder string
		err    error
	}
	databases atomic.Int64
)

// Main runs the tests of a package, and stops the server that they share. A package's TestMain calls it.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.server != nil {
		if err := shared.server.end(syscall.SIGQUIT); err != nil { // at once: nothing of it is kept
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if shared.folder != "" {
		if err := os.RemoveAll(shared.folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	return code
}

// Shared returns the server that the tests of this package share, which is started by the first that asks. The
// package's TestMain is Main. Nobody stops or kills it.
func Shared(t testing.TB) *Server {
	t.Helper()
	Require(t)
	shared.once.Do(func() {
		if shared.folder, shared.err = makeFolder(); shared.err != nil {
			return
		}
		shared.server, shared.err = Start(shared.folder, "shared_buffers=64MB", "max_connections=200")
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// NewServer starts a server of a test's own, which may be killed and restarted; it ends with the test.
func NewServer(t testing.TB, settings ...string) *Server {
	t.Helper()
	Require(t)
	folder, err := makeFolder()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Start(folder, settings...)
	t.Cleanup(func() {
		if s != nil && s.cmd != nil && s.cmd.Process != nil {
			if err := s.Stop(); err != nil {
				t.Error(err)
			}
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// NewDatabase makes an empty database for one test, and returns its data source name. It is a copy of template,
// which nobody is connected to; "" is PostgreSQL's own.
func (s *Server) NewDatabase(t testing.TB, template string) (dsn string) {
	t.Helper()
	name := fmt.Sprintf("test_%d", databases.Add(1))
	statement := `CREATE DATABASE ` + name
	if template != "" {
		statement += ` TEMPLATE ` + template
	}
	if err := s.Exec(t.Context(), "postgres", statement); err != nil {
		t.Fatal(err)
	}
	return s.DSN(name)
}

// DatabaseOf returns the name of the database in a DSN of this package.
func DatabaseOf(dsn string) string {
	name := dsn[strings.LastIndexByte(dsn, '/')+1:]
	name, _, _ = strings.Cut(name, "?")
	return name
}
