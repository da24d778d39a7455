// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"testing"
	"time"
)

// TestCheckpoints: the write-ahead log is copied beside the writes and begins anew, where no commit copies it.
func TestCheckpoints(t *testing.T) {
	s := open(t, "", Options{})
	if _, err := s.writer.Exec(`PRAGMA wal_autocheckpoint(0)`); err != nil {
		t.Fatal(err)
	}
	most := 0
	for round := range 8 {
		if err := s.writeTx(t.Context(), "filling", fillPages(round)); err != nil {
			t.Fatal(err)
		}
		awaitCopied(t, s)
		inLog, _, err := checkpointLog(t.Context(), s.writer, measureLog)
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, inLog)
	}
	if most < longLog || most > 2*longLog {
		t.Errorf("%d pages in the log", most)
	}
}

// fillPages returns what writes more than half of longLog pages.
func fillPages(round int) func(*tx) error {
	return func(t *tx) error {
		if _, err := t.Exec(`CREATE TABLE IF NOT EXISTS filling (round INTEGER, content BLOB)`); err != nil {
			return err
		}
		_, err := t.Exec(`INSERT INTO filling VALUES (?, randomblob(?))`, round, 4096*(longLog/2+100))
		return err
	}
}

// awaitCopied waits until so much is copied that nothing more is due.
func awaitCopied(t *testing.T, s *Store) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		inLog, copied, err := checkpointLog(t.Context(), s.readers, measureLog)
		if err == nil && inLog-copied < longLog {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d pages copied: %v", copied, inLog, err)
		}
	}
}

// TestCheckpointsHeldUp: a reader whom the log is kept for ends nothing, and holds up nobody.
func TestCheckpointsHeldUp(t *testing.T) {
	s := open(t, "", Options{})
	err := s.readTx(t.Context(), "reading", func(old *tx) error {
		if _, err := collectColumn[int64](old, `SELECT seq FROM submission`); err != nil {
			return err
		}
		for round := range 6 {
			if err := s.writeTx(t.Context(), "filling", fillPages(round)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.writeTx(t.Context(), "filling", fillPages(6)); err != nil {
		t.Fatal(err)
	}
	awaitCopied(t, s)
}

// TestCheckpointsSlow: writes wait for a copying that takes long, and no longer than they would for others.
func TestCheckpointsSlow(t *testing.T) {
	s := open(t, "", Options{Patience: 50 * time.Millisecond})
	ended := s.checkpoints.noteCopying(make(chan struct{}))
	if err := s.writeTx(t.Context(), "filling", fillPages(0)); err != nil {
		t.Errorf("beside a copying that has begun just now: %v", err)
	}
	s.checkpoints.mu.Lock()
	s.checkpoints.began = time.Now().Add(-slowCopy)
	s.checkpoints.mu.Unlock()
	if err := s.writeTx(t.Context(), "filling", fillPages(1)); err == nil {
		t.Error("beside a copying that hangs")
	}
	close(ended)
	if err := s.writeTx(t.Context(), "filling", fillPages(2)); err != nil {
		t.Error(err)
	}
}
