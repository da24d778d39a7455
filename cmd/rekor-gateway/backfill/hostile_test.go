// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// TestScanHostile: what is no file is never opened, what may not be read is named, and nothing outside of the root is.
func TestScanHostile(t *testing.T) {
	outside := t.TempDir()
	write(t, outside+"/app", "x")
	write(t, outside+"/app.sig", read(t, "ssh/app.sig"))
	tests := map[string]struct {
		change  func(t *testing.T, dir string)
		options Options
		want    []string
	}{
		"pipe as the signature": {func(t *testing.T, dir string) { mkfifo(t, dir+"/app.sig") }, Options{}, []string{`"app.sig": FILE`}},
		"pipe as the artifact": {func(t *testing.T, dir string) { signature(t, dir); replace(t, dir+"/app", mkfifo) }, Options{},
			[]string{`"app.sig": FILE`}},
		"link to a pipe as the artifact": {func(t *testing.T, dir string) {
			signature(t, dir)
			mkfifo(t, dir+"/pipe")
			replace(t, dir+"/app", func(t *testing.T, path string) { link(t, "pipe", path) })
		}, Options{}, []string{`"app.sig": FILE`}},
		"socket as the signature": {func(t *testing.T, dir string) { listen(t, dir+"/app.sig") }, Options{}, []string{`"app.sig": FILE`}},
		"device as the artifact": {func(t *testing.T, dir string) {
			signature(t, dir)
			replace(t, dir+"/app", func(t *testing.T, path string) { link(t, "/dev/zero", path) })
		}, Options{AllowOutside: true}, []string{`"app.sig": FILE`}},
		"link to itself": {func(t *testing.T, dir string) {
			signature(t, dir)
			replace(t, dir+"/app", func(t *testing.T, path string) { link(t, "app", path) })
		}, Options{}, []string{`"app.sig": FILE`}},
		"artifact outside": {func(t *testing.T, dir string) {
			signature(t, dir)
			replace(t, dir+"/app", func(t *testing.T, path string) { link(t, outside+"/app", path) })
		}, Options{}, []string{`"app.sig": OUTSIDE_ROOT`}},
		"artifact outside, allowed": {func(t *testing.T, dir string) {
			signature(t, dir)
			replace(t, dir+"/app", func(t *testing.T, path string) { link(t, outside+"/app", path) })
		}, Options{AllowOutside: true}, []string{`"app.sig" over app`}},
		"artifact elsewhere in the root": {func(t *testing.T, dir string) {
			signature(t, dir+"/a")
			write(t, dir+"/pool/app", "x")
			replace(t, dir+"/a/app", func(t *testing.T, path string) { link(t, "../pool/app", path) })
		}, Options{}, []string{`"a/app.sig" over a/app`}},
		"links are passed over": {func(t *testing.T, dir string) {
			signature(t, dir+"/a")
			link(t, "a", dir+"/b")
			link(t, "a/app.sig", dir+"/c.sig")
		}, Options{}, []string{`"a/app.sig" over a/app`}},
		"links are followed": {func(t *testing.T, dir string) {
			signature(t, dir+"/a")
			link(t, "a", dir+"/b")
			link(t, "a/app.sig", dir+"/c.sig")
			link(t, "nowhere", dir+"/d.sig")
		}, Options{Follow: true}, []string{`"a/app.sig" over a/app`, `"b/app.sig" over b/app`, `"c.sig": MISSING_ARTIFACT`, `"d.sig": FILE`}},
		"links lead out": {func(t *testing.T, dir string) {
			link(t, outside, dir+"/a")
			link(t, outside+"/app.sig", dir+"/b.sig")
		}, Options{Follow: true}, []string{`"a": OUTSIDE_ROOT`, `"b.sig": OUTSIDE_ROOT`}},
		"links lead out, allowed": {func(t *testing.T, dir string) { link(t, outside, dir+"/a") }, Options{Follow: true, AllowOutside: true},
			[]string{`"a/app.sig" over a/app`}},
		"links in a circle": {func(t *testing.T, dir string) {
			signature(t, dir+"/a")
			link(t, "..", dir+"/a/up")
			link(t, ".", dir+"/a/here")
			link(t, "../a", dir+"/a/again")
		}, Options{Follow: true}, []string{`"a/app.sig" over a/app`}},
		"links that double at each step": {func(t *testing.T, dir string) {
			for i := range 3 {
				write(t, fmt.Sprintf("%s/%d/x", dir, i), "")
				link(t, fmt.Sprintf("../%d", i+1), fmt.Sprintf("%s/%d/a", dir, i))
				link(t, fmt.Sprintf("../%d", i+1), fmt.Sprintf("%s/%d/b", dir, i))
			}
			write(t, dir+"/3/x.sig", read(t, "ssh/app.sig"))
		}, Options{Follow: true}, []string{`"0/a/a/a/x.sig": MISSING_ARTIFACT`, `"3/x.sig": MISSING_ARTIFACT`}},
		"link after link": {func(t *testing.T, dir string) {
			write(t, dir+"/0/x.sig", read(t, "ssh/app.sig"))
			for i := range 10 {
				link(t, fmt.Sprint(i), fmt.Sprintf("%s/%d", dir, i+1))
			}
			remove(t, dir, "1")
			link(t, "10", dir+"/1")
		}, Options{Follow: true}, []string{`"0/x.sig": MISSING_ARTIFACT`, `"1": FILE`, `"10": FILE`, `"2": FILE`, `"3": FILE`, `"4": FILE`, `"5": FILE`, `"6": FILE`, `"7": FILE`, `"8": FILE`, `"9": FILE`}},
		"too deep": {func(t *testing.T, dir string) {
			deep := dir + strings.Repeat("/d", maxDepth+1)
			write(t, filepath.Dir(deep)+"/app.sig", read(t, "ssh/app.sig"))
			write(t, deep+"/app.sig", read(t, "ssh/app.sig"))
		}, Options{}, []string{
			fmt.Sprintf("%q: MISSING_ARTIFACT", strings.Repeat("d/", maxDepth)+"app.sig"),
			fmt.Sprintf("%q: TOO_LARGE", strings.Repeat("d/", maxDepth)+"d"),
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			test.change(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			test.options.Context = ctx
			got, err := collect(dir, Scan([]string{dir}, test.options))
			if err != nil {
				t.Fatal(err)
			}
			checkLines(t, got, test.want)
		})
	}
}

func signature(t *testing.T, dir string) {
	t.Helper()
	write(t, dir+"/app", "x")
	write(t, dir+"/app.sig", read(t, "ssh/app.sig"))
}

func replace(t *testing.T, path string, by func(*testing.T, string)) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	by(t, path)
}

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
}

