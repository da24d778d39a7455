// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// openBeforeTurns returns a new file with the tables of before 00007_turns.sql, and n pending entries: those
// of each tenant in turn, and each with a submission.
func openBeforeTurns(tb testing.TB, n, tenants int) (path string, db *sql.DB) {
	tb.Helper()
	path = filepath.Join(tb.TempDir(), "store.db")
	db = connect(tb, writerDSN(path))
	provider, err := newProvider(db)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := provider.UpTo(tb.Context(), 6); err != nil {
		tb.Fatal(err)
	}
	const numbers = `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `
	for _, query := range []string{
		`INSERT INTO log (name) VALUES ('log')`,
		fmt.Sprintf(numbers+`INSERT INTO tenant (id, name) SELECT i, 't' || i FROM n`, tenants),
		fmt.Sprintf(numbers+`INSERT INTO submission (seq, id, tenant, key, format, state, needed, priority, created_at, digests, signatures, labels)
SELECT i, CAST(printf('%%016d', i) AS BLOB), 1 + i %% %d, CAST(printf('%%032d', i) AS BLOB), 'x509', 'PENDING', 1, 0, 1, x'', x'', '{}' FROM n`, n, tenants),
		fmt.Sprintf(numbers+`INSERT INTO entry (id, log, leaf_hash, kind, state, priority, queued_at)
SELECT i, 1, CAST(printf('%%032d', i) AS BLOB), 'test', 'PENDING', 0, i FROM n`, n),
		`INSERT INTO entry_blob (entry, body) SELECT id, x'00' FROM entry`,
		`INSERT INTO submission_entry (submission, role, entry) SELECT id, 0, id FROM entry`,
		`UPDATE log SET pending = (SELECT COUNT(*) FROM entry)`,
	} {
		if _, err := db.Exec(query); err != nil {
			tb.Fatal(err)
		}
	}
	return path, db
}

// TestMigrateTurns: what is pending belongs to the tenant of its first submission, and has one of the priorities
// that there are.
func TestMigrateTurns(t *testing.T) {
	path, db := openBeforeTurns(t, 9, 3)
	for _, query := range []string{
		`UPDATE entry SET priority = id - 5`,
		`UPDATE submission SET priority = seq - 5`,
		`UPDATE submission_entry SET entry = 3 WHERE submission = 4`, // shared, and 4 has none
		`UPDATE entry SET state = 'LOGGED', log_index = 1 WHERE id = 9`,
		`UPDATE entry SET next_at = 1 WHERE id = 8`,
		`UPDATE log SET pending = 8`,
	} {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path, Options{})
	for query, want := range map[string]int{
		`SELECT COUNT(*) FROM entry e JOIN submission s ON s.seq = e.id AND s.tenant = e.tenant WHERE e.id NOT IN (4, 9)`: 7,
		`SELECT COUNT(*) FROM entry WHERE tenant = 0`:          2, // nobody's, and what is logged
		`SELECT COUNT(*) FROM entry WHERE priority = -1`:       4,
		`SELECT COUNT(*) FROM entry WHERE priority = 0`:        4, // and one is as it was, which is logged
		`SELECT COUNT(*) FROM submission WHERE priority < 0`:   4,
		`SELECT COUNT(*) FROM submission WHERE priority = 0`:   5,
		`SELECT COUNT(*) FROM submission WHERE priority <> -1`: 5,
	} {
		if n := count(t, s, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
	claimed, err := s.Claim(t.Context(), gateway.ClaimParams{Log: "log", Lease: time.Minute, Limit: 20, InFlight: 20})
	if err != nil || len(claimed) != 8 {
		t.Errorf("claimed %d of 8, %v", len(claimed), err)
	}
}

// BenchmarkMigrateTurns migrates 100,000 pending entries of 1000 tenants.
func BenchmarkMigrateTurns(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		path, db := openBeforeTurns(b, 100_000, 1000)
		_ = db.Close()
		b.StartTimer()
		if err := open(b, path, Options{}).Close(); err != nil {
			b.Fatal(err)
		}
	}
}
