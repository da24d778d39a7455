// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store"
)

// tx is a running transaction. A statement sees what was committed when it began (READ COMMITTED): what must not
// change between two of them is locked.
type tx struct {
	pgx.Tx
	ctx       context.Context //nolint:containedctx // a transaction lives as long as one call
	store     *Store
	now       int64    // of the queue: the database's clock when the transaction began
	life      string   // of the database that it runs on, see incarnation.go
	committed []func() // run once the transaction is committed
}

// undoneMessage is logged each time.
const undoneMessage = "transaction was undone for another one's sake"

// maxTries bounds how often a transaction is run that the server undid for another's sake.
const maxTries = 10

// writeTx runs f in a transaction and commits it, durably, when f returns nil. It is run again when the server has
// undone it for the sake of another one, so that f must set what it returns afresh each time.
func (s *Store) writeTx(ctx context.Context, doing string, f func(*tx) error) error {
	return s.runTx(ctx, doing, pgx.TxOptions{}, f)
}

// readTx runs f on a consistent snapshot.
func (s *Store) readTx(ctx context.Context, doing string, f func(*tx) error) error {
	return s.runTx(ctx, doing, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, f)
}

// lookUpTx is readTx for what callers look up, as many at once as they like: it leaves half of the connections to all else, since a lease
// that is to be extended, an outcome, or what thousands wait for, must not stand in line behind them.
func (s *Store) lookUpTx(ctx context.Context, doing string, f func(*tx) error) error {
	if err := s.awaitTurn(ctx); err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	defer s.lookups.Release(1)
	return s.readTx(ctx, doing, f)
}

// awaitTurn waits until another one may look something up, for Options.Patience.
func (s *Store) awaitTurn(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.opts.Patience)
	defer cancel()
	err := s.lookups.Acquire(bounded, 1)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %w", gateway.ErrStoreUnavailable, errNoConnection)
	}
	return err
}

func (s *Store) runTx(ctx context.Context, doing string, opts pgx.TxOptions, f func(*tx) error) error {
	tries := uint(0)
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		tries++
		err := s.transact(ctx, opts, f)
		if err != nil && !isUndone(err) {
			err = backoff.Permanent(err)
		}
		if err != nil && isUndone(err) {
			s.opts.Logger.DebugContext(ctx, undoneMessage, "doing", doing, "error", err, "tries", tries)
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(maxTries), backoff.WithBackOff(&backoff.ExponentialBackOff{
		InitialInterval: 2 * time.Millisecond, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: 200 * time.Millisecond,
	}))
	return wrapFailed(ctx, doing, err)
}

// readOnce runs f, which asks one query, on what was committed when that began: without a transaction the server is asked once, and
// not four times.
func (s *Store) readOnce(ctx context.Context, doing string, f func(ctx context.Context, conn *pgxpool.Conn) error) error {
	return wrapFailed(ctx, doing, s.withConn(ctx, f))
}

// wrapFailed tells what the caller has ended, and what may pass, from what will not.
func wrapFailed(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil: // what a statement says of its interruption adds nothing
		return fmt.Errorf("%s: %w", doing, ctx.Err())
	case isOutage(err) || IsRefused(err): // a store that is open was let in once: it is so again when somebody mends that
		return fmt.Errorf("%s: %w: %w", doing, gateway.ErrStoreUnavailable, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

// errNoAnswer is returned when a transaction was not done in time. The server bounds how long it waits and works, but one
// that is stopped, or cut off, says nothing.
var errNoAnswer = errors.New("the database does not answer in time")

// transact runs f in one transaction.
func (s *Store) transact(ctx context.Context, opts pgx.TxOptions, f func(*tx) error) error {
	return s.withConn(ctx, func(ctx context.Context, conn *pgxpool.Conn) error { return s.transactOn(ctx, conn, opts, f) })
}

// withConn runs f with a connection, for which there is twice Options.Patience.
func (s *Store) withConn(ctx context.Context, f func(ctx context.Context, conn *pgxpool.Conn) error) error {
	conn, err := s.acquireConn(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	bounded, cancel := context.WithTimeoutCause(ctx, 2*s.opts.Patience, errNoAnswer)
	defer cancel()
	if err = f(bounded, conn); err != nil && errors.Is(context.Cause(bounded), errNoAnswer) {
		return errNoAnswer
	}
	return err
}

func (s *Store) transactOn(ctx context.Context, conn *pgxpool.Conn, opts pgx.TxOptions, f func(*tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	beginning, cancel := delayCancel(ctx) // a connection is closed that could not begin
	defer cancel()
	begun, err := conn.BeginTx(beginning, opts)
	if err != nil {
		return err
	}
	t := &tx{Tx: begun, ctx: ctx, store: s}
	if err = s.readClock(t); err == nil {
		err = f(t)
	}
	if err != nil {
		// A connection whose transaction cannot be undone is closed, and so undone by the server.
		ending, cancel := s.boundEnding(ctx)
		defer cancel()
		_ = begun.Rollback(ending)
		return err
	}
	ending, cancel := s.boundEnding(ctx)
	defer cancel()
	if err := begun.Commit(ending); err != nil {
		return err
	}
	for _, done := range t.committed {
		done()
	}
	return nil
}

// delayCancel returns a context that ends cancelDelay after ctx.
func delayCancel(ctx context.Context) (context.Context, context.CancelFunc) {
	delayed, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(cancelDelay, cancel) })
	return delayed, func() { stop(); cancel() }
}

// boundEnding returns the context in which a transaction is ended. That goes on when the caller's context ends: what was
// committed must not be said to be undone.
func (s *Store) boundEnding(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), s.opts.Patience)
}

