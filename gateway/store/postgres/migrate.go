// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// ErrVersion is returned for tables that this release does not know, or that a command would have to migrate.
var ErrVersion = errors.New("the store is of another version")

// migrateTables makes the schema where it is missing and brings the tables up to date. Gateways that start at once
// take turns, by an advisory lock.
func migrateTables(ctx context.Context, pool *pgxpool.Pool, logger *slog.Logger) error {
	if err := makeSchema(ctx, pool); err != nil {
		return fmt.Errorf("making the schema %s: %w", schema, err)
	}
	db := openUnbounded(pool)
	defer db.Close() //nolint:errcheck // its connection
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	have, want, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("reading the version of the tables: %w", err)
	}
	if have > want {
		return newerError(have, want)
	}
	done, err := provider.Up(ctx)
	for _, m := range done {
		logger.InfoContext(ctx, "store migrated", "version", m.Source.Version, "duration", m.Duration)
	}
	if err != nil {
		return fmt.Errorf("migrating tables: %w", err)
	}
	return nil
}

// makeSchema makes the schema where it is missing. A role that may make none can use one that is there.
func makeSchema(ctx context.Context, pool *pgxpool.Pool) error {
	var there bool
	if err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, schema).Scan(&there); err != nil || there {
		return err
	}
	_, err := pool.Exec(ctx, `CREATE SCHEMA IF NOT EXISTS `+schema)
	if isConstraint(err) { // another gateway's, at this moment
		return nil
	}
	return err
}

// requireVersion refuses tables of another version than this release's.
func requireVersion(ctx context.Context, pool *pgxpool.Pool) error {
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close() //nolint:errcheck // it closes what it borrows from the pool
	provider, err := newProvider(db)
	if err != nil {
		return err
	}
	var have int64
	err = pool.QueryRow(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have)
	sources := provider.ListSources()
	want := sources[len(sources)-1].Version
	switch {
	case sqlState(err) == undefinedTable:
		return fmt.Errorf("%w: there are no tables of a gateway in schema %s: start a gateway on it first", ErrVersion, schema)
	case err != nil:
		return fmt.Errorf("reading the version of the tables: %w", err)
	case have > want:
		return newerError(have, want)
	case have < want:
		return fmt.Errorf("%w: the tables are of version %d, and this release works on %d: start a gateway of this release on it first", ErrVersion, have, want)
	}
	return nil
}

func newerError(have, want int64) error {
	return fmt.Errorf("%w: the tables are of a newer release (version %d, this one knows %d)", ErrVersion, have, want)
}

// openUnbounded opens the database of the pool with connections whose statements may take as long as they need: an index of
// a large table takes minutes. How long they wait for the locks of others has its bound.
func openUnbounded(pool *pgxpool.Pool) *sql.DB {
	config := pool.Config().ConnConfig.Copy()
	config.RuntimeParams["statement_timeout"] = "0"
	return stdlib.OpenDB(*config, stdlib.OptionAfterConnect(refuseUnsafe))
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 1800)) // a large store takes minutes
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
}
