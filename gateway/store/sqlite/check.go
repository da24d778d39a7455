// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"

	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrDamaged is returned when a store or a backup is not what it should be.
	ErrDamaged = errors.New("damaged")
	// ErrVersion is returned when a store or a backup is of another release.
	ErrVersion = errors.New("of another release")
)

// findDamage finds the first thing that SQLite does not find sound. It reads all of the file.
const findDamage = `SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`

// disagreements are queries that find what is stored twice and does not agree, by what they look at.
var disagreements = []struct{ of, query string }{
	{"foreign keys", `SELECT "table" || ' ' || COALESCE(rowid, '') FROM pragma_foreign_key_check`},
	{"triggers and views", `SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index')`},
	{"queue length", `
SELECT name || ' ' || pending FROM log l
WHERE pending <> (SELECT COUNT(*) FROM entry e WHERE e.log = l.id AND e.state = 'PENDING')`},
	{"queue bytes", `
SELECT name || ' ' || pending_bytes FROM log l WHERE pending_bytes <>
(SELECT COALESCE(SUM(bytes), 0) FROM entry e WHERE e.log = l.id AND e.state = 'PENDING')`},
	{"entry bytes", `
SELECT id || ' ' || bytes FROM entry e WHERE state <> 'LOGGED' AND bytes <>
(SELECT length(body) + COALESCE(length(signature), 0) FROM entry_blob WHERE entry = id) +
(SELECT COALESCE(SUM(length(receipt)), 0) FROM submission_entry se JOIN submission_blob b ON b.submission = se.submission
 WHERE se.entry = id AND role = 0)`},
	{"cold rows", `
SELECT 'entry ' || id FROM entry WHERE id NOT IN (SELECT entry FROM entry_blob)
UNION ALL SELECT 'inclusion ' || id FROM entry e JOIN entry_blob b ON b.entry = e.id
WHERE (e.state = 'LOGGED' AND e.log NOT IN (SELECT log FROM own_log)) <> (b.inclusion IS NOT NULL)`},
	{"spooled artifacts", `
SELECT 'artifact ' || hex(id) FROM blob b WHERE doomed = 0 AND
(size, parts, parts - 1) IS NOT (SELECT SUM(length(data)), COUNT(*), MAX(part) FROM blob_part WHERE blob = id)
UNION ALL SELECT 'use of ' || hex(u.blob) FROM blob_use u JOIN blob b ON b.id = u.blob WHERE b.attached = 0 OR b.sha256 IS NULL`},
	{"own logs", strayOwnEntries},
	{"search", `
SELECT 'submission ' || seq FROM submission
WHERE (length(digests) > 0) <> (seq IN (SELECT submission FROM submission_digest))
OR (length(signatures) > 5) <> (seq IN (SELECT submission FROM submission_signer))
UNION ALL SELECT 'digest of ' || seq FROM submission_digest d JOIN submission s ON s.seq = d.submission WHERE s.tenant <> d.tenant
UNION ALL SELECT 'signer of ' || seq FROM submission_signer g JOIN submission s ON s.seq = g.submission WHERE s.tenant <> g.tenant`},
}

// Check reads the whole store at path, which may be in use, and returns what is in it. The error is
// ErrDamaged when SQLite finds it not sound, or what is stored twice does not agree.
func Check(ctx context.Context, path string) (c Content, err error) {
	err = readStore(ctx, path, func(_ *sql.Conn, t *tx) error {
		if err := t.checkIntegrity(); err != nil {
			return err
		}
		for _, d := range disagreements {
			if err := t.findNothing(d.query); err != nil {
				return fmt.Errorf("%s: %w", d.of, err)
			}
		}
		if err := t.checkOwnLogs(); err != nil {
			return fmt.Errorf("own logs: %w", err)
		}
		if err := t.checkBlobs(); err != nil {
			return fmt.Errorf("spooled artifacts: %w", err)
		}
		c, err = t.readContent()
		return err
	})
	if err != nil {
		return Content{}, fmt.Errorf("checking store: %w", err)
	}
	return c, nil
}

// CheckBackup reads the whole backup in folder and returns its manifest. The error is ErrDamaged
// when it is not as it was written.
func CheckBackup(ctx context.Context, folder string) (Manifest, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return Manifest{}, fmt.Errorf("checking backup: %w", err)
	}
	m, err := readManifest(folder)
	if err == nil {
		err = checkCopy(ctx, filepath.Join(folder, BackupFile), m)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("checking backup: %w", err)
	}
	return m, nil
}

// checkCopy compares the file at path with what m says of it.
func checkCopy(ctx context.Context, path string, m Manifest) error {
	size, digest, err := hashFile(ctx, path)
	if err != nil {
		return err
	}
	if size != m.Size || digest != m.SHA256 {
		return fmt.Errorf("%w: %s is not what its manifest says", ErrDamaged, filepath.Base(path))
	}
	return checkContent(ctx, path, m)
}

