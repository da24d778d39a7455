// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		runWorker()
		return
	}
	os.Exit(postgrestest.Main(m))
}

// open opens a store, in a fresh database unless a DSN is given, and closes it when the test ends.
func open(t testing.TB, dsn string, opts Options) *Store {
	t.Helper()
	if dsn == "" {
		dsn = postgrestest.Shared(t).NewDatabase(t, "")
	}
	s, err := Open(t.Context(), dsn, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestOpen opens a database that is new, that is there, and that is of a newer release.
func TestOpen(t *testing.T) {
	server := postgrestest.Shared(t)
	dsn := server.NewDatabase(t, "")
	if _, err := OpenBeside(t.Context(), dsn, Options{}); !errors.Is(err, ErrVersion) {
		t.Errorf("opened beside nobody: %v", err)
	}
	for range 2 {
		open(t, dsn, Options{})
	}
	beside, err := OpenBeside(t.Context(), dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(beside.Close(), beside.Close()); err != nil {
		t.Error(err)
	}
	if err := server.Exec(t.Context(), postgrestest.DatabaseOf(dsn), `INSERT INTO rekor_gateway.goose_db_version (version_id, is_applied) VALUES (999, true)`); err != nil {
		t.Fatal(err)
	}
	for name, opened := range map[string]func() (*Store, error){
		"Open":       func() (*Store, error) { return Open(t.Context(), dsn, Options{}) },
		"OpenBeside": func() (*Store, error) { return OpenBeside(t.Context(), dsn, Options{}) },
	} {
		if _, err := opened(); !errors.Is(err, ErrVersion) {
			t.Errorf("%s of a newer store: %v", name, err)
		}
	}
}

// TestOpenAtOnce has several gateways open an empty database at the same moment.
func TestOpenAtOnce(t *testing.T) {
	dsn := postgrestest.Shared(t).NewDatabase(t, "")
	opened := make(chan error)
	for range 5 {
		go func() {
			s, err := Open(t.Context(), dsn, Options{})
			if err == nil {
				err = s.Close()
			}
			opened <- err
		}()
	}
	for range 5 {
		if err := <-opened; err != nil {
			t.Error(err)
		}
	}
}

// TestUnsafeServers: a server that would lose what it acknowledged is refused, and so is one that takes no writes.
func TestUnsafeServers(t *testing.T) {
	server := postgrestest.NewServer(t, "fsync=off")
	_, err := Open(t.Context(), server.DSN("postgres"), Options{})
	if !errors.Is(err, ErrUnsafeServer) || !strings.Contains(err.Error(), "fsync is off") || errors.Is(err, gateway.ErrStoreUnavailable) {
		t.Errorf("fsync off: %v", err)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(server.Data()+"/standby.signal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), server.DSN("postgres"), Options{}); !errors.Is(err, ErrUnsafeServer) || !strings.Contains(err.Error(), "standby") || !errors.Is(err, gateway.ErrStoreUnavailable) {
		t.Errorf("standby: %v", err)
	}
}

// TestBadNames: what cannot be reached or parsed is said, without the password.
func TestBadNames(t *testing.T) {
	for _, dsn := range []string{"postgres://gateway:secret@127.0.0.1:1/x", "postgres://gateway:secret@[::1/x", "host=127.0.0.1 port=secret"} {
		_, err := Open(t.Context(), dsn, Options{})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
	_, err := Open(t.Context(), "postgres://gateway:secret@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/none/secret", Options{})
	if err == nil || !strings.Contains(err.Error(), "sslrootcert") || strings.Contains(err.Error(), "secret") {
		t.Errorf("authorities that are not there: %v", err)
	}
}

// TestRefusedGateways: a server that does not let the gateway in is none that is down, and not waited for.
func TestRefusedGateways(t *testing.T) {
	server := postgrestest.Shared(t)
	dsn := server.NewDatabase(t, "")
	if err := server.Exec(t.Context(), "postgres", `CREATE ROLE without_rights LOGIN; CREATE ROLE without_login`); err != nil {
		t.Fatal(err)
	}
	as := func(user string) string { return strings.Replace(dsn, "://gateway", "://"+user, 1) }
	for name, refused := range map[string]string{
		"no such role": as("nobody_there"), "no login": as("without_login"), "no rights": as("without_rights"), "no such database": server.DSN("nowhere"),
	} {
		s, err := Open(t.Context(), refused, Options{})
		if err == nil {
			_ = s.Close()
		}
		if !IsRefused(err) || errors.Is(err, gateway.ErrStoreUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.Context(), "postgres://gateway@127.0.0.1:1/x", Options{}); err == nil || IsRefused(err) {
		t.Errorf("down: %v", err)
	}
}

// TestRefusedLater: a gateway at work that is not let in any more cannot use its store for now, and goes on once it is.
func TestRefusedLater(t *testing.T) {
	server := postgrestest.Shared(t)
	dsn := server.NewDatabase(t, "")
	if err := server.Exec(t.Context(), "postgres", `CREATE ROLE refused_later LOGIN; GRANT CREATE ON DATABASE `+postgrestest.DatabaseOf(dsn)+` TO refused_later`); err != nil {
		t.Fatal(err)
	}
	s := open(t, strings.Replace(dsn, "://gateway", "://refused_later", 1), Options{})
	for _, step := range []struct {
		role    string
		refused bool
	}{{"NOLOGIN", true}, {"LOGIN", false}} {
		if err := server.Exec(t.Context(), "postgres", `ALTER ROLE refused_later `+step.role); err != nil {
			t.Fatal(err)
		}
		s.pool.Reset()
		_, err := s.ListLogs(t.Context())
		if refused := errors.Is(err, gateway.ErrStoreUnavailable) && IsRefused(err); refused != step.refused || !refused && err != nil {
			t.Errorf("%s: %v", step.role, err)
		}
	}
}

// TestDescribe: a database is named without a password, and without asking it anything.
func TestDescribe(t *testing.T) {
	for _, dsn := range []string{"postgres://gateway:secret@db.example.com:6543/own?sslmode=disable", "host=db.example.com port=6543 user=gateway password=secret dbname=own"} {
		if name, err := Describe(dsn); err != nil || name != "database own of db.example.com:6543" {
			t.Errorf("%q, %v", name, err)
		}
	}
	if _, err := Describe("postgres://gateway:secret@[::1/x"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}

// TestSlowMigration: a migration may take longer than any statement of a gateway's, as an index of a large table does.
func TestSlowMigration(t *testing.T) {
	dsn := newDatabase(t)
	err := postgrestest.Shared(t).Exec(t.Context(), postgrestest.DatabaseOf(dsn), `
DELETE FROM rekor_gateway.goose_db_version WHERE version_id >= 4;
DROP TABLE rekor_gateway.quota_use, rekor_gateway.audit, rekor_gateway.own_log, rekor_gateway.own_queue, rekor_gateway.own_record,
    rekor_gateway.own_tile, rekor_gateway.own_anchor, rekor_gateway.own_cosignature, rekor_gateway.own_contradiction, rekor_gateway.own_look, rekor_gateway.mirror, rekor_gateway.mirror_due,
    rekor_gateway.blob, rekor_gateway.blob_part, rekor_gateway.blob_use;
ALTER TABLE rekor_gateway.submission DROP COLUMN subject;
ALTER TABLE rekor_gateway.checkpoint DROP COLUMN life, DROP COLUMN doubt_from;
ALTER TABLE rekor_gateway.log DROP COLUMN sent_until, DROP COLUMN sent_shard, DROP COLUMN sent_from;
CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1.5); END';
CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION dawdle();`)
	if err != nil {
		t.Fatal(err)
	}
	open(t, dsn, Options{Patience: 500 * time.Millisecond})
}

// TestRoleWithoutCreate: a role that may only work on the tables is enough for a store that is there, and is told what it lacks for a
// new one.
func TestRoleWithoutCreate(t *testing.T) {
	server, dsn := postgrestest.Shared(t), newDatabase(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(server.Exec(t.Context(), postgrestest.DatabaseOf(dsn), `
DO 'BEGIN CREATE ROLE worker LOGIN; EXCEPTION WHEN duplicate_object THEN END';
GRANT USAGE ON SCHEMA rekor_gateway TO worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rekor_gateway TO worker;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA rekor_gateway TO worker;`))
	s := open(t, strings.Replace(dsn, "gateway@", "worker@", 1), Options{})
	stored, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "one", "log")})
	if err != nil || stored[0].Err != nil {
		t.Error(err, stored)
	}
	_, err = Open(t.Context(), strings.Replace(server.NewDatabase(t, ""), "gateway@", "worker@", 1), Options{})
	if err == nil || errors.Is(err, gateway.ErrStoreUnavailable) || !strings.Contains(err.Error(), "making the schema rekor_gateway") {
		t.Errorf("opened a new store: %v", err)
	}
}
