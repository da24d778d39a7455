// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	driver "modernc.org/sqlite"
)

// movedSuffix names the file that says that a store goes on elsewhere: what waits in it would be sent from both.
const movedSuffix = ".moved"

// ErrMoved is returned where a store was copied to another place, in which it goes on.
var ErrMoved = errors.New("the store was copied, and goes on elsewhere")

// Source is a store that nobody uses, while it is copied into another one.
type Source struct {
	DB    *sql.DB // for reading
	Nonce string  // names its state: another one after each opening
	path  string
	lock  *flock.Flock
}

// OpenSource takes the store at path for itself. Its tables are this release's, and sound.
func OpenSource(ctx context.Context, path string) (_ *Source, err error) {
	if path, err = resolvePath(path); err != nil {
		return nil, fmt.Errorf("opening the store to copy: %w", err)
	}
	s := &Source{path: path}
	if err := s.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store to copy: %w", err), s.Close())
	}
	return s, nil
}

func (s *Source) open(ctx context.Context) (err error) {
	switch {
	case exists(s.path + stagingSuffix):
		return ErrInterrupted
	case !exists(s.path):
		return fmt.Errorf("%w: %s", errNoStore, s.path)
	}
	if s.lock, err = lockExclusively(s.path); err != nil {
		return err
	}
	connector, err := driver.NewConnector(readerDSN(s.path))
	if err != nil {
		return err
	}
	s.DB = sql.OpenDB(connector)
	return explainSQLite(runTx(ctx, s.DB, &sql.TxOptions{ReadOnly: true}, "reading it", func(t *tx) error {
		if err := t.requireVersion(); err != nil {
			return err
		}
		if err := t.checkIntegrity(); err != nil {
			return err
		}
		var nonce []byte
		if err := t.QueryRow(selectNonce).Scan(&nonce); err != nil {
			return fmt.Errorf("no gateway was ever started on it: %w", err)
		}
		s.Nonce = hex.EncodeToString(nonce)
		return nil
	}))
}

// MarkMoved keeps gateways from this store. It may be done again.
func (s *Source) MarkMoved() error {
	if err := os.WriteFile(s.path+movedSuffix, []byte("This store was copied into another one, and goes on there.\n"), 0o600); err != nil {
		return err
	}
	return errors.Join(syncFile(s.path+movedSuffix), syncFolder(filepath.Dir(s.path)))
}

// Close lets others use the store.
func (s *Source) Close() error {
	var errs []error
	if s.DB != nil {
		errs = append(errs, s.DB.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

// lockToWork is lockStore, for who changes the store.
func lockToWork(path string) (*flock.Flock, error) {
	lock, err := lockStore(path)
	if err == nil && exists(path+movedSuffix) {
		err = errors.Join(fmt.Errorf("%w: two gateways would send twice what waits in it; remove %s if this one is to be used after all", ErrMoved, path+movedSuffix), lock.Close())
	}
	return lock, err
}
