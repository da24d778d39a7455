// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

var (
	// ErrUnfinishedCopy is returned by Open where a copy of another store was begun and not finished.
	ErrUnfinishedCopy = errors.New("a copy of another store into this one was not finished: run it again")
	// ErrNotEmpty is returned where a store would be copied over another one.
	ErrNotEmpty = errors.New("there is a store in the database already")
	// ErrCopied is returned where this very copy was finished before.
	ErrCopied = errors.New("the store was copied into the database already")
	// ErrInUse is returned where a gateway uses the database that is to be copied into.
	ErrInUse = errors.New("a gateway uses the database")
)

// markCopying is there from before the tables are made until the copy is begun in them: a gateway opens no store that is to be copied into.
const markCopying = `CREATE TABLE IF NOT EXISTS ` + schema + `.copying ()`

const unmarkCopying = `DROP TABLE IF EXISTS ` + schema + `.copying`

// Target is a database into which another store is copied. No gateway opens it until the copy is finished.
type Target struct{ Pool *pgxpool.Pool }

// OpenTarget makes the tables and takes the database for a copy of source, or takes up one that was begun. The
// error is ErrNotEmpty where anything else is in it.
func OpenTarget(ctx context.Context, dsn, source string, logger *slog.Logger) (*Target, error) {
	opts := Options{Logger: logger}.withDefaults()
	pool, err := connectPool(ctx, dsn, opts, &lifeWatch{loss: &lossWatch{logger: opts.Logger}})
	if err != nil {
		return nil, fmt.Errorf("opening the store to copy to: %w", err)
	}
	t := &Target{pool}
	err = t.markTables(ctx)
	if err == nil {
		err = migrateTables(ctx, pool, opts.Logger)
	}
	if err == nil {
		err = t.beginCopy(ctx, source)
	}
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("opening the store to copy to: %w", err)
	}
	return t, nil
}

// markTables marks tables that are not there yet.
func (t *Target) markTables(ctx context.Context) error {
	if err := makeSchema(ctx, t.Pool); err != nil {
		return err
	}
	var there bool
	err := t.Pool.QueryRow(ctx, `SELECT to_regclass('`+schema+`.goose_db_version') IS NOT NULL`).Scan(&there)
	if err == nil && !there {
		_, err = t.Pool.Exec(ctx, markCopying)
	}
	return err
}

// beginCopy takes the tables, or says what they are taken for; the mark is not needed any more then.
func (t *Target) beginCopy(ctx context.Context, source string) error {
	err := t.takeTables(ctx, source)
	if err == nil || errors.Is(err, ErrNotEmpty) || errors.Is(err, ErrInUse) {
		if _, e := t.Pool.Exec(ctx, unmarkCopying); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

func (t *Target) takeTables(ctx context.Context, source string) error {
	return pgx.BeginFunc(ctx, t.Pool, func(begun pgx.Tx) error {
		if _, err := begun.Exec(ctx, `LOCK TABLE copied`); err != nil {
			return err
		}
		var from string
		var finished, used bool
		err := begun.QueryRow(ctx, `SELECT source, finished FROM copied`).Scan(&from, &finished)
		switch {
		case err == nil && finished && from == source:
			return ErrCopied
		case err == nil && !finished && from == source:
			return refuseRunning(ctx, begun)
		case err == nil && !finished:
			return fmt.Errorf("%w: part of another one, or of this one as it was before a gateway ran on it", ErrNotEmpty)
		case err == nil:
			return ErrNotEmpty
		case !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		err = begun.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM submission) OR EXISTS (SELECT 1 FROM entry) OR EXISTS (SELECT 1 FROM checkpoint)
    OR EXISTS (SELECT 1 FROM fork) OR EXISTS (SELECT 1 FROM log) OR EXISTS (SELECT 1 FROM tenant)`).Scan(&used)
		if err == nil && used {
			return ErrNotEmpty
		}
		if err == nil {
			err = refuseRunning(ctx, begun)
		}
		if err == nil {
			_, err = begun.Exec(ctx, `INSERT INTO copied (id, source) VALUES (1, $1)`, source)
		}
		return err
	})
}

// refuseRunning refuses tables that a gateway works on, which has opened them before: it would send what is copied.
func refuseRunning(ctx context.Context, begun pgx.Tx) error {
	var running bool
	err := begun.QueryRow(ctx, `SELECT EXISTS (SELECT FROM replica WHERE seen_at > extract(epoch FROM clock_timestamp()) * 1000 - $1::float8)`, seenLately).Scan(&running)
	if err == nil && running {
		err = ErrInUse
	}
	return err
}

// seenLately is for how many milliseconds a gateway counts that was seen: it renews itself every two seconds.
const seenLately = 10_000

// errFinished is returned where somebody else has finished the copy meanwhile, and gateways may work on it.
var errFinished = errors.New("this copy was finished by another command meanwhile")

// FinishCopy lets gateways open the store, once. last is what each table's numbers go on after; the last numbers that
// were given may be of rows that are gone.
func (t *Target) FinishCopy(ctx context.Context, last map[string]int64) error {
	return pgx.BeginFunc(ctx, t.Pool, func(begun pgx.Tx) error {
		// The original is closed: what counts takes as long as it needs.
		if _, err := begun.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		if err := refuseRunning(ctx, begun); err != nil {
			return err
		}
		done, err := begun.Exec(ctx, `UPDATE copied SET finished = true WHERE NOT finished`)
		if err == nil && done.RowsAffected() == 0 {
			err = errFinished
		}
		if err != nil {
			return err
		}
		for _, column := range []struct{ table, name string }{
			{"tenant", "id"}, {"log", "id"}, {"shard", "id"}, {"takeover", "id"}, {"submission", "seq"}, {"entry", "id"}, {"fork", "id"}, {"audit", "seq"},
		} {
			_, err := begun.Exec(ctx, fmt.Sprintf(`SELECT setval(pg_get_serial_sequence('%s.%s', '%s'), GREATEST($1, (SELECT COALESCE(MAX(%[3]s), 0) FROM %[2]s)) + 1, false)`,
				schema, column.table, column.name), last[column.table])
			if err != nil {
				return err
			}
		}
		_, err = begun.Exec(ctx, `INSERT INTO backlog (log, entries, bytes) SELECT log, COUNT(*), SUM(bytes) FROM entry WHERE state = 'PENDING' GROUP BY log`)
		return err
	})
}

// Close closes all connections.
func (t *Target) Close() { t.Pool.Close() }

// refuseUnfinished is for whoever opens the store to work on it.
func refuseUnfinished(ctx context.Context, pool *pgxpool.Pool) error {
	var unfinished bool
	err := pool.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM copied WHERE NOT finished) OR to_regclass('`+schema+`.copying') IS NOT NULL`).Scan(&unfinished)
	if err == nil && unfinished {
		err = ErrUnfinishedCopy
	}
	return err
}
