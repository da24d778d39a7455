// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errorCode(err) == sqlite3.SQLITE_FULL
}

// TestBackupDiskFull: nothing is left of a backup for which there is no room, whenever it runs out.
func TestBackupDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 4)
	_, m := backUp(t, path)
	for name, size := range map[string]int64{"while copying": 400 << 10, "for the last file": m.Size} {
		t.Run(name, func(t *testing.T) {
			small := storetest.MountSmall(t, size)
			if _, err := Backup(t.Context(), path, filepath.Join(small, "backup"), BackupOptions{}); !isFull(err) {
				t.Errorf("error %v", err)
			}
			if left := listFolder(t, small); len(left) != 0 {
				t.Errorf("left behind: %q", left)
			}
			wantOpen(t, path, 4*batch)
		})
	}
}

// TestRestoreDiskFull: the store stays as it was.
func TestRestoreDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	fill(t, path, 4)
	folder, m := backUp(t, path)
	small := storetest.MountSmall(t, m.Size)
	old := filepath.Join(small, "store.db")
	s := open(t, old, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), folder, old, RestoreOptions{Force: true}); !isFull(err) {
		t.Errorf("error %v", err)
	}
	if left := strings.Join(listFolder(t, small), " "); left != "store.db store.db.incarnation store.db.lock" {
		t.Errorf("files: %s", left)
	}
	wantOpen(t, old, 0)
}
