// SPDX-License-Identifier: Apache-2.0

//go:build unix

package run

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestHeldFolderIsNotFollowed: a folder that was written to, and was moved out of the tree since, is not written to by way of a link that stands in its place.
func TestHeldFolderIsNotFollowed(t *testing.T) {
	for _, linked := range []string{"a", "a/b"} {
		root, elsewhere := t.TempDir(), t.TempDir()
		path := func(name string) string { return filepath.Join(root, "a/b", name) }
		if err := os.MkdirAll(filepath.Join(root, "a/b"), 0o755); err != nil {
			t.Fatal(err)
		}
		var w receiptWriter
		if _, err := w.write(root, path("1.receipt.json"), []byte("{}"), false); err != nil {
			t.Fatal(err)
		}
		moved := filepath.Join(elsewhere, "moved")
		if err := errors.Join(os.Rename(filepath.Join(root, linked), moved), os.Symlink(moved, filepath.Join(root, linked))); err != nil {
			t.Fatal(err)
		}
		_, err := w.write(root, path("2.receipt.json"), []byte("{}"), false)
		if formats.ReasonOf(err) != backfill.ReasonOutsideRoot {
			t.Errorf("%s: %v", linked, err)
		}
		if _, err := os.Stat(path("2.receipt.json")); err == nil {
			t.Errorf("%s: a receipt was written outside of the tree", linked)
		}
		if err := w.sync(); err != nil {
			t.Error(err)
		}
	}
}

// TestHeldRootIsReplaced: what comes to the place of the folder that was named is written to, and not what was there.
func TestHeldRootIsReplaced(t *testing.T) {
	for _, root := range []string{"", "tree"} {
		dir := t.TempDir()
		tree := filepath.Join(dir, "tree")
		if root != "" {
			root = tree
		}
		var w receiptWriter
		for i := range 2 {
			path := filepath.Join(tree, "a", fmt.Sprint(i, ".receipt.json"))
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := w.write(root, path, []byte("{}"), false); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("below %q: %v", root, err)
			}
			if err := os.Rename(tree, filepath.Join(dir, fmt.Sprint("moved-", i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.sync(); err != nil {
			t.Error(err)
		}
	}
}

// TestUnnotedFolder: where too many files are open, a folder is not noted to be synced. The run ends with that, and does not crash.
func TestUnnotedFolder(t *testing.T) {
	folder := must(holdFolder("", filepath.Join(t.TempDir(), "app.receipt.json")))
	folder.close() // it cannot be opened again, either
	var w receiptWriter
	if err := w.noteFolder(folder); err == nil {
		t.Error("no error")
	}
	if err := w.sync(); err != nil {
		t.Error(err)
	}
}

// TestHeldFoldersAreFew: no more folders stay open than are held, whatever becomes of them while several write, and none once all is written.
func TestHeldFoldersAreFew(t *testing.T) {
	root := t.TempDir()
	before := countOpen(t, root)
	var w receiptWriter
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 100 {
				folder := filepath.Join(root, fmt.Sprint(j%40))
				path := filepath.Join(folder, fmt.Sprintf("%d-%d.receipt.json", i, j))
				if err := os.MkdirAll(folder, 0o755); err != nil && !errors.Is(err, os.ErrExist) { // it was there, and is moved away
					t.Error(err)
				}
				if _, err := w.write(root, path, []byte("{}"), false); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
				if i == 0 {
					_ = os.Rename(folder, filepath.Join(root, fmt.Sprint("moved-", j)))
				}
			}
		})
	}
	writers.Wait()
	const each = 3 // os.Root, os.File and the os.Root above
	if open := countOpen(t, root) - before; open > each*maxHeldFolders+1 {
		t.Errorf("%d are open", open)
	}
	if err := w.sync(); err != nil {
		t.Error(err)
	}
	if open := countOpen(t, root) - before; open != 0 {
		t.Errorf("%d are open at the end", open)
	}
	for i := range 8 {
		for j := range 100 {
			name := fmt.Sprintf("%d-%d.receipt.json", i, j)
			if found := must(filepath.Glob(filepath.Join(root, "*", name))); len(found) > 1 {
				t.Errorf("%s is there %d times", name, len(found))
			}
		}
	}
}

// countOpen returns how many files and folders below dir this process has open.
func countOpen(t *testing.T, dir string) (n int) {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("there is no list of open files: ", err)
	}
	for _, e := range all {
		if name, err := os.Readlink(filepath.Join("/proc/self/fd", e.Name())); err == nil && len(name) >= len(dir) && name[:len(dir)] == dir {
			n++
		}
	}
	return n
}