func listen(t *testing.T, path string) {
	t.Helper()
	t.Chdir(filepath.Dir(path)) // a socket's path has 108 octets
	l, err := net.Listen("unix", filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

// TestScanWhileFilesVanish removes and changes files between two items.
func TestScanWhileFilesVanish(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d/e"} {
		write(t, dir+"/"+name, "x")
		write(t, dir+"/"+name+".sig", read(t, "ssh/app.sig"))
	}
	var got []string
	for item, err := range Scan([]string{dir}, Options{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, describe(dir, item))
		if item.Name == "a.sig" {
			remove(t, dir, "b.sig")
			replace(t, dir+"/c.sig", mkfifo)
			if err := os.RemoveAll(dir + "/d"); err != nil {
				t.Fatal(err)
			}
		}
	}
	checkLines(t, got, []string{`"a.sig" over a`, `"b.sig": FILE`, `"c.sig": FILE`, `"d": FILE`})
}

// TestCheckUnchanged: a file that somebody writes to is not what was read.
func TestCheckUnchanged(t *testing.T) {
	path := write(t, t.TempDir()+"/file", "one")
	changes := map[string]func() error{
		"longer":     func() error { return os.WriteFile(path, []byte("four"), 0o644) },
		"other time": func() error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	}
	for name, change := range changes {
		file, before, err := (&tree{}).openFile(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := checkUnchanged(file, before); err != nil {
			t.Errorf("unchanged: %v", err)
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if err := checkUnchanged(file, before); !errors.Is(err, errChanged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := explainFile("X", "", errChanged); got.Reason != ReasonFileChanged || got.Hint == "" {
		t.Errorf("said: %v", got)
	}
}

// TestScanEndsWithItsContext, within a listed file as between items.
func TestScanEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	dir := copyTree(t)
	n := 0
	for _, err := range Scan([]string{dir}, Options{Context: ctx}) {
		if n++; n == 2 && err == nil {
			t.Fatal("it went on")
		}
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
	if n != 2 {
		t.Errorf("%d items", n)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	l := &List{name: "SHA256SUMS", root: dir + "/sums", folder: "."}
	if _, err := l.Compare(cancelled, []byte(hex256+"  one.iso\n"), stampForTest); !errors.Is(err, context.Canceled) {
		t.Errorf("comparing a list: %v", err)
	}
}

// TestOpen opens files alone.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	mkfifo(t, dir+"/pipe")
	for _, path := range []string{dir, dir + "/pipe", "/dev/null", dir + "/nowhere"} {
		for _, open := range []func(string) (*os.File, fs.FileInfo, error){Open, Reopen} {
			file, _, err := open(path)
			if file != nil || formats.ReasonOf(err) != ReasonFile {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
	file, _, err := Open(write(t, dir+"/file", "x"))
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
}
