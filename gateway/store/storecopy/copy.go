// SPDX-License-Identifier: Apache-2.0

// Package storecopy copies a SQLite store into a PostgreSQL database, row by row, and compares both afterwards.
package storecopy

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"

	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

// ErrDifferent is returned when what was read back is not what was copied.
var ErrDifferent = errors.New("the copy is not as the store that was copied")

// Params are what Copy is asked for.
type Params struct {
	From   string // path of a SQLite store that no gateway uses
	To     string // data source name of a PostgreSQL database without a store, or with a part of this copy
	Logger *slog.Logger
	// Progress is called now and then with what is being done to which table, and how many of its rows are done;
	// nil is not.
	Progress func(doing, table string, rows int64)

	batch int // rows in one transaction; 0 is rowsPerBatch
}

// A batch ends with what exceeds either: a row is a few KB as a rule, and 4 MB at most.
const (
	rowsPerBatch  = 1000
	bytesPerBatch = 8 << 20
)

// Result is what was copied, by the names of the tables.
type Result struct {
	Rows map[string]int64
	// Before: all of it was copied, and compared, by a call before this one. Then there are no Rows.
	Before bool
}

// Copy copies a store. One that was interrupted goes on where it was, when it is called again with the same
// stores, and one that was finished is left as it is. Only when all that was read back is the same may gateways open the copy, and none may open the original any
// more. What waits is settled by the gateway that opens the copy before any of it is sent.
func Copy(ctx context.Context, p Params) (_ Result, err error) {
	if p.Progress == nil {
		p.Progress = func(string, string, int64) {}
	}
	if p.batch == 0 {
		p.batch = rowsPerBatch
	}
	from, err := sqlite.OpenSource(ctx, p.From)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := refuseFirstSchema(ctx, from.DB); err != nil {
		return Result{}, err
	}
	to, err := postgres.OpenTarget(ctx, p.To, from.Nonce, p.Logger)
	if errors.Is(err, postgres.ErrCopied) {
		return Result{Rows: map[string]int64{}, Before: true}, nil
	}
	if err != nil {
		return Result{}, err
	}
	defer to.Close()
	c := copying{Params: p, from: source{from.DB}, to: target{to.Pool}, result: Result{Rows: map[string]int64{}}}
	if err := c.copyTables(ctx); err != nil {
		return Result{}, err
	}
	last, err := lastNumbers(ctx, from.DB)
	if err != nil {
		return Result{}, err
	}
	// The original is closed first: a crash between the two leaves none that can be opened, and Copy to be called again.
	if err := from.MarkMoved(); err != nil {
		return Result{}, err
	}
	if err := to.FinishCopy(ctx, last); err != nil {
		return Result{}, fmt.Errorf("finishing the copy: %w", err)
	}
	return c.result, nil
}

// refuseFirstSchema refuses a store whose checkpoints do not say whose key it was.
func refuseFirstSchema(ctx context.Context, db *sql.DB) error {
	var n int
	err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM checkpoint WHERE length(key_id) = 0`).Scan(&n)
	if err == nil && n > 0 {
		err = errors.New("a checkpoint in the store is of the first release, which did not keep the log's key: start a gateway of this release on it, until the log has answered once")
	}
	return err
}

// copying is one Copy on its way.
type copying struct {
	Params
	from   source
	to     target
	result Result
}

func (c *copying) copyTables(ctx context.Context) error {
	for i := range tables {
		if err := c.copyTable(ctx, &tables[i]); err != nil {
			return fmt.Errorf("copying table %s: %w", tables[i].name, err)
		}
	}
	for i := range tables {
		if err := c.compareTable(ctx, &tables[i]); err != nil {
			return fmt.Errorf("comparing table %s: %w", tables[i].name, err)
		}
	}
	return nil
}

func (c *copying) copyTable(ctx context.Context, t *table) error {
	after, err := c.to.lastKey(ctx, t)
	if err != nil {
		return err
	}
	for n := int64(0); ; {
		rows, err := c.from.readAfter(ctx, t, after, c.batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		if err := c.to.write(ctx, t, rows); err != nil {
			return err
		}
		after = t.keyOf(rows[len(rows)-1])
		n += int64(len(rows))
		c.Progress("copying", t.name, n)
	}
}

// compareTable reads all of a table in both stores.
func (c *copying) compareTable(ctx context.Context, t *table) error {
	var after []any
	for n := int64(0); ; {
		want, err := c.from.readAfter(ctx, t, after, c.batch)
		if err != nil {
			return err
		}
		got, err := c.to.readAfter(ctx, t, after, max(1, len(want))) // one more behind the last is too many
		if err != nil {
			return err
		}
		for i := range want {
			if i >= len(got) || !sameRows(got[i], want[i]) {
				return fmt.Errorf("%w: the row of %v", ErrDifferent, t.keyOf(want[i]))
			}
		}
		if len(got) > len(want) {
			return fmt.Errorf("%w: the row of %v is in the copy alone", ErrDifferent, t.keyOf(got[len(want)]))
		}
		if len(want) == 0 {
			c.result.Rows[t.name] = n
			return nil
		}
		after = t.keyOf(want[len(want)-1])
		n += int64(len(want))
		c.Progress("comparing", t.name, n)
	}
}

// lastNumbers returns the last numbers that the store has given, which may be of rows that are gone.
func lastNumbers(ctx context.Context, db *sql.DB) (map[string]int64, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, seq FROM sqlite_sequence`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err says what went wrong
	last := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		last[name] = n
	}
	return last, rows.Err()
}
