// SPDX-License-Identifier: Apache-2.0

// Package localrekor runs the upstream Rekor v2 server (rekor-server-posix) on this machine,
// with its own key, and serves its tiles, which that server does not do itself. It is for
// trying out and for tests: everything listens on the loopback interface only.
package localrekor

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	rekornote "github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/sigstore/pkg/signature"
	"golang.org/x/mod/sumdb/note"

	"github.com/rekor-gateway/rekor-gateway/gateway/internal/freeport"
)

// Config says what to run.
type Config struct {
	Binary  string // path of rekor-server-posix
	DataDir string // key, public key and tiles; made if missing, kept over restarts
	// Origin is the checkpoints' origin. Sigstore's verifiers want it to be the host name,
	// without a port, of the log's URL in the trusted root.
	Origin string

	CheckpointInterval time.Duration // how often the log publishes; zero is 1 s
	BatchMaxAge        time.Duration // how long it gathers entries; zero is 100 ms
	PersistentAntispam bool          // remember all entries, not only the last 256
	Output             io.Writer     // the server's log; nil discards it
}

// What is in the data directory.
const (
	keyFile       = "log.key"  // PKCS#8 PEM, mode 0600
	publicKeyFile = "log.pub"  // SPKI PEM
	lockFile      = "log.lock" // held while the log runs
	tilesDir      = "tiles"
)

// Server is a running log. Its methods are not safe for concurrent use, but for Done.
type Server struct {
	cfg      Config
	key      crypto.PublicKey
	verifier note.Verifier
	keyID    []byte
	ports    ports
	tiles    *http.Server
	readURL  string
	process  *process
	lock     *os.File
}

// startTries is how often free ports are looked for: another process may take one in between.
const startTries = 3

// Start starts the log and returns once it takes entries and serves a checkpoint. The context
// bounds the wait for that only.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	s, err := newServer(cfg)
	if err != nil {
		return nil, err
	}
	if s.lock, err = lockDir(filepath.Join(cfg.DataDir, lockFile)); err != nil {
		return nil, err
	}
	if err := s.startServer(ctx); err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	return s, nil
}

func (s *Server) startServer(ctx context.Context) (err error) {
	for try := 1; ; try++ {
		if s.ports, err = freePorts(); err == nil {
			err = s.Restart(ctx)
		}
		if err == nil {
			break
		}
		if try == startTries || !errors.Is(err, errExited) {
			return err
		}
	}
	if err := s.serveTiles(); err != nil {
		return errors.Join(err, s.process.killProcess())
	}
	return nil
}

func newServer(cfg Config) (*Server, error) {
	if cfg.Origin == "" {
		return nil, errors.New("local Rekor needs an origin")
	}
	if err := os.MkdirAll(filepath.Join(cfg.DataDir, tilesDir), 0o700); err != nil {
		return nil, fmt.Errorf("making the log's directory: %w", err)
	}
	s := &Server{cfg: cfg}
	if err := s.readKey(); err != nil {
		return nil, err
	}
	return s, nil
}

// readKey reads the log's key, or makes it.
func (s *Server) readKey() error {
	key, err := loadKey(filepath.Join(s.cfg.DataDir, keyFile))
	if err != nil {
		return err
	}
	s.key = key
	if err := writePublicKey(s.PublicKeyPath(), key); err != nil {
		return err
	}
	if _, s.keyID, err = rekornote.KeyHash(s.cfg.Origin, key); err != nil {
		return fmt.Errorf("computing the log's id: %w", err)
	}
	verifier, err := signature.LoadVerifier(key, crypto.SHA256)
	if err != nil {
		return fmt.Errorf("loading the log's key: %w", err)
	}
	if s.verifier, err = rekornote.NewNoteVerifier(s.cfg.Origin, verifier); err != nil {
		return fmt.Errorf("making the checkpoint verifier: %w", err)
	}
	return nil
}

// Rekey gives a server that has ended a new key for its tree: Restart starts it with that. The old key's file is kept.
func (s *Server) Rekey() error {
	path := filepath.Join(s.cfg.DataDir, keyFile)
	if err := os.Rename(path, fmt.Sprintf("%s.%x", path, s.keyID[:4])); err != nil {
		return fmt.Errorf("putting the log's key aside: %w", err)
	}
	return s.readKey()
}

// Restart starts the server again, on the same ports, after Kill or an exit of its own.
func (s *Server) Restart(ctx context.Context) error {
	p, err := startProcess(s.buildCommand())
	if err != nil {
		return err
	}
	if err := s.waitReady(ctx, p); err != nil {
		return errors.Join(err, p.killProcess())
	}
	s.process = p
	return nil
}

// Kill ends the server at once, as a crash would. Its tiles are still served.
func (s *Server) Kill() error { return s.process.killProcess() }

// stopTimeout is how long the server may take to finish its calls.
const stopTimeout = 5 * time.Second

// Stop ends the server and the serving of tiles in an orderly way. It is to be called once.
func (s *Server) Stop() error {
	err := s.process.stopProcess(stopTimeout)
	return errors.Join(err, s.tiles.Close(), s.lock.Close())
}

// Done is closed when the server's process has ended, by itself or otherwise.
func (s *Server) Done() <-chan struct{} { return s.process.done }

// PID is the server's process.
func (s *Server) PID() int { return s.process.cmd.Process.Pid }

// GRPCURL is where entries are written.
func (s *Server) GRPCURL() string { return "http://" + loopbackAddress(s.ports.grpc) }

// ReadURL is the base URL of the tiles.
func (s *Server) ReadURL() string { return s.readURL }

// Origin is the checkpoints' origin.
func (s *Server) Origin() string { return s.cfg.Origin }

// Verifier verifies the checkpoints.
func (s *Server) Verifier() note.Verifier { return s.verifier }

// KeyID is the log's id in a trusted root, 32 bytes.
func (s *Server) KeyID() []byte { return s.keyID }

// PublicKey returns the log's key, SPKI in DER.
func (s *Server) PublicKey() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(s.key)
	if err != nil {
		return nil, fmt.Errorf("encoding the log's public key: %w", err)
	}
	return der, nil
}

// PublicKeyPath is the file with the log's key, SPKI in PEM.
func (s *Server) PublicKeyPath() string { return filepath.Join(s.cfg.DataDir, publicKeyFile) }

// ports the server listens on.
type ports struct{ grpc, http, metrics int }

// freePorts finds three ports that are free now.
func freePorts() (p ports, err error) {
	for _, port := range []*int{&p.grpc, &p.http, &p.metrics} {
		if *port, err = freeport.Find(); err != nil {
			return ports{}, err
		}
	}
	if p.grpc == p.http || p.grpc == p.metrics || p.http == p.metrics {
		return freePorts()
	}
	return p, nil
}

func loopbackAddress(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
