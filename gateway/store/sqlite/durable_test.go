// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"
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

// TestOpenDoesNotWait: a store that another process reads is opened at once, and its writes go on.
func TestOpenDoesNotWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := open(t, path, Options{})
	reading, err := s.readers.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Rollback()
	if err := reading.QueryRow(`SELECT COUNT(*) FROM submission`).Scan(new(int)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Enqueue(t.Context(), batches(1)[0]); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	other := open(t, path, Options{})
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("opened after %v", took)
	}
	var wait int
	if err := other.writer.QueryRow(`PRAGMA busy_timeout`).Scan(&wait); err != nil || strconv.Itoa(wait) != busyTimeout {
		t.Errorf("the writer waits %d ms for a lock, want %s: %v", wait, busyTimeout, err)
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
