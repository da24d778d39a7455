// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/postgres/postgrestest"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// rowsOfVersion1 are a submission with a logged entry, as the first version of the tables keeps them.
const rowsOfVersion1 = `
INSERT INTO tenant (name) VALUES ('alice');
INSERT INTO log (name) VALUES ('log-a');
INSERT INTO submission (id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels)
VALUES ('00000000-0000-7000-8000-000000000001', 1, decode(repeat('01', 32), 'hex'), 'pgp', 'PENDING', 1, 0, 1800000000000, '', decode('00', 'hex'), '{}');
INSERT INTO entry (log, tenant, leaf_hash, kind, state, priority, queued_at) VALUES (1, 1, decode(repeat('02', 32), 'hex'), 'test/1', 'PENDING', 0, 1800000000000);
INSERT INTO entry_blob (entry, body) VALUES (1, 'body');
INSERT INTO submission_entry (submission, role, entry) VALUES (1, 0, 1);
INSERT INTO backlog (log, entries, bytes) VALUES (1, 1, 0);`

// TestMigrations goes from each version of the tables to the present one, with rows in them.
func TestMigrations(t *testing.T) {
	server := postgrestest.Shared(t)
	newest := int64(0)
	for version := int64(1); newest == 0 || version <= newest; version++ {
		dsn := server.NewDatabase(t, "")
		watch := &lifeWatch{loss: &lossWatch{logger: Options{}.withDefaults().Logger}}
		pool, err := connectPool(t.Context(), dsn, Options{}.withDefaults(), watch)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), `CREATE SCHEMA `+schema); err != nil {
			t.Fatal(err)
		}
		provider, err := newProvider(openUnbounded(pool))
		if err != nil {
			t.Fatal(err)
		}
		sources := provider.ListSources()
		newest = sources[len(sources)-1].Version
		if _, err := provider.UpTo(t.Context(), version); err != nil {
			t.Fatal(err)
		}
		if _, err := pool.Exec(t.Context(), rowsOfVersion1); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if err := provider.Close(); err != nil {
			t.Fatal(err)
		}
		pool.Close()

		s := open(t, dsn, Options{})
		found, err := s.Progress(t.Context(), []string{"00000000-0000-7000-8000-000000000001"})
		if err != nil || len(found) != 1 || found[0].State != gateway.Pending {
			t.Errorf("from version %d: %+v, %v", version, found, err)
		}
		if _, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("alice", "new", "log-a")}); err != nil {
			t.Errorf("from version %d: %v", version, err)
		}
	}
}
