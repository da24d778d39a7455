// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"testing"

	driver "modernc.org/sqlite"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// TestMain lets more tests run at once than there are processors: they mostly wait for the disk.
func TestMain(m *testing.M) {
	switch os.Getenv(workerEnv) {
	case "":
	case workBackup, workRestore, workMigrate:
		runCopier()
		return
	default:
		runWorker()
		return
	}
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
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
	storetest.Run(t, func(t *testing.T, o storetest.Options) storetest.Opened {
		path := filepath.Join(t.TempDir(), "store.db")
		opts := Options{MaxPending: o.MaxPending, MaxPendingBytes: o.MaxPendingBytes, Now: o.Now}
		s := open(t, path, opts)
		t.Cleanup(func() { checkFile(t, path) })
		reopen := func() gateway.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, path, opts)
			return s
		}
		return storetest.Opened{
			Store: s, Reopen: reopen, HideCold: func() func() { return hideCold(t, path) },
			Another: func() gateway.Store { return open(t, path, opts) },
			Crash:   func() gateway.Store { return open(t, copyCrashed(t, path), opts) },
		}
	})
}

// copyCrashed copies the files of a store as they are now, which is what a crash at this moment leaves.
func copyCrashed(t *testing.T, path string) (crashed string) {
	t.Helper()
	crashed = filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal", incarnationSuffix} {
		if _, err := os.Stat(path + suffix); err == nil {
			copyFile(t, path+suffix, crashed+suffix)
		}
	}
	return crashed
}

// hideCold renames the cold tables by a connection of its own.
func hideCold(t *testing.T, path string) (show func()) {
	t.Helper()
	db := connect(t, writerDSN(path))
	run := func(query string) {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	run(`ALTER TABLE submission_blob RENAME TO hidden_submission_blob; ALTER TABLE entry_blob RENAME TO hidden_entry_blob`)
	return func() {
		run(`ALTER TABLE hidden_submission_blob RENAME TO submission_blob; ALTER TABLE hidden_entry_blob RENAME TO entry_blob`)
	}
}

// connect opens a file without a Store.
func connect(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	connector, err := driver.NewConnector(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// checkFile checks that the file is sound and that what is stored twice agrees.
func checkFile(t *testing.T, path string) {
	t.Helper()
	if _, err := Check(context.WithoutCancel(t.Context()), path); err != nil { // at the test's end, too
		t.Error(err)
	}
	db := connect(t, readerDSN(path))
	checkStates(t, db)
}

// checkStates checks that the states of submissions are those that follow from their entries.
func checkStates(t *testing.T, db *sql.DB) {
	t.Helper()
	begun, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer begun.Rollback()
	all := &tx{Tx: begun}
	seqs, err := collectColumn[int64](all, `SELECT seq FROM submission`)
	if err != nil {
		t.Fatal(err)
	}
	states, err := all.submissionStates(seqs, nil)
	if err != nil || len(states) != len(seqs) {
		t.Fatalf("%d of %d submissions have entries: %v", len(states), len(seqs), err)
	}
	for _, s := range states {
		if want := gateway.StateOf(s.entries, s.needed); s.progress.State != want {
			t.Errorf("submission %d is %s, want %s", s.seq, s.progress.State, want)
		}
	}
}
