// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// A life of the database lasts while one server runs on it: it is a system identifier, a timeline, the number of the
// database, which is another one of a copy, and when the postmaster started. Whatever comes after (a restart, a promoted standby, a backup that was put back) may have lost the
// last transactions, so that what it says is pending may have been sent: log.incarnation says in which life all that
// was pending for a log was put in doubt last, and in another one Claim refuses.
//
// A connection is to one server for as long as it lives, so that its life is read when it is made, and stands in a
// setting of its session. All of a transaction is on one connection: it compares the life of the server that it runs on
// with the row that this very server has. A connection to the server before, if both live, so sees that one's own row,
// and changes nothing here; the first connection to another one has all others closed.
//
// The row's mark has the number of the table besides, which is another one where a dump was put back, also on the same
// server.
const (
	lifeSetting = "rekor_gateway.life"

	beginLife = `
SELECT set_config('` + lifeSetting + `', s.system_identifier || '/' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) || '/' ||
    (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, false)
FROM pg_control_system() s`

	lifeMark = `(current_setting('` + lifeSetting + `') || '/' || 'log'::regclass::oid)`

	// Nothing is pending for a log that was not there.
	insertLog = `INSERT INTO log (name, incarnation) VALUES ($1, ` + lifeMark + `) ON CONFLICT DO NOTHING`

	markLog = `UPDATE log SET incarnation = ` + lifeMark + ` WHERE id = $1`

	numberOfTable = `SELECT 'log'::regclass::oid::text`

	selectServer = `SELECT server FROM incarnation WHERE id = 1 FOR UPDATE`

	setServer = `INSERT INTO incarnation (id, server) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET server = excluded.server`
)

// It is a variable so that a test can break it, and see it noticed.
var writableLog = `SELECT id, incarnation = ` + lifeMark + ` FROM log WHERE name = $1 AND NOT retired AND id NOT IN (SELECT log FROM own_log)`

// errOtherLife is returned where what the database has may be older than what it had.
var errOtherLife = fmt.Errorf("%w: the database is not as it was: it was restarted, taken over from, or put back", gateway.ErrDoubtFirst)

// findWritable returns the row of a log for which entries may be claimed, 0 where there is none. The error is
// gateway.ErrDoubtFirst in another life than that in which what is pending for it was put in doubt.
func (t *tx) findWritable(name string) (log int64, err error) {
	var same bool
	err = t.scanRow(writableLog, []any{name}, &log, &same)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, nil
	case err != nil:
		return 0, err
	case !same:
		return 0, errOtherLife
	}
	return log, nil
}

// beginIncarnation compares the database with the one that was last opened.
func (s *Store) beginIncarnation(ctx context.Context) error {
	return s.writeTx(ctx, "beginning incarnation", func(t *tx) error {
		var table, last string
		if err := t.scanRow(numberOfTable, nil, &table); err != nil {
			return err
		}
		server := t.life[:strings.LastIndexByte(t.life, '/')] + "/" + table
		err := t.scanRow(selectServer, nil, &last)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		s.incarnation = gateway.Incarnation{ID: server, Restored: err == nil && last != server}
		if err == nil && last == server {
			return nil
		}
		_, err = t.exec(setServer, server)
		return err
	})
}

// Incarnation implements gateway.Store. Its ID is the server's system identifier and timeline, and the numbers of the
// database and a table. Restored says that they were others when the database was last opened: a backup was put back, a dump was
// loaded, or a standby was promoted. Of several gateways the first that opens it says so. A copy of the files that is
// put back on the same timeline is not noticed by that.
func (s *Store) Incarnation() gateway.Incarnation { return s.incarnation }

// lifeWatch sees to it that all connections of a pool are to one life of the database.
type lifeWatch struct {
	loss *lossWatch

	mu   sync.Mutex // guards what follows
	pool *pgxpool.Pool
	last string
	over context.CancelFunc // of whoever listens to the server; nil: nobody does
}

func (w *lifeWatch) setPool(pool *pgxpool.Pool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pool = pool
}

// listenTo returns a context that ends with ctx, or when the server that is listened to is not the one that is written to any more.
func (w *lifeWatch) listenTo(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, over := context.WithCancel(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = over
	return ctx, over
}

// noteLife reads the life of a new connection's server, and has all other connections closed, those in use after their
// transactions, when it is another one than that of the last.
func (w *lifeWatch) noteLife(ctx context.Context, conn *pgx.Conn) error {
	var life string
	if err := conn.QueryRow(ctx, beginLife).Scan(&life); err != nil {
		return fmt.Errorf("asking the server which one it is: %w", err)
	}
	w.mu.Lock()
	before, pool, over := w.last, w.pool, w.over
	w.last = life
	w.mu.Unlock()
	if before == "" || before == life || pool == nil {
		return nil
	}
	pool.Reset()
	if over != nil {
		over()
	}
	return w.loss.tellLoss(ctx, conn)
}
