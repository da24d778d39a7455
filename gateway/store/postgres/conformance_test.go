// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// template is a database of a server that is migrated once, and copied for each test.
type template struct {
	once sync.Once
	name string
}

// ofShared is of the server that the tests share.
var ofShared template

// newDatabase returns the data source name of a database of the test's own, with the tables of a store.
func newDatabase(t testing.TB) string {
	t.Helper()
	return ofShared.newDatabase(t, postgrestest.Shared(t))
}

func (m *template) newDatabase(t testing.TB, server *postgrestest.Server) string {
	t.Helper()
	m.once.Do(func() {
		dsn := server.NewDatabase(t, "")
		s, err := Open(t.Context(), dsn, Options{})
		if err != nil {
			return
		}
		if err := s.Close(); err != nil {
			return
		}
		name := postgrestest.DatabaseOf(dsn) // a copy is to be as new
		if err := server.Exec(t.Context(), name, `DELETE FROM rekor_gateway.incarnation`); err == nil {
			m.name = name
		}
	})
	if m.name == "" {
		t.Fatal("no template database")
	}
	return server.NewDatabase(t, m.name)
}

func TestConformance(t *testing.T) {
	var toCrash struct {
		template
		sync.Mutex // held by the test that may crash the server
	}
	crashing := sync.OnceValue(func() *postgrestest.Server { return postgrestest.NewServer(t) })
	storetest.Run(t, func(t *testing.T, o storetest.Options) storetest.Opened {
		server, dsn := postgrestest.Shared(t), ""
		if o.Crashes {
			server = crashing()
			toCrash.Lock()
			t.Cleanup(toCrash.Unlock)
			dsn = toCrash.newDatabase(t, server)
		} else {
			dsn = newDatabase(t)
		}
		opts := Options{MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes, Now: o.Now}
		t.Cleanup(func() { checkRows(t, dsn) })
		s := open(t, dsn, opts)
		reopen := func() gateway.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dsn, opts)
			return s
		}
		return storetest.Opened{
			Store: s, Reopen: reopen, HideCold: func() func() { return hideCold(t, dsn) },
			Another: func() gateway.Store { return open(t, dsn, opts) },
			Crash: func() gateway.Store {
				if err := errors.Join(server.Kill(), server.Restart()); err != nil {
					t.Fatal(err)
				}
				return open(t, dsn, opts)
			},
		}
	})
}

// hideCold renames the cold tables by a connection of its own.
func hideCold(t *testing.T, dsn string) (show func()) {
	t.Helper()
	run := func(statements string) {
		t.Helper()
		if err := postgrestest.Shared(t).Exec(t.Context(), postgrestest.DatabaseOf(dsn), statements); err != nil {
			t.Fatal(err)
		}
	}
	run(`ALTER TABLE rekor_gateway.submission_blob RENAME TO hidden_submission_blob; ALTER TABLE rekor_gateway.entry_blob RENAME TO hidden_entry_blob`)
	return func() {
		run(`ALTER TABLE rekor_gateway.hidden_submission_blob RENAME TO submission_blob; ALTER TABLE rekor_gateway.hidden_entry_blob RENAME TO entry_blob`)
	}
}

// connect opens a connection without a Store.
func connect(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["search_path"] = schema
	conn, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	return conn
}
