// SPDX-License-Identifier: Apache-2.0

// Package sqlite keeps submissions, entries and checkpoints in one SQLite file.
//
// All writes of a process go through one connection, one transaction after the other; each
// is fsynced (WAL, synchronous=FULL) before its method returns. Reads have connections of
// their own and see a consistent snapshot. A kill at any moment leaves the file as the last
// transaction that was committed left it.
//
// What changes and what lists show is hot; receipts, entries' bodies and inclusions are cold, and
// in tables of their own (hotcold.sql).
//
// To the file at PATH belong PATH-wal and PATH-shm, which SQLite makes beside it, PATH.incarnation, by
// which an older copy that was put in its place is recognised, and PATH.lock, which keeps a restore
// from a store that is in use: copy and move them together, with no process at work. Backup needs no
// pause.
//
// Several processes on one machine may open the same file: SQLite's locks order their
// transactions, and the bounds and fences are checked inside of them. Never put the file on
// a network file system, whose locks cannot be trusted.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
	driver "modernc.org/sqlite"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/turns"
)

// Options configure a Store.
type Options struct {
	// MaxPending and MaxPendingBytes bound the pending entries of all logs together, and what is
	// stored for them: bodies, signatures and receipts; 0 is no bound.
	MaxPending      int
	MaxPendingBytes int64
	// Patience is how long a write waits for those of this process and of others before it fails; 0 is
	// 10 seconds.
	Patience time.Duration
	// Logger logs migrations; nil discards.
	Logger *slog.Logger
	// Now is the clock of the wall; nil is time.Now. Leases and due times go by a clock that nobody sets
	// (clock.go), unless Now is given.
	Now func() time.Time

	boot bootClock // in place of the machine's, for tests
}

// Store is a gateway.Store in a SQLite file.
//
// An entry that several submissions share is one row. When it has Failed and a new
// submission brings it again, even another tenant's, it becomes Pending for all of them,
// with its attempts counted afresh, and is the new one's tenant's. A Pending one stays that of the
// tenant who needed it first, and takes the highest priority that any of its submissions was given.
type Store struct {
	opts        Options
	lock        *flock.Flock // shared, until Close
	incarnation gateway.Incarnation
	lastEntry   int64 // when it was opened
	clock       queueClock
	writer      *sql.DB // one connection
	readers     *sql.DB
	checkpoints *checkpointer // nil beside a gateway
	statements  statements    // on writer
	usualWrites queries       // on writer
	usualReads  queries       // on readers

	tenants, logs, takeovers *rowIDs[string]
	shards                   *rowIDs[gateway.Shard]
	rotation                 turns.Rotation
	doubted                  sync.Map // the shards of which DoubtPending was called
}

var _ gateway.Store = (*Store)(nil)

// Open opens the store at path, makes the file (mode 0600) and its folder (0700) when they
// are missing, and brings the tables up to date. A file that a newer release has migrated
// is refused.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	path, err := createFolder(path)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	s := newStore(opts)
	if err := s.openFile(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", path, err), s.Close())
	}
	return s, nil
}

// OpenBeside opens a store that is there for a command that works on it beside a gateway. It migrates nothing, and
// is no opening in the sense of Incarnation: a restored store is one still for whoever opens it next.
func OpenBeside(ctx context.Context, path string, opts Options) (_ *Store, err error) {
	path, err = resolvePath(path)
	if err != nil {
		return nil, fmt.Errorf("opening store: %w", err)
	}
	s := newStore(opts)
	if err := s.openBeside(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("opening store %s: %w", path, err), s.Close())
	}
	return s, nil
}

func newStore(opts Options) *Store {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Patience == 0 {
		opts.Patience = defaultPatience
	}
	if opts.Now == nil {
		opts.Now = time.Now
		if opts.boot.id == "" {
			opts.boot = machineBoot()
		}
	}
	return &Store{opts: opts, tenants: newTenantIDs(), logs: newLogIDs(), takeovers: newTakeoverIDs(), shards: newShardIDs()}
}

func (s *Store) openBeside(ctx context.Context, path string) (err error) {
	if !exists(path) && !exists(path+stagingSuffix) {
		return errNoStore
	}
	if s.lock, err = lockToWork(path); err != nil {
		return err
	}
	if err := s.connectWriter(ctx, path); err != nil {
		return err
	}
	if err := runTx(ctx, s.writer, &sql.TxOptions{}, "reading its version", (*tx).requireVersion); err != nil {
		return explainSQLite(err)
	}
	return s.connectReaders(ctx, path)
}

// openFile takes the lock before it looks at the file.
func (s *Store) openFile(ctx context.Context, path string) (err error) {
	if s.lock, err = lockToWork(path); err != nil {
		return err
	}
	if err := createFile(path); err != nil {
		return err
	}
	return s.openDatabases(ctx, path)
}

func (s *Store) openDatabases(ctx context.Context, path string) error {
	if err := s.connectWriter(ctx, path); err != nil {
		return err
	}
	if err := migrateTables(ctx, s.writer, s.opts.Logger); err != nil {
		return err
	}
	if err := s.beginIncarnation(ctx, path); err != nil {
		return err
	}
	if err := s.connectReaders(ctx, path); err != nil {
		return err
	}
	if err := s.forgetOpen(ctx); err != nil {
		return err
	}
	var err error
	s.checkpoints, err = startCheckpointer(path, s.writer)
	return err
}

func (s *Store) connectWriter(ctx context.Context, path string) error {
	writer, err := driver.NewConnector(writerDSN(path))
	if err != nil {
		return err
	}
	s.writer = sql.OpenDB(writer)
	s.writer.SetMaxOpenConns(1)
	return makeDurable(ctx, s.writer, path)
}

func (s *Store) connectReaders(ctx context.Context, path string) error {
	reader, err := driver.NewConnector(readerDSN(path))
	if err != nil {
		return err
	}
	if err := s.setUpClock(ctx); err != nil {
		return err
	}
	s.readers = sql.OpenDB(reader)
	connections := max(4, runtime.GOMAXPROCS(0))
	s.readers.SetMaxOpenConns(connections)
	s.readers.SetMaxIdleConns(connections)
	if s.usualReads, err = prepareQueries(ctx, s.readers, usualReads); err != nil {
		return err
	}
	if s.usualWrites, err = prepareQueries(ctx, s.writer, usualWrites); err != nil {
		return err
	}
	return s.statements.prepareStatements(ctx, s.writer)
}

// Close waits for running calls and closes the file. Later calls fail; a second Close does
// nothing.
func (s *Store) Close() error {
	var errs []error
	if s.checkpoints != nil {
		errs = append(errs, s.checkpoints.closeCheckpointer())
	}
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.statements.closeStatements(), s.writer.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing store: %w", err)
	}
	return nil
}

// createFolder makes the folder of path where it is missing, and returns the path of the file itself.
func createFolder(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path given")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	return resolvePath(path)
}

// createFile makes an empty file where there is none. SQLite gives its side files the mode of the file
// itself.
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), syncFolder(filepath.Dir(path)))
}

// syncFolder makes a new file's name durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