// checkContent checks the database at path, to which nobody writes, against what m says of it. Tables of
// an older release are not counted.
func checkContent(ctx context.Context, path string, m Manifest) error {
	return readFile(ctx, stillDSN(path), func(_ *sql.Conn, t *tx) error {
		if err := t.checkIntegrity(); err != nil {
			return err
		}
		have, want, err := t.compareVersions()
		switch {
		case err != nil:
			return err
		case have != m.SchemaVersion:
			return fmt.Errorf("%w: tables of version %d, the manifest says %d", ErrDamaged, have, m.SchemaVersion)
		case have > want:
			return newerError(have, want)
		case have < want:
			return nil
		}
		c, err := t.readContent()
		if err == nil && !c.isEqual(m.Content) {
			err = fmt.Errorf("%w: it has %+v in it, the manifest says %+v", ErrDamaged, c, m.Content)
		}
		return err
	})
}

// readStore runs f on a snapshot of the store at path, which may be in use. Its tables are those of
// this release: nothing is migrated.
func readStore(ctx context.Context, path string, f func(*sql.Conn, *tx) error) (err error) {
	path, err = resolvePath(path)
	if err != nil {
		return err
	}
	if !exists(path) && !exists(path+stagingSuffix) {
		return fmt.Errorf("%w: %s", errNoStore, path)
	}
	lock, err := lockStore(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	return readFile(ctx, readerDSN(path), func(c *sql.Conn, t *tx) error {
		if err := t.requireVersion(); err != nil {
			return err
		}
		return f(c, t)
	})
}

// requireVersion refuses tables that are not of this release.
func (t *tx) requireVersion() error {
	have, want, err := t.compareVersions()
	switch {
	case err != nil:
		return err
	case have > want:
		return newerError(have, want)
	case have < want:
		return fmt.Errorf("%w: tables of version %d, this one knows %d: use the release that runs it, or start this one's gateway once", ErrVersion, have, want)
	}
	return nil
}

// readFile runs f in a transaction on a connection of its own.
func readFile(ctx context.Context, dsn string, f func(*sql.Conn, *tx) error) (err error) {
	connector, err := driver.NewConnector(dsn)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return explainSQLite(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	begun, err := conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return explainSQLite(err)
	}
	defer begun.Rollback() //nolint:errcheck // nothing was written
	err = f(conn, &tx{Tx: begun})
	if ctx.Err() != nil { // what a statement says of its interruption adds nothing
		return ctx.Err()
	}
	return explainSQLite(err)
}

// explainSQLite makes ErrDamaged of what SQLite says of files that it cannot read.
func explainSQLite(err error) error {
	switch errorCode(err) {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// checkIntegrity has SQLite check the whole file.
func (t *tx) checkIntegrity() error { return t.findNothing(findDamage) }

// findNothing is ErrDamaged with what the query finds.
func (t *tx) findNothing(query string) error {
	var found string
	err := t.QueryRow(query).Scan(&found)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: %s", ErrDamaged, found)
}

const (
	countSubmissions = `SELECT COUNT(*) FROM submission`

	countEntries = `
SELECT COALESCE(SUM(state = 'PENDING'), 0), COALESCE(SUM(in_doubt), 0), COALESCE(SUM(state = 'LOGGED'), 0), COALESCE(SUM(state = 'FAILED'), 0)
FROM entry`

	countForks = `SELECT COUNT(*) FROM fork`

	sizesOfCheckpoints = `SELECT origin, key_id, size FROM checkpoint ORDER BY origin, key_id`
)

// readContent counts what is in the store.
func (t *tx) readContent() (Content, error) {
	c := Content{Checkpoints: []CheckpointSize{}}
	var nonce []byte
	if err := t.QueryRow(selectNonce).Scan(&nonce); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return c, err
	}
	c.Incarnation = hex.EncodeToString(nonce)
	e := &c.Entries
	err := errors.Join(
		t.QueryRow(countSubmissions).Scan(&c.Submissions),
		t.QueryRow(countEntries).Scan(&e.Pending, &e.InDoubt, &e.Logged, &e.Failed),
		t.QueryRow(countForks).Scan(&c.Forks),
	)
	if err != nil {
		return c, err
	}
	err = t.eachRow(sizesOfCheckpoints, nil, func(scan func(...any) error) error {
		var s CheckpointSize
		var key []byte
		err := scan(&s.Origin, &key, &s.Size)
		s.KeyID = hex.EncodeToString(key)
		c.Checkpoints = append(c.Checkpoints, s)
		return err
	})
	return c, err
}
