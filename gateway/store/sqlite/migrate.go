// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/pressly/goose/v3"
	driver "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migrationPatience is how long to wait for another process that migrates the same file: a large one
// takes minutes.
const migrationPatience = 30 * time.Minute

// maxLostRaces bounds the tries after an error that another process may have caused, but for its lock.
const maxLostRaces = 5

// migrateTables brings the tables up to date. Each migration is a transaction, so when another
// process is at the same work one of the two fails, and finds it done at its next try.
func migrateTables(ctx context.Context, db *sql.DB, logger *slog.Logger) error {
	lost := 0
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := migrateOnce(ctx, db, logger)
		switch {
		case isBusy(err):
			logger.InfoContext(ctx, "waiting for another process that holds the store", "error", err)
		case lostRace(err):
			if lost++; lost == maxLostRaces {
				err = backoff.Permanent(err)
			}
		case err != nil:
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, askForLock(), backoff.WithMaxElapsedTime(migrationPatience))
	if err != nil {
		return fmt.Errorf("migrating tables: %w", err)
	}
	return nil
}

func migrateOnce(ctx context.Context, db *sql.DB, logger *slog.Logger) error {
	if err := refuseForeignFile(ctx, db); err != nil {
		return err
	}
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return newerError(have, want)
	}
	done, err := provider.Up(ctx)
	for _, m := range done {
		logger.InfoContext(ctx, "store migrated", "version", m.Source.Version, "duration", m.Duration)
	}
	return err
}

// newerError is ErrVersion.
func newerError(have, want int64) error {
	return fmt.Errorf("%w: the file is of a newer release (tables of version %d, this one knows %d)", ErrVersion, have, want)
}

const selectVersion = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`

// compareVersions returns the version of the tables, and that of this release, without changing anything.
func (t *tx) compareVersions() (have, want int64, err error) {
	if err := refuseForeignFile(context.Background(), t); err != nil {
		return 0, 0, err
	}
	if want, err = knownVersion(); err != nil {
		return 0, 0, err
	}
	err = t.QueryRow(selectVersion).Scan(&have)
	if errorCode(err) == sqlite3.SQLITE_ERROR {
		err = fmt.Errorf("%w: there are no tables in it", ErrDamaged)
	}
	return have, want, err
}

// knownVersion returns the version of this release's tables.
func knownVersion() (int64, error) {
	connector, err := driver.NewConnector(":memory:")
	if err != nil {
		return 0, err
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // the provider wants it, and does not open it
	provider, err := newProvider(db)
	if err != nil {
		return 0, err
	}
	sources := provider.ListSources()
	return sources[len(sources)-1].Version, nil
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithGoMigrations(goose.NewGoMigration(3, &goose.GoFunc{RunTx: moveToHotCold}, nil)),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}

// rowQuerier is a database or a transaction.
type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// refuseForeignFile keeps the tables of this package out of another program's database.
func refuseForeignFile(ctx context.Context, db rowQuerier) error {
	var tables, ours int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(name = 'goose_db_version'), 0) FROM sqlite_master WHERE type = 'table'`).Scan(&tables, &ours)
	if err != nil {
		return err
	}
	if tables > 0 && ours == 0 {
		return errors.New("the file is another program's database: name a file of its own for the store")
	}
	return nil
}

// askForLock is how often to ask for a lock that another process holds, where SQLite does not wait for it.
func askForLock() backoff.RetryOption {
	return backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 20 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: time.Second,
	})
}

// lostRace reports whether err may be another process's doing: its tables where this one was about to
// make them.
func lostRace(err error) bool { return errorCode(err) == sqlite3.SQLITE_ERROR }

// isBusy reports whether err is another process's lock.
func isBusy(err error) bool { return errorCode(err) == sqlite3.SQLITE_BUSY }

// errorCode returns SQLite's primary result code, or 0.
func errorCode(err error) int {
	var e *driver.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
