// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	driver "modernc.org/sqlite"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func TestMain(m *testing.M) {
	if os.Getenv(workerEnv) != "" {
		runWorker()
		return
	}
	os.Exit(m.Run())
}

// open opens a store at path, or at a fresh one, and closes it when the test ends.
func open(t testing.TB, path string, opts Options) *Store {
	t.Helper()
	if path == "" {
		path = filepath.Join(t.TempDir(), "store.db")
	}
	s, err := Open(t.Context(), path, opts)
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

func TestConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T, maxPending int) (gateway.Store, func() gateway.Store) {
		path := filepath.Join(t.TempDir(), "store.db")
		s := open(t, path, Options{MaxPending: maxPending})
		t.Cleanup(func() { checkFile(t, path) })
		return s, func() gateway.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, Options{MaxPending: maxPending})
			return s
		}
	})
}

// checkFile checks that the file is sound and that what is stored twice agrees. Each query
// finds what is wrong.
func checkFile(t *testing.T, path string) {
	t.Helper()
	connector, err := driver.NewConnector(readerDSN(path))
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for name, query := range map[string]string{
		"integrity":    `SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'`,
		"foreign keys": `SELECT "table" || ' ' || rowid FROM pragma_foreign_key_check`,
		"queue length": `
			SELECT log || ' ' || pending FROM queue q
			WHERE pending <> (SELECT COUNT(*) FROM entry e WHERE e.log = q.log AND e.state = 'PENDING')
			UNION ALL SELECT log FROM entry WHERE log NOT IN (SELECT log FROM queue)`,
		"submission states": `
			SELECT id || ' ' || state FROM (SELECT s.id, s.state,
				(SELECT group_concat(DISTINCT e.state ORDER BY e.state) FROM submission_entry se JOIN entry e ON e.id = se.entry
				 WHERE se.submission = s.id) AS entries FROM submission s)
			WHERE state <> CASE WHEN entries LIKE '%FAILED%' THEN 'FAILED'
				WHEN entries = 'LOGGED,PENDING' THEN 'PARTIAL' ELSE entries END`,
	} {
		var problem string
		if err := db.QueryRow(query).Scan(&problem); err != sql.ErrNoRows {
			t.Errorf("%s: %q %v", name, problem, err)
		}
	}
}
