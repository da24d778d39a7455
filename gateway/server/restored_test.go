// SPDX-License-Identifier: Apache-2.0

package server_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway/store/sqlite"
)

const (
	saysRestored = "an older copy of the store was put in place"
	saysCopied   = "the store is a copy of the one that was last used"
)

// TestStorePutBack: whoever puts an older store back reads what that costs, once, and the gateway works.
func TestStorePutBack(t *testing.T) {
	t.Parallel() // it mostly waits
	cfg := newConfig(t)
	folder := filepath.Join(filepath.Dir(cfg.Store.SQLite.Path), "store")
	cfg.Store.SQLite.Path = filepath.Join(folder, "store.db")
	backup, copied := filepath.Join(t.TempDir(), "backup"), filepath.Join(t.TempDir(), "copy")
	lives := []struct {
		name   string
		before func() error
		says   string
	}{
		{"first start", func() error { return nil }, ""},
		{"restart", func() error { return os.CopyFS(copied, os.DirFS(folder)) }, ""},
		{"restored", func() error {
			_, err := sqlite.Restore(t.Context(), backup, cfg.Store.SQLite.Path, sqlite.RestoreOptions{Force: true})
			return err
		}, saysRestored},
		{"restart after that", func() error { return nil }, ""},
		{"whole folder put back", func() error {
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			return os.CopyFS(folder, os.DirFS(copied))
		}, saysCopied},
		{"restart after that, too", func() error { return nil }, ""},
	}
	for i, life := range lives {
		if life.says == saysCopied && !saysWhenMade(cfg.Store.SQLite.Path) {
			t.Skip("this file system does not say when a file was made")
		}
		if err := life.before(); err != nil {
			t.Fatalf("%s: %v", life.name, err)
		}
		r := run(t, cfg)
		if a := r.submit(key, life.name); a.status != http.StatusCreated {
			t.Errorf("%s: %d %v", life.name, a.status, a.body)
		}
		if i == 0 { // while it runs
			if _, err := sqlite.Backup(t.Context(), cfg.Store.SQLite.Path, backup, sqlite.BackupOptions{}); err != nil {
				t.Error(err)
			}
		}
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		for _, warning := range []string{saysRestored, saysCopied} {
			if got := strings.Contains(r.log.String(), warning); got != (warning == life.says) {
				t.Errorf("%s: says %q: %v", life.name, warning, got)
			}
		}
	}
}

// saysWhenMade reports whether the gateway knows when its store's file was made.
func saysWhenMade(path string) bool {
	known, err := os.ReadFile(path + ".incarnation")
	return err == nil && strings.Contains(string(known), "born:")
}
