// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"io/fs"
	"os"
	"slices"
	"testing"
)

// TestReadFolderLooksNothingUp: what the names of a folder are is read with them. A scan of a million files would look up each, else: in a folder whose names may
// be read and not be looked up, none would be found.
func TestReadFolderLooksNothingUp(t *testing.T) {
	dir := t.TempDir()
	for _, d := range []string{dir, dir + "/.."} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir+"/names/app", "")
	link(t, "app", dir+"/names/link")
	write(t, dir+"/names/sub/app", "")
	if err := os.Chmod(dir+"/names", 0o444); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir+"/names", 0o755) })
	beNobody(t)
	tr, err := openTree(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	f, err := readFolder(tr, "names")
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{{"app", 0}, {"link", fs.ModeSymlink}, {"sub", fs.ModeDir}}
	if !slices.Equal(f.entries, want) {
		t.Errorf("%v, not %v", f.entries, want)
	}
}
