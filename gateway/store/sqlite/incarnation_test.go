// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/store/storetest"
)

// live opens and closes the store at path and reports whether it was restored.
func live(t *testing.T, path string) (restored bool) {
	t.Helper()
	s := open(t, path, Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return s.Incarnation().Restored
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestored(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, path string) // with a store that has lived once
		want bool
	}{
		"restart": {func(*testing.T, string) {}, false},
		"older copy": {func(t *testing.T, path string) {
			copyFile(t, path, path+".copy")
			live(t, path)
			live(t, path)
			copyFile(t, path+".copy", path)
		}, true},
		"whole folder": {func(t *testing.T, path string) {
			copyFile(t, path, path+".copy")
			copyFile(t, path+incarnationSuffix, path+".copy"+incarnationSuffix)
			live(t, path)
			live(t, path)
			copyFile(t, path+".copy", path)
			copyFile(t, path+".copy"+incarnationSuffix, path+incarnationSuffix)
		}, false},
		"file missing": {func(t *testing.T, path string) {
			if err := os.Remove(path + incarnationSuffix); err != nil {
				t.Fatal(err)
			}
		}, true},
		"another store's file": {func(t *testing.T, path string) {
			live(t, path+".other")
			copyFile(t, path+".other"+incarnationSuffix, path+incarnationSuffix)
		}, true},
		"crash between file and row": {func(t *testing.T, path string) {
			copyFile(t, path, path+".copy")
			live(t, path)
			copyFile(t, path+".copy", path) // as if the row had not been committed
		}, false},
		"crash while the file is written": {func(t *testing.T, path string) {
			if err := os.WriteFile(path+incarnationSuffix+".new", []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, false},
		"two at once": {func(t *testing.T, path string) {
			first, second := open(t, path, Options{}), open(t, path, Options{})
			third := open(t, path, Options{})
			for _, s := range []*Store{second, first, third} {
				if s.Incarnation().Restored {
					t.Error("restored")
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}, false},
		"new store beside an old file": {func(t *testing.T, path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			if live(t, path) {
				t.Fatal("a new store is restored")
			}
			test.do(t, path)
			if got := live(t, path); got != test.want {
				t.Errorf("restored: %v, want %v", got, test.want)
			}
			if live(t, path) {
				t.Error("restored, at the restart after")
			}
		})
	}
}

// TestCopied: a whole folder that was put back is a copy, and says so once. One that got another name is none.
func TestCopied(t *testing.T) {
	for name, test := range map[string]struct {
		do   func(t *testing.T, folder string)
		want bool
	}{
		"restart": {func(*testing.T, string) {}, false},
		"renamed": {func(t *testing.T, folder string) {
			must(t, os.Rename(folder, folder+".other"))
			must(t, os.Rename(folder+".other", folder))
		}, false},
		"older copy of the folder": {func(t *testing.T, folder string) {
			must(t, os.CopyFS(folder+".copy", os.DirFS(folder)))
			live(t, filepath.Join(folder, "store.db"))
			must(t, os.RemoveAll(folder))
			must(t, os.CopyFS(folder, os.DirFS(folder+".copy")))
		}, true},
		"of a release that did not say": {func(t *testing.T, folder string) {
			path := filepath.Join(folder, "store.db") + incarnationSuffix
			known, _, _ := strings.Cut(string(read(t, path)), birthPrefix)
			write(t, path, known)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "data")
			path := filepath.Join(folder, "store.db")
			live(t, path)
			if readBirth(path) == 0 {
				t.Skip("this file system does not say when a file was made")
			}
			test.do(t, folder)
			for i, want := range []bool{test.want, false} {
				s := open(t, path, Options{})
				must(t, s.Close())
				if got := s.Incarnation(); got.Copied != want || got.Restored {
					t.Errorf("opening %d after it: %+v, want copied: %v", i+1, got, want)
				}
			}
		})
	}
}

// TestRestoredByLink: it is the same store by whatever name it is opened.
func TestRestoredByLink(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "store.db"), filepath.Join(folder, "link.db")
	live(t, path)
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{link, path, link} {
		if live(t, name) {
			t.Errorf("restored, opened as %s", filepath.Base(name))
		}
	}
}

// TestOwnLogPutBack: in a store that was put back no index is given before somebody has said that it may be trusted, however often it is
// opened until then. An ordinary start asks for nothing.
func TestOwnLogPutBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	sequence := func(trusted bool) error {
		s := open(t, path, Options{})
		err := s.AddOwnLog(t.Context(), "own", "own.example")
		if err == nil && trusted {
			_, err = s.DoubtPending(t.Context(), "own", gateway.Shard{})
		}
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.OwnLog(t.Context(), "own")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = s.Sequence(t.Context(), "own", 1, storetest.GrowTree)
		if l.Doubted != errors.Is(err, gateway.ErrDoubtFirst) {
			t.Errorf("the log is %+v, and is sequenced: %v", l, err)
		}
		anchors, failed := s.Enqueue(t.Context(), []gateway.NewSubmission{storetest.NewSubmission(gateway.AnchorTenant("own"), "anchor", "log")})
		if failed != nil || l.Doubted != errors.Is(anchors[0].Err, gateway.ErrDoubtFirst) {
			t.Errorf("the log is %+v, and an anchor is stored: %+v, %v", l, anchors, failed)
		}
		return errors.Join(err, s.Close())
	}
	if err := errors.Join(sequence(false), sequence(false)); err != nil {
		t.Fatal(err)
	}
	copyFile(t, path, path+".copy")
	live(t, path)
	live(t, path)
	copyFile(t, path+".copy", path)
	for range 3 {
		if err := sequence(false); !errors.Is(err, gateway.ErrDoubtFirst) {
			t.Errorf("a store that was put back goes on: %v", err)
		}
	}
	if err := errors.Join(sequence(true), sequence(false)); err != nil {
		t.Error(err)
	}
}
