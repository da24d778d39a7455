// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"
)

// ErrExists is returned when something is where a backup or a store would be written.
var ErrExists = errors.New("it exists already")

// errNoStore says that there is nothing to read.
var errNoStore = fmt.Errorf("there is no store: %w", fs.ErrNotExist)

// BackupOptions configure Backup.
type BackupOptions struct {
	Program string           // that writes it, for the manifest
	Now     func() time.Time // nil is time.Now
}

// Backup writes the store at path, which may be in use, into a new folder: all of it as it is at one
// moment. It is checked before the folder gets its name, and then durable. A crash before leaves a folder
// .NAME.part-*, which is of no use.
//
// Writes go on meanwhile. What they write stays in PATH-wal until the copy is done.
func Backup(ctx context.Context, path, folder string, o BackupOptions) (m Manifest, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return m, fmt.Errorf("backing up: %w", err)
	}
	if exists(folder) {
		return m, fmt.Errorf("backing up: %s: %w", folder, ErrExists)
	}
	part, err := os.MkdirTemp(filepath.Dir(folder), "."+filepath.Base(folder)+".part-*")
	if err != nil {
		return m, fmt.Errorf("backing up: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }() // it has another name when all went well
	m, err = writeBackup(ctx, path, part, o)
	if err == nil {
		err = publishBackup(part, folder)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("backing up: %w", err)
	}
	return m, nil
}

// writeBackup makes both files in the folder part, and checks them.
func writeBackup(ctx context.Context, path, part string, o BackupOptions) (Manifest, error) {
	file := filepath.Join(part, BackupFile)
	m := Manifest{Version: manifestVersion, CreateTime: o.Now().UTC().Truncate(time.Millisecond), Program: o.Program}
	if err := m.copyStore(ctx, path, file); err != nil {
		return m, err
	}
	if err := sealFile(ctx, file); err != nil {
		return m, err
	}
	var err error
	if m.Size, m.SHA256, err = hashFile(ctx, file); err != nil {
		return m, err
	}
	if err := writeManifest(part, m); err != nil {
		return m, err
	}
	if _, err := CheckBackup(ctx, part); err != nil { // as whoever restores it
		return m, err
	}
	return m, syncFolder(part)
}

// publishBackup gives the folder its name. Nothing is replaced: a folder that is not empty cannot be.
func publishBackup(part, folder string) error {
	if err := os.Rename(part, folder); err != nil {
		if exists(folder) {
			err = fmt.Errorf("%s: %w", folder, ErrExists)
		}
		return err
	}
	return syncFolder(filepath.Dir(folder))
}

// copyStore copies the store at path to file, not durably, and takes down what is in it. Both
// see the same snapshot: one transaction is open around them. Without it SQLite would begin the copy anew after each
// write of another process, and never end.
func (m *Manifest) copyStore(ctx context.Context, path, file string) error {
	if err := createFile(file); err != nil {
		return err
	}
	return readStore(ctx, path, func(conn *sql.Conn, t *tx) (err error) {
		if m.Content, err = t.readContent(); err != nil {
			return err
		}
		if m.SchemaVersion, _, err = t.compareVersions(); err != nil {
			return err
		}
		return conn.Raw(func(c any) error { return copyPages(ctx, c, file) })
	})
}

// pagesPerStep is how much is copied between two looks at the context, in pages of 4 KiB.
const pagesPerStep = 1024

// copyPages copies the whole database of the driver's connection c to file.
func copyPages(ctx context.Context, c any, file string) (err error) {
	from, ok := c.(interface {
		NewBackup(dstURI string) (*driver.Backup, error)
	})
	if !ok {
		return errors.New("the driver has no online backup")
	}
	b, err := from.NewBackup(scratchDSN(file))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Finish()) }()
	for more := true; more && err == nil; {
		if err = ctx.Err(); err == nil {
			more, err = b.Step(pagesPerStep)
		}
	}
	return err
}

// sealFile makes a database at path, which is nobody else's, one file that needs no other, and makes it durable.
func sealFile(ctx context.Context, path string) error {
	connector, err := driver.NewConnector(aloneDSN(path))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	var mode string
	err = db.QueryRowContext(ctx, `PRAGMA journal_mode = DELETE`).Scan(&mode) // the store's own is in its first page
	if err == nil && mode != "delete" {
		err = fmt.Errorf("the journal mode of the copy is %s", mode)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return syncFile(path)
}

// syncFile makes a file's content durable.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// hashFile returns the size of a file and its SHA-256 in hex.
func hashFile(ctx context.Context, path string) (size int64, digest string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close() //nolint:errcheck // only read
	return copyHashed(ctx, io.Discard, f)
}

// copyHashed copies r to w until ctx ends, and returns the size and the SHA-256 in hex.
func copyHashed(ctx context.Context, w io.Writer, r io.Reader) (size int64, digest string, err error) {
	h := sha256.New()
	size, err = io.Copy(io.MultiWriter(w, h), readerFunc(func(p []byte) (int, error) {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		return r.Read(p)
	}))
	return size, hex.EncodeToString(h.Sum(nil)), err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