// readClock sets the time of the queue, and the life of the database.
func (s *Store) readClock(t *tx) error {
	before := s.clock.elapsed()
	err := t.QueryRow(t.ctx, selectNow).Scan(&t.now, &t.life)
	if sqlState(err) == "42704" || err == nil && t.life == "" { // undefined_object
		return fmt.Errorf("%w: a connection is not the one that was made: connect without a pooler that puts others in its place", ErrUnsafeServer)
	}
	if err != nil {
		return err
	}
	if s.opts.Now != nil {
		t.now = store.Millis(s.opts.Now())
	}
	s.clock.noteTime(t.now, before, s.clock.elapsed())
	return nil
}

// exec runs a statement and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	tag, err := t.Exec(t.ctx, query, args...)
	return tag.RowsAffected(), err
}

// scanRow reads the only row of a query. The error is pgx.ErrNoRows where there is none.
func (t *tx) scanRow(query string, args []any, into ...any) error {
	return t.QueryRow(t.ctx, query, args...).Scan(into...)
}

// eachRow runs a query and calls f for each row. What it scans is the caller's own.
func (t *tx) eachRow(query string, args []any, f func(scan func(...any) error) error) error {
	rows, err := t.Query(t.ctx, query, args...)
	return scanRows(rows, err, f)
}

// scanRows calls f for each row of what a query has returned.
func scanRows(rows pgx.Rows, err error, f func(scan func(...any) error) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// sendBatch runs all statements of b in one round trip; what they return goes to the functions that they were queued
// with.
func (t *tx) sendBatch(b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	return t.SendBatch(t.ctx, b).Close()
}

// queueEach adds a query to a batch, which calls f for each row, as eachRow does.
func queueEach(b *pgx.Batch, query string, args []any, f func(scan func(...any) error) error) {
	b.Queue(query, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := f(rows.Scan); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

// collectColumn reads one value of each row of a query.
func collectColumn[T any](t *tx, query string, args ...any) ([]T, error) {
	rows, err := t.Query(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[T])
}

// undefinedTable is the server's code where there is no such table.
const undefinedTable = "42P01"

// isUndone reports whether the server has undone a transaction for the sake of another one: run again, it may pass.
func isUndone(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return true
	}
	return errors.Is(err, errChanged)
}

// isOutage reports whether a call failed for the server, or for who holds what it needs, and not for what it says.
// An error that no server has sent is one of the connection.
func isOutage(err error) bool {
	var answered *pgconn.PgError
	if !errors.As(err, &answered) {
		return errors.Is(err, errChanged) || isConnectionError(err)
	}
	switch answered.Code[:2] {
	case "08", "53", "57", "58", "XX", "40", "25": // connection, resources, operator, system, corruption, undone, state (a standby)
		return true
	}
	return answered.Code == "55P03" // lock_not_available
}

// isConstraint reports whether a statement was refused for what it would have stored.
func isConstraint(err error) bool { return len(sqlState(err)) == 5 && sqlState(err)[:2] == "23" }

// sqlState returns the server's code of an error, or "".
func sqlState(err error) string {
	var answered *pgconn.PgError
	if !errors.As(err, &answered) {
		return ""
	}
	return answered.Code
}
