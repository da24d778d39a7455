// SPDX-License-Identifier: Apache-2.0

// Package rekorv1test runs the real Rekor v1 for tests: rekor-server over Trillian over PostgreSQL, with its search index in Redis, in a
// temporary folder and on free ports.
package rekorv1test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/freeport"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/ratelimit/redistest"
)

// Hostname is what the server calls itself, unless it is Named: the first part of its checkpoints' origin.
const Hostname = "rekor-v1.test"

const startTimeout = time.Minute

// Server is a running Rekor v1.
type Server struct {
	// URL is where the API is, without a slash at its end.
	URL string
	// Key is the SubjectPublicKeyInfo of the log's ECDSA P-256 key, DER.
	Key []byte

	hostname string
	t        testing.TB
	folder   string
	programs string
	port     int
	trillian int // the port of the log server
	redis    *redistest.Server
	log      *process // of Trillian
	signer   *process // of Trillian
	server   *process
	tree     int64
}

// Start starts a log of its own, which ends with the test. The programs are in $REKOR_V1, or .build/rekorv1 in the repository. Without them the
// test is skipped, or fails where $CI is set.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	s := &Server{hostname: Hostname, t: t, folder: t.TempDir(), programs: findPrograms(t), redis: redistest.NewServer(t)}
	for _, option := range options {
		option(s)
	}
	if err := errors.Join(s.makeKey(), s.startStorage()); err != nil {
		t.Fatal(err)
	}
	s.port = must(freeport.Find())
	s.URL = "http://127.0.0.1:" + strconv.Itoa(s.port)
	s.startServer()
	return s
}

// Option says how a server is started.
type Option func(*Server)

// Named has the server call itself by another name than Hostname.
func Named(hostname string) Option { return func(s *Server) { s.hostname = hostname } }

// CLI is the path of rekor-cli.
func (s *Server) CLI() string { return filepath.Join(s.programs, "rekor-cli") }

// TreeID is that of the log in Trillian, as it is in UUIDs and in the checkpoints' origin.
func (s *Server) TreeID() int64 { return s.tree }

// Kill ends rekor-server as a crash does.
func (s *Server) Kill() { s.server.kill() }

// Restart starts rekor-server again, over the same tree.
func (s *Server) Restart() {
	s.t.Helper()
	s.startServer()
}

// Hold keeps entries from being integrated until Release: what is sent meanwhile waits.
func (s *Server) Hold() { s.signer.pause() }

// Release ends Hold.
func (s *Server) Release() { s.signer.resume() }

func (s *Server) stop() {
	for _, p := range []*process{s.server, s.signer, s.log} {
		if p != nil {
			p.kill()
			if s.t.Failed() {
				s.t.Logf("%s said:\n%s", p.name, p.output())
			}
		}
	}
}

func (s *Server) keyFile() string { return filepath.Join(s.folder, "key.pem") }

func (s *Server) makeKey() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if s.Key, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		return err
	}
	return os.WriteFile(s.keyFile(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// startStorage starts PostgreSQL with Trillian's tables, and Trillian.
func (s *Server) startStorage() error {
	s.t.Helper()
	db := postgrestest.NewServer(s.t, "fsync=off")
	s.t.Cleanup(s.stop) // before PostgreSQL's
	ctx, cancel := context.WithTimeout(s.t.Context(), startTimeout)
	defer cancel()
	schema, err := os.ReadFile(filepath.Join(s.programs, "storage.sql"))
	if err != nil {
		return err
	}
	if err := errors.Join(db.Exec(ctx, "postgres", "CREATE DATABASE trillian"), db.Exec(ctx, "trillian", string(schema))); err != nil {
		return fmt.Errorf("making Trillian's tables: %w", err)
	}
	s.trillian = must(freeport.Find())
	storage := []string{"--storage_system=postgresql", "--quota_system=noop", "--http_endpoint=", "--postgresql_uri=" + db.DSN("trillian"), "--logtostderr"}
	s.log = s.start("trillian_log_server", append(storage, "--rpc_endpoint=127.0.0.1:"+strconv.Itoa(s.trillian))...)
	s.signer = s.start("trillian_log_signer", append(storage, "--rpc_endpoint=127.0.0.1:"+strconv.Itoa(must(freeport.Find())),
		"--force_master", "--sequencer_interval=100ms", "--batch_size=1000")...)
	return s.waitForTrillian()
}

// waitForTrillian waits until the log server takes connections: rekor-server does not wait for it.
func (s *Server) waitForTrillian() error {
	for deadline := time.Now().Add(startTimeout); ; {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(s.trillian)) //nolint:noctx // on loopback
		if err == nil {
			return conn.Close()
		}
		if s.log.hasEnded() || time.Now().After(deadline) {
			return fmt.Errorf("trillian takes no connections: %w\n%s", err, s.log.output())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// startServer starts rekor-server and waits until it answers. The first time, it makes the tree.
func (s *Server) startServer() {
	s.t.Helper()
	redis := must(url.Parse(s.redis.URL()))
	s.server = s.start("rekor-server", "serve", "--port="+strconv.Itoa(s.port), "--rekor_server.address=127.0.0.1", "--rekor_server.hostname="+s.hostname,
		"--rekor_server.signer="+s.keyFile(), "--trillian_log_server.port="+strconv.Itoa(s.trillian),
		"--trillian_log_server.tlog_id="+strconv.FormatInt(s.tree, 10),
		"--redis_server.address="+redis.Hostname(), "--redis_server.port="+redis.Port(), "--log_type=prod")
	for deadline := time.Now().Add(startTimeout); ; {
		tree, err := s.readTree()
		if err == nil {
			s.tree = tree
			return
		}
		if s.server.hasEnded() || time.Now().After(deadline) {
			s.t.Fatalf("Rekor v1 does not answer: %v\n%s", err, s.server.output())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// readTree returns the log's tree as the server says.
func (s *Server) readTree() (int64, error) {
	response, err := http.Get(s.URL + "/api/v1/log") //nolint:noctx // on loopback
	if err != nil {
		return 0, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("status %s", response.Status)
	}
	var info struct {
		TreeID string `json:"treeID"`
	}
	if err := json.NewDecoder(response.Body).Decode(&info); err != nil {
		return 0, err
	}
	return strconv.ParseInt(info.TreeID, 10, 64)
}

// findPrograms returns the folder with the programs, or ends the test as Start does.
func findPrograms(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("REKOR_V1"); path != "" {
		return path
	}
	dir := must(os.Getwd())
	for ; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, ".build", "rekorv1")
		if _, err := os.Stat(filepath.Join(path, "storage.sql")); err == nil { // which comes last
			return path
		}
		if filepath.Dir(dir) == dir {
			break
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("Rekor v1 is missing: run `make rekorv1` first")
	}
	t.Skip("SKIPPED WITHOUT A REAL LOG: Rekor v1 is missing; run `make rekorv1` first")
	return ""
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
