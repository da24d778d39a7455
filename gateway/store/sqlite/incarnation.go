// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

const (
	selectNonce = `SELECT nonce FROM incarnation`

	doubtLogs = `UPDATE log SET copied = 1`

	selectLastEntry = `SELECT COALESCE(MAX(id), 0) FROM entry`

	setNonce = `INSERT INTO incarnation (id, nonce) VALUES (1, ?) ON CONFLICT DO UPDATE SET nonce = excluded.nonce`
)

// incarnationSuffix names the file that holds, in hex, one a line, the nonce of the last opening and
// that of the one before, and then when the database's file was made, where that is known.
const incarnationSuffix = ".incarnation"

// birthPrefix begins the line that says so, in nanoseconds since 1970.
const birthPrefix = "born:"

// beginIncarnation gives this opening a nonce of its own and compares what is in the database with
// what is in the file beside it. That the store is a copy is committed before the file names this opening, so that no crash
// leaves one that nobody sees any more.
func (s *Store) beginIncarnation(ctx context.Context, path string) error {
	born := formatBirth(path)
	path += incarnationSuffix
	if err := s.writeTx(ctx, "looking for a copy", func(t *tx) error { return s.compareIncarnations(t, path, born) }); err != nil {
		return err
	}
	return s.writeTx(ctx, "beginning incarnation", func(t *tx) error { return s.storeIncarnation(t, path, born) })
}

// compareIncarnations finds out whether the store is a copy, and then puts in doubt all that it says.
func (s *Store) compareIncarnations(t *tx, path, born string) error {
	last, err := readNonce(t)
	if err != nil || last == "" {
		return err
	}
	known, err := readIncarnations(path)
	if err != nil {
		return err
	}
	s.incarnation.Restored = !slices.Contains(known, last)
	s.incarnation.Copied = !s.incarnation.Restored && isCopy(known, born)
	if !s.incarnation.Restored && !s.incarnation.Copied {
		return nil
	}
	_, logsErr := t.Exec(doubtLogs)
	_, ownErr := t.Exec(doubtOwnLogs)
	return errors.Join(logsErr, ownErr)
}

// storeIncarnation writes the nonce to the file and to the database. The write lock is held meanwhile, so that openings come one after
// the other. A crash before the transaction is committed leaves the database with the nonce before, which the file holds too.
func (s *Store) storeIncarnation(t *tx, path, born string) error {
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	last, err := readNonce(t)
	if err != nil {
		return err
	}
	s.incarnation.ID = hex.EncodeToString(nonce)
	lines := []string{s.incarnation.ID}
	if last != "" {
		lines = append(lines, last)
	}
	if err := writeIncarnations(path, append(lines, born)); err != nil {
		return err
	}
	if _, err = t.Exec(setNonce, nonce); err != nil {
		return err
	}
	return t.QueryRow(selectLastEntry).Scan(&s.lastEntry)
}

// readNonce returns the nonce of the last opening in hex, "" where there is none.
func readNonce(t *tx) (string, error) {
	var last []byte
	err := t.QueryRow(selectNonce).Scan(&last)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return hex.EncodeToString(last), err
}

// Incarnation implements gateway.Store. Restored says that the database is neither of the last opening
// under this path nor of the one before: its nonce is not in the file beside it, or that file is missing.
// A copy made since the opening before the last is not noticed by that. Copied says that the database's file
// was made after the one that was last opened, as when a whole folder is put back; content that is written over the
// same file, or a file system that goes back, is not noticed.
func (s *Store) Incarnation() gateway.Incarnation { return s.incarnation }

// formatBirth returns the line that says when the file at path was made, "" where that is not known.
func formatBirth(path string) string {
	if born := readBirth(path); born != 0 {
		return birthPrefix + strconv.FormatInt(born, 10)
	}
	return ""
}

// isCopy reports whether the file that was made at born is another than the one that the lines are of.
func isCopy(lines []string, born string) bool {
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, birthPrefix) })
	return i >= 0 && born != "" && lines[i] != born
}

// readIncarnations returns what the file holds: nothing when it is missing.
func readIncarnations(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return strings.Fields(string(b)), nil
}

// writeIncarnations replaces the file as a whole, durably.
func writeIncarnations(path string, lines []string) (err error) {
	if err := os.Remove(path + ".new"); err != nil && !errors.Is(err, os.ErrNotExist) { // a crash left it
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, writeErr := fmt.Fprintln(f, strings.Join(lines, "\n"))
	if err := errors.Join(writeErr, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
