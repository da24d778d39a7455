// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// beforeStates is the version of the tables before 00009_states.sql, which writes to SQLite's own table of tables.
const beforeStates = 8

// fillOlder makes a store with the tables of an older version and so many pending entries.
func fillOlder(t *testing.T, path string, version int64, n int) {
	t.Helper()
	db := connect(t, writerDSN(path))
	provider, err := newProvider(db)
	must(t, err)
	_, err = provider.UpTo(t.Context(), version)
	must(t, err)
	numbers := `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ` + strconv.Itoa(n) + `) `
	for _, query := range []string{
		`INSERT INTO log (name) VALUES ('log')`,
		`INSERT INTO tenant (id, name) VALUES (1, 'tenant')`,
		numbers + `INSERT INTO submission (seq, id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels)
SELECT i, CAST(printf('%016d', i) AS BLOB), 1, CAST(printf('%032d', i) AS BLOB), 'x509', 'PENDING', 1, 0, 1, x'', x'', '{}' FROM n`,
		numbers + `INSERT INTO entry (id, log, tenant, leaf_hash, kind, state, priority, queued_at, attempts, bytes)
SELECT i, 1, 1, CAST(printf('%032d', i) AS BLOB), 'test', 'PENDING', 0, i, 20, 1 FROM n`,
		`INSERT INTO entry_blob (entry, body) SELECT id, x'00' FROM entry`,
		`INSERT INTO submission_entry (submission, role, entry) SELECT id, 0, id FROM entry`,
		`UPDATE log SET pending = (SELECT COUNT(*) FROM entry), pending_bytes = (SELECT COUNT(*) FROM entry)`,
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	must(t, db.Close())
}

// wantMigrated opens a store, whatever became of its migration, and wants it whole, with all entries, and with the checks that it had.
func wantMigrated(t *testing.T, path string, entries int) {
	t.Helper()
	s, err := Open(t.Context(), path, Options{})
	if err != nil {
		t.Fatalf("opening after an interrupted migration: %v", err)
	}
	stats, err := s.Stats(t.Context())
	if err != nil || stats.Pending["log"] != entries || stats.Stuck["log"] != entries {
		t.Errorf("%+v, %v", stats, err)
	}
	stored, err := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission("tenant", "new", "log")})
	if err != nil || stored[0].Err != nil {
		t.Errorf("storing after an interrupted migration: %v, %v", stored, err)
	}
	must(t, s.Close())
	if _, err := Check(t.Context(), path); err != nil {
		t.Errorf("after an interrupted migration: %v", err)
	}
	db := connect(t, writerDSN(path))
	for _, table := range []string{"submission", "entry"} {
		if _, err := db.Exec(`UPDATE ` + table + ` SET state = 'ELSE'`); err == nil || !strings.Contains(err.Error(), "CHECK") {
			t.Errorf("a state that is none in %s: %v", table, err)
		}
	}
	must(t, db.Close())
}

// migratingRows are enough for a migration to take a while.
const migratingRows = 3000

// TestMigrationKilled kills processes that bring the tables up to date, each at a random moment: whoever opens the store next finds it
// whole, and ends it.
func TestMigrationKilled(t *testing.T) {
	original := filepath.Join(t.TempDir(), workerStore)
	fillOlder(t, original, beforeStates, migratingRows)
	renew := func() (folder string) {
		folder = t.TempDir()
		copyFile(t, original, filepath.Join(folder, workerStore))
		return folder
	}
	whole := measure(func() { killCopier(t, renew(), workMigrate, time.Minute) })
	versions := map[int64]int{}
	for range 2 * kills {
		folder := renew()
		path := filepath.Join(folder, workerStore)
		killCopier(t, folder, workMigrate, rand.N(whole))
		versions[readVersion(t, path)]++
		wantMigrated(t, path, migratingRows)
	}
	t.Logf("after %d kills the tables were of these versions: %v", 2*kills, versions)
}

// readVersion looks at a copy, since reading a file may already repair it.
func readVersion(t *testing.T, path string) (version int64) {
	t.Helper()
	looked := filepath.Join(t.TempDir(), workerStore)
	for _, suffix := range []string{"", "-wal"} {
		if exists(path + suffix) {
			copyFile(t, path+suffix, looked+suffix)
		}
	}
	db := connect(t, writerDSN(looked))
	must(t, db.QueryRow(selectVersion).Scan(&version))
	must(t, db.Close())
	return version
}

// TestMigrationDiskFull lets the disk be full at each step of a migration: it is refused, the store stays as it was, and the
// next try with more room ends it.
func TestMigrationDiskFull(t *testing.T) {
	original := filepath.Join(t.TempDir(), workerStore)
	fillOlder(t, original, beforeStates, migratingRows)
	info, err := os.Stat(original)
	must(t, err)
	refused := 0
	for room := int64(0); ; room += 16 << 10 {
		small := storetest.MountSmall(t, info.Size()+room)
		path := filepath.Join(small, workerStore)
		copyFile(t, original, path)
		s, err := Open(t.Context(), path, Options{})
		if err == nil {
			must(t, s.Close())
			break
		}
		refused++
		larger := filepath.Join(t.TempDir(), workerStore)
		for _, suffix := range []string{"", "-wal"} {
			if exists(path + suffix) {
				copyFile(t, path+suffix, larger+suffix)
			}
		}
		wantMigrated(t, larger, migratingRows)
		if room > 16<<20 {
			t.Fatalf("with %d bytes more: %v", room, err)
		}
	}
	if refused < 3 {
		t.Errorf("the disk was full %d times", refused)
	}
	t.Logf("the disk was full %d times", refused)
}
