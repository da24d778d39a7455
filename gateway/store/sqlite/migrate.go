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

const migrationPatience = 10 * time.Second

// migrateTables brings the tables up to date. Each migration is a transaction, so when another
// process is at the same work one of the two fails, and finds it done at its next try.
func migrateTables(ctx context.Context, db *sql.DB, logger *slog.Logger) error {
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := migrateOnce(ctx, db, logger)
		if err != nil && !lostRace(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 20 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: time.Second,
	}), backoff.WithMaxElapsedTime(migrationPatience), backoff.WithMaxTries(10))
	if err != nil {
		return fmt.Errorf("migrating tables: %w", err)
	}
	return nil
}

func migrateOnce(ctx context.Context, db *sql.DB, logger *slog.Logger) error {
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if have > want {
		return fmt.Errorf("the file is of a newer release (tables of version %d, this one knows %d)", have, want)
	}
	done, err := provider.Up(ctx)
	for _, m := range done {
		logger.InfoContext(ctx, "store migrated", "version", m.Source.Version, "duration", m.Duration)
	}
	return err
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

// lostRace reports whether err may be another process's doing: its lock, or its tables
// where this one was about to make them.
func lostRace(err error) bool {
	var e *driver.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_ERROR
}
