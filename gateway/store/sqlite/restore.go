// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	driver "modernc.org/sqlite"

	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// RestoreOptions configure Restore.
type RestoreOptions struct {
	Force  bool             // replace a store
	Logger *slog.Logger     // for migrations; nil discards
	Now    func() time.Time // nil is time.Now
}

// Restored is what a restore did.
type Restored struct {
	Manifest
	Aside string `json:"aside"` // where the store that was there before is now, "" for none
}

// Restore checks the backup in folder and makes it the store at path, which nobody uses. A store that is
// there is replaced only by force, and is kept beside it under another name.
//
// All pending entries of which a send had begun are in doubt afterwards, as last sent at the time of the
// restore, and none is leased: those who sent them went on after the backup. The nonce is one that no
// file knows, so that the next opening finds the store Restored.
//
// A crash leaves the store as it was, or the restored one, or, while the files are moved, one that
// refuses to be opened with ErrInterrupted: then the restore has to be run again.
func Restore(ctx context.Context, folder, path string, o RestoreOptions) (r Restored, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if r, err = restoreBackup(ctx, folder, path, o); err != nil {
		return Restored{}, fmt.Errorf("restoring: %w", err)
	}
	return r, nil
}

func restoreBackup(ctx context.Context, folder, path string, o RestoreOptions) (r Restored, err error) {
	if r.Manifest, err = readManifest(folder); err != nil {
		return r, err
	}
	if path, err = createFolder(path); err != nil {
		return r, err
	}
	lock, err := lockExclusively(path)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	if exists(path) && !o.Force {
		return r, fmt.Errorf("%s: %w", path, ErrExists)
	}
	if err := stageBackup(ctx, folder, path, r.Manifest, o); err != nil {
		return r, err
	}
	r.Aside, err = replaceStore(path, o.Now())
	return r, err
}

// partSuffix names the copy that is not complete yet.
const partSuffix = ".restore-part"

// stageBackup makes the store that is to be at path, complete and durable, under the name with stagingSuffix.
func stageBackup(ctx context.Context, folder, path string, m Manifest, o RestoreOptions) (err error) {
	part := path + partSuffix
	if err := removeFiles(part); err != nil { // a crash left it
		return err
	}
	defer func() { err = errors.Join(err, removeFiles(part)) }() // it has another name when all went well
	if err := copyBackup(ctx, filepath.Join(folder, BackupFile), part, m); err != nil {
		return err
	}
	if err := checkContent(ctx, part, m); err != nil {
		return err
	}
	if err := prepareRestored(ctx, part, m, o); err != nil {
		return err
	}
	if err := syncFile(part); err != nil {
		return err
	}
	if err := os.Rename(part, path+stagingSuffix); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// copyBackup copies the backup's file, and checks what it has read.
func copyBackup(ctx context.Context, from, to string, m Manifest) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // only read
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	size, digest, err := copyHashed(ctx, target, io.LimitReader(source, m.Size+1))
	if err := errors.Join(err, target.Close()); err != nil {
		return err
	}
	if size != m.Size || digest != m.SHA256 {
		return fmt.Errorf("%w: %s is not what its manifest says", ErrDamaged, BackupFile)
	}
	return nil
}

// markRestored says of each entry that was ever claimed that it may have been sent until now. What is proven of its
// absence stays true: whatever was sent since is behind it.
const markRestored = `
UPDATE entry SET in_doubt = 1, last_sent_at = MAX(last_sent_at, ?), leased_until = 0
WHERE state = 'PENDING' AND sent_at_tree_size IS NOT NULL`

// The clock of leases and due times may be another machine's: it begins anew, and no wait is longer than until now.
const (
	forgetClock  = `DELETE FROM clock`
	endLongWaits = `UPDATE entry SET next_at = MIN(next_at, ?) WHERE state = 'PENDING'`
)

// prepareRestored makes the copy at path the store of a new life.
func prepareRestored(ctx context.Context, path string, m Manifest, o RestoreOptions) (err error) {
	connector, err := driver.NewConnector(stagingDSN(path))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err := migrateTables(ctx, db, o.Logger); err != nil {
		return err
	}
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	return transact(ctx, db, &sql.TxOptions{}, func(t *tx) error {
		c, err := t.readContent()
		if err != nil {
			return err
		}
		if c.Submissions != m.Submissions || c.Entries != m.Entries {
			return fmt.Errorf("%w: after migrating it has %+v in it, the manifest says %+v", ErrDamaged, c, m.Content)
		}
		if _, err := t.Exec(forgetClock); err != nil {
			return err
		}
		if _, err := t.Exec(endLongWaits, store.Millis(o.Now())); err != nil {
			return err
		}
		if _, err := t.Exec(markRestored, store.Millis(o.Now())); err != nil {
			return err
		}
		_, err = t.Exec(setNonce, nonce)
		return err
	})
}

// sideSuffixes are those of the files that belong to a store's own and mean nothing beside another. The store's own
// file comes last: until all are moved, it says that some are left.
var sideSuffixes = []string{"-wal", "-journal", "-shm", incarnationSuffix, ""}

// asideSuffix, and a time in this form, name a store that was moved away.
const (
	asideSuffix = ".before-restore-"
	asideTime   = "20060102T150405.000000000Z"
)

// replaceStore moves the store at path away, if there is one, and the staged one to its place. From here
// on a crash leaves the staged one, which says so.
func replaceStore(path string, now time.Time) (aside string, err error) {
	if info, err := os.Stat(path); err == nil {
		now = info.ModTime() // so that the same store has the same name when this is done again
	}
	aside = path + asideSuffix + now.UTC().Format(asideTime)
	moved := false
	for _, suffix := range sideSuffixes {
		if !exists(path + suffix) {
			continue
		}
		if exists(aside + suffix) {
			return "", fmt.Errorf("moving the store away: %s: %w", aside+suffix, ErrExists)
		}
		if err := os.Rename(path+suffix, aside+suffix); err != nil {
			return "", err
		}
		moved = true
	}
	if !moved {
		aside = ""
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return "", err
	}
	if err := os.Rename(path+stagingSuffix, path); err != nil {
		return "", err
	}
	return aside, syncFolder(filepath.Dir(path))
}

// removeFiles removes the database at path with all that SQLite makes beside it.
func removeFiles(path string) error {
	var errs []error
	for _, suffix := range sideSuffixes {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
