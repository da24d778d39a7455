// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
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
	defer f.close()
	want := []entry{{"app", 0}, {"link", fs.ModeSymlink}, {"sub", fs.ModeDir}}
	if !slices.Equal(f.entries, want) {
		t.Errorf("%v, not %v", f.entries, want)
	}
}

// TestFolderOpens: what has come to the place of a file since its folder was read is opened as it would be without a look at that: a link where it does not lead
// out of the root, and nothing but files.
func TestFolderOpens(t *testing.T) {
	dir := t.TempDir()
	outside := write(t, dir+"/outside", "secret")
	write(t, dir+"/tree/other/app", "inside")
	for name, test := range map[string]struct {
		change func(path string) error
		want   string // what is read, or a part of what is said
	}{
		"same":    {func(string) error { return nil }, "as it was"},
		"inside":  {func(path string) error { return os.Symlink("../other/app", path) }, "inside"},
		"outside": {func(path string) error { return os.Symlink(outside, path) }, "leads out of"},
		"pipe":    {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is a named pipe, and no file"},
		"folder":  {func(path string) error { return os.Mkdir(path, 0o700) }, "is a folder, and no file"},
		"none":    {func(string) error { return nil }, "is not there"},
	} {
		path := write(t, dir+"/tree/"+name+"/app", "as it was")
		got := readChanged(t, dir+"/tree", name, func() error {
			if name != "same" {
				remove(t, dir, "tree/"+name+"/app")
			}
			return test.change(path)
		})
		if !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// readChanged returns what is in the file app, or what is wrong with it, after a change since its folder was read.
func readChanged(t *testing.T, root, name string, change func() error) string {
	t.Helper()
	tr, err := openTree(root, false)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	f, err := readFolder(tr, name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := change(); err != nil {
		t.Fatal(err)
	}
	s := &scanner{head: make([]byte, maxHead)}
	content, _, err := s.readHead(f, f.entries[0])
	if err != nil {
		return explainFile("app", root, err).Message
	}
	return string(content)
}

// TestFolderMoves: a folder that is moved while it is scanned, and a link in its place, lead nowhere else.
func TestFolderMoves(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/tree/a/app", "as it was")
	write(t, dir+"/tree/b/app", "another")
	got := readChanged(t, dir+"/tree", "a", func() error {
		return errors.Join(os.Rename(dir+"/tree/a", dir+"/tree/c"), os.Symlink("b", dir+"/tree/a"))
	})
	if got != "as it was" {
		t.Errorf("read: %s", got)
	}
}

// TestReadGrowing: a file that has more than its size says has changed, whether or not it is read to its end.
func TestReadGrowing(t *testing.T) {
	for _, size := range []int{0, 4} {
		n, err := readExpected(strings.NewReader("12345"), make([]byte, 10), size)
		if n != size+1 || err != nil {
			t.Errorf("%d of %d: %v", n, size, err)
		}
	}
	path := write(t, t.TempDir()+"/app", "")
	f, err := readFolder(&tree{path: path[:len(path)-len("/app")]}, ".")
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	file, before, err := f.open(f.entries[0])
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	write(t, path, "more")
	if err := checkUnchanged(file, before); !errors.Is(err, errChanged) {
		t.Errorf("%v", err)
	}
}
