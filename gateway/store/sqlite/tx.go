// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// tx is a running transaction. Its statements do not watch the context one by one, which
// would cost a goroutine each: when the context ends, the transaction is rolled back under
// them and the next one fails.
type tx struct {
	*sql.Tx
	bound     map[*sql.Stmt]*sql.Stmt
	usual     queries  // that need not be parsed
	committed []func() // run once the transaction is committed
}

func (t *tx) bindStmt(s *sql.Stmt) *sql.Stmt {
	b, ok := t.bound[s]
	if !ok {
		b = t.Stmt(s)
		t.bound[s] = b
	}
	return b
}

// Query is sql.Tx's; a usual query is not parsed again, nor is one that QueryRow or Exec gets.
func (t *tx) Query(query string, args ...any) (*sql.Rows, error) {
	if s := t.usual[query]; s != nil {
		return t.bindStmt(s).Query(args...)
	}
	return t.Tx.Query(query, args...)
}

// QueryRow is sql.Tx's.
func (t *tx) QueryRow(query string, args ...any) *sql.Row {
	if s := t.usual[query]; s != nil {
		return t.bindStmt(s).QueryRow(args...)
	}
	return t.Tx.QueryRow(query, args...)
}

// Exec is sql.Tx's.
func (t *tx) Exec(query string, args ...any) (sql.Result, error) {
	if s := t.usual[query]; s != nil {
		return t.bindStmt(s).Exec(args...)
	}
	return t.Tx.Exec(query, args...)
}

// execChange runs a prepared statement and returns how many rows it changed.
func (t *tx) execChange(s *sql.Stmt, args ...any) (int64, error) {
	r, err := t.bindStmt(s).Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// execInsert runs a prepared statement that inserts one row and returns the row's number.
func (t *tx) execInsert(s *sql.Stmt, args ...any) (int64, error) {
	r, err := t.bindStmt(s).Exec(args...)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// errLocked is returned when a write did not get its turn in time.
var errLocked = errors.New("the database is locked, or other writes take too long")

// writeTx runs f in a transaction that holds the write lock from its start, and commits it,
// durably, when f returns nil. It waits for its turn, behind this process's writes and those of
// others, for Options.Patience in all, and fails then.
func (s *Store) writeTx(ctx context.Context, doing string, f func(*tx) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(s.opts.Patience, func() { cancel(errLocked) })
	defer patience.Stop()
	s.checkpoints.awaitSlow(ctx)
	err := runTx(ctx, s.writer, &sql.TxOptions{}, doing, func(t *tx) error {
		if !patience.Stop() {
			return errLocked
		}
		t.usual = s.usualWrites
		return f(t)
	})
	if err == nil {
		s.checkpoints.noteWritten()
	}
	return err
}

// readTx runs f on a consistent snapshot.
func (s *Store) readTx(ctx context.Context, doing string, f func(*tx) error) error {
	return runTx(ctx, s.readers, &sql.TxOptions{ReadOnly: true}, doing, func(t *tx) error {
		t.usual = s.usualReads
		return f(t)
	})
}

func runTx(ctx context.Context, db *sql.DB, opts *sql.TxOptions, doing string, f func(*tx) error) error {
	err := transact(ctx, db, opts, f)
	switch {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errLocked):
		return fmt.Errorf("%s: %w: %w", doing, gateway.ErrStoreUnavailable, errLocked)
	case ctx.Err() != nil: // what a statement says of its interruption adds nothing
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case isOutage(err):
		return fmt.Errorf("%s: %w: %w", doing, gateway.ErrStoreUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

func transact(ctx context.Context, db *sql.DB, opts *sql.TxOptions, f func(*tx) error) error {
	begun, err := db.BeginTx(ctx, opts)
	if err != nil {
		return err
	}
	t := &tx{Tx: begun, bound: make(map[*sql.Stmt]*sql.Stmt)}
	if err := f(t); err != nil {
		if undo := t.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
			return errors.Join(err, undo)
		}
		return err
	}
	if err := t.Commit(); err != nil {
		return err
	}
	for _, done := range t.committed {
		done()
	}
	return nil
}

// collectColumn reads one value of each row of a query.
func collectColumn[T any](t *tx, query string, args ...any) ([]T, error) {
	var all []T
	err := t.eachRow(query, args, func(scan func(...any) error) error {
		var v T
		err := scan(&v)
		all = append(all, v)
		return err
	})
	return all, err
}

// eachRow runs a query and calls f for each row.
func (t *tx) eachRow(query string, args []any, f func(scan func(...any) error) error) (err error) {
	rows, err := t.Query(query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// encodeList encodes values for json_each, so that one query takes any number of them.
func encodeList[T any](values []T) (string, error) {
	if len(values) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(values)
	return string(b), err
}

// isOutage reports whether a statement failed for the disk, or for somebody who holds the file, and not for
// what it says. A read that the disk fails is a damaged file to SQLite, and may go well the next time.
func isOutage(err error) bool {
	switch errorCode(err) {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL:
		return true
	}
	return errors.Is(err, errLocked)
}

// isDamage reports whether SQLite found what it was to read not as it wrote it, or could not read it.
func isDamage(err error) bool {
	code := errorCode(err)
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_IOERR
}

// isConstraint reports whether a statement was refused for what it would have stored.
func isConstraint(err error) bool { return errorCode(err) == sqlite3.SQLITE_CONSTRAINT }
