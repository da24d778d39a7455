// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"testing"
)

// TestOpenMovesLog: what a process that died has left in the write-ahead log is in the file itself once it is
// opened, and is read without the log.
func TestOpenMovesLog(t *testing.T) {
	folder := t.TempDir()
	dying, path := filepath.Join(folder, "dying.db"), filepath.Join(folder, "store.db")
	s := open(t, dying, Options{})
	if _, err := s.Enqueue(t.Context(), batches(1)[0]); err != nil {
		t.Fatal(err)
	}
	copyFile(t, dying, path)
	copyFile(t, dying+"-wal", path+"-wal")
	if n := countAlone(t, path); n != 0 {
		t.Fatalf("%d submissions are in the file before it is opened", n)
	}
	open(t, path, Options{})
	if n := countAlone(t, path); n != batch {
		t.Errorf("%d submissions are in the file, want %d", n, batch)
	}
}

// countAlone counts the submissions that a file has without its log.
func countAlone(t *testing.T, path string) (n int) {
	t.Helper()
	alone := filepath.Join(t.TempDir(), "alone.db")
	copyFile(t, path, alone)
	db := connect(t, stillDSN(alone))
	if err := db.QueryRow(`SELECT COUNT(*) FROM sqlite_master WHERE name = 'submission'`).Scan(&n); err != nil || n == 0 {
		return 0
	}
	if err := db.QueryRow(`SELECT COUNT(*) FROM submission`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
