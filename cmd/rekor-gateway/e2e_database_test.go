// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rekor-gateway/rekor-gateway/gateway/config"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/rekortest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
)

// intruder is somebody else at the database.
type intruder struct {
	t      *testing.T
	server *postgrestest.Server
	ctx    context.Context //nolint:containedctx // of one trouble
}

func (i intruder) connect() *pgx.Conn {
	conn, err := pgx.Connect(i.ctx, unbounded(i.server))
	if err != nil {
		i.t.Error(err)
		return nil
	}
	return conn
}

// unbounded names the database for a session that goes by no settings of its role.
func unbounded(server *postgrestest.Server) string {
	return server.DSN("postgres") + "&statement_timeout=0"
}

// hold runs statements in one transaction, and holds what they lock for so long.
func (i intruder) hold(d time.Duration, statements string) {
	conn := i.connect()
	if conn == nil {
		return
	}
	defer conn.Close(context.Background())
	_, err := conn.Exec(i.ctx, "BEGIN; SET LOCAL search_path = rekor_gateway; "+statements)
	for isDeadlock(err) { // of two who wait for each other, PostgreSQL has chosen this one
		_, err = conn.Exec(i.ctx, "ROLLBACK; BEGIN; SET LOCAL search_path = rekor_gateway; "+statements)
	}
	if err != nil {
		i.t.Errorf("%s: %v", statements, err)
	}
	time.Sleep(d)
}

func isDeadlock(err error) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == "40P01"
}

// repeat runs a statement again and again, once at least.
func (i intruder) repeat(d, every time.Duration, statement string, args ...any) (n int) {
	conn := i.connect()
	if conn == nil {
		return 0
	}
	defer conn.Close(context.Background())
	for until := time.Now().Add(d); n == 0 || time.Now().Before(until); n++ {
		if _, err := conn.Exec(i.ctx, statement, args...); err != nil {
			i.t.Errorf("%s: %v", statement, err)
			return n
		}
		time.Sleep(every)
	}
	return n
}

// occupy takes all connections that the server has left, and those that others close meanwhile.
func (i intruder) occupy(d time.Duration) (most int) {
	var held []*pgx.Conn
	for until := time.Now().Add(d); time.Now().Before(until); {
		conn, err := pgx.Connect(i.ctx, i.server.DSN("postgres"))
		if err != nil {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		held = append(held, conn)
	}
	for _, conn := range held {
		if err := conn.Close(i.ctx); err != nil {
			i.t.Error(err)
		}
	}
	return len(held)
}

const (
	terminateAll = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rekor-gateway' AND pid <> pg_backend_pid()`
	cancelAll    = `SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'rekor-gateway' AND state = 'active'`
	countOwn     = `SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = 'rekor-gateway'`
)

// troubles are what else may happen at a database that serves.
var troubles = map[string]func(i intruder){
	"sessions are terminated":  func(i intruder) { i.repeat(6*time.Second, 150*time.Millisecond, terminateAll) },
	"statements are cancelled": func(i intruder) { i.repeat(4*time.Second, 20*time.Millisecond, cancelAll) },
	"all rows are locked": func(i intruder) {
		i.hold(8*time.Second, `SELECT FROM entry FOR UPDATE; SELECT FROM submission FOR UPDATE`)
	},
	"tables are locked for too long":   func(i intruder) { i.hold(13*time.Second, `LOCK TABLE submission, entry`) },
	"replicas are locked for too long": func(i intruder) { i.hold(13*time.Second, `LOCK TABLE replica, share`) },
	"the log's row is locked": func(i intruder) {
		i.hold(8*time.Second, `SELECT FROM log FOR UPDATE; SELECT FROM checkpoint FOR UPDATE`)
	},
	"all connections are taken": func(i intruder) { i.occupy(4 * time.Second) },
	"and sessions are terminated, too": func(i intruder) {
		go i.repeat(3*time.Second, 100*time.Millisecond, terminateAll)
		i.occupy(6 * time.Second)
	},
	"nonsense is notified": func(i intruder) {
		i.repeat(4*time.Second, 0, `SELECT pg_notify('rekor_gateway', $1)`, strings.Repeat("x ", 3000))
	},
	"changes of nothing are notified": func(i intruder) {
		i.repeat(4*time.Second, 0, `SELECT pg_notify('rekor_gateway', $1)`, "1 stranger - ."+strings.Repeat("A", 22*300)+` ["test"]`)
	},
	"roles have settings of their own":   intruder.setRole,
	"transactions are read-only a while": intruder.readOnly,
}

// setRole has new sessions of the role begin with settings that would undo what the gateway relies on.
func (i intruder) setRole() {
	const set = `ALTER ROLE gateway SET statement_timeout = '1ms'; ALTER ROLE gateway SET synchronous_commit = off; ALTER ROLE gateway SET search_path = public`
	i.repeat(1, 0, set)
	i.repeat(4*time.Second, 300*time.Millisecond, terminateAll)
	i.repeat(1, 0, `ALTER ROLE gateway RESET ALL`)
}

// readOnly lets sessions write nothing, as operators do before they move a server.
func (i intruder) readOnly() {
	for _, statement := range []string{`ALTER SYSTEM SET default_transaction_read_only = on`, `ALTER SYSTEM RESET default_transaction_read_only`} {
		i.repeat(1, 0, statement)
		i.repeat(1, 5*time.Second, `SELECT pg_reload_conf()`)
	}
}

// TestChaosDatabase has somebody else do to the database what others may do, while three gateways take submissions: all that was accepted
// is in the log once, and no gateway has more connections than it may.
func TestChaosDatabase(t *testing.T) {
	postgrestest.Require(t)
	c := chaos{submissions: 1500, lasts: 100 * time.Second, seed: rand.Uint64()}
	log := rekortest.StartServer(t)
	r := deployReplicas(t, buildProgram(t, "../rekor-gateway", "-tags", "killpoints"), log, 3, nil, func(cfg *config.Config) {
		cfg.Logs[0].IntegrationDelay, cfg.Store.Postgres.MaxConnections = 3*time.Second, 8
	})
	m := newModel(c.plan(t))
	var sending sync.WaitGroup
	for i, send := range []sender{m.sendHTTP, m.sendHTTP, m.sendGRPC, m.sendGRPC, m.sendBatch} {
		sending.Go(func() { m.sendAll(t, r.pick, send, c.random(100+uint64(i)), c.lasts) })
	}
	for name, trouble := range troubles {
		if t.Failed() {
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		began := time.Now()
		trouble(intruder{t, r.server, ctx})
		cancel()
		t.Logf("%s: for %v", name, time.Since(began).Round(time.Millisecond))
		for _, g := range r.all {
			g.awaitReady()
		}
		t.Logf("all are ready %v later", time.Since(began).Round(time.Millisecond))
		checkConnections(t, r)
	}
	sending.Wait()
	m.awaitLogged(t, r.all[0])
	m.checkReceipts(t, r.all[0])
	m.checkLogOf(t, r, log)
	for _, g := range r.all {
		g.stop()
	}
}

// checkConnections counts those of all gateways.
func checkConnections(t *testing.T, r *replicas) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), unbounded(r.server))
	if err != nil {
		t.Error(err)
		return
	}
	var n, most int
	for _, g := range r.all {
		most += g.cfg.Store.Postgres.MaxConnections + 1 // and one to listen on
	}
	if err := errors.Join(conn.QueryRow(t.Context(), countOwn).Scan(&n), conn.Close(t.Context())); err != nil || n > most {
		t.Errorf("%d connections of gateways that may have %d: %v", n, most, err)
	}
}
