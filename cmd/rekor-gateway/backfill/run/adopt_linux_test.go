// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// scanOne returns what a scan says of a copy of x509.sig, and its path.
func scanOne(t *testing.T) backfill.Item {
	t.Helper()
	dir := t.TempDir()
	copyFile(t, offline("x509.sig"), filepath.Join(dir, "app.sig"))
	copyFile(t, offline("artifact"), filepath.Join(dir, "app"))
	for item, err := range backfill.Scan([]string{dir}, backfill.Options{}) {
		if err != nil || item.Problem != nil || item.Read == nil {
			t.Fatal(err, item)
		}
		item.Seen = time.Now().Add(time.Hour) // however slow the machine is
		return item
	}
	t.Fatal("no signature was found")
	return backfill.Item{}
}

// readOne returns what a judge takes for the signature, and whether that is what the scan has read.
func readOne(j *judge, item backfill.Item) (c *candidate, adopted bool, err error) {
	c = &candidate{item: item}
	err = j.readSignature(nil, c) //nolint:staticcheck // nothing is fetched
	return c, len(c.content) > 0 && &c.content[0] == &item.Read.Content[0], err
}

// TestAdopt: what the scan has read of a signature is not read again as long as the file is the same, and just as long.
func TestAdopt(t *testing.T) {
	j := newJudge(&Options{}, must(loadKeys(t.Context(), nil)))
	item := scanOne(t)
	c, adopted, err := readOne(j, item)
	if err != nil || !adopted || !bytes.Equal(c.content, must(os.ReadFile(offline("x509.sig")))) {
		t.Fatalf("it is read again: %v", err)
	}
	if now, ok := stampItem(item); !ok || !c.signature.known || c.signature.first != now.signature {
		t.Error("it has another stamp than the file")
	}
	if r, err := c.signature.open(); err != nil || r.Close() != nil {
		t.Errorf("it has changed: %v", err)
	}
	if err := os.Chtimes(item.Signature, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.signature.open(); formats.ReasonOf(err) != "FILE_CHANGED" {
		t.Errorf("a change after it was adopted: %v", err)
	}
	item = scanOne(t)
	item.Seen = time.Now().Add(-time.Hour)
	if _, adopted, err := readOne(j, item); adopted || err != nil {
		t.Errorf("it counts after an hour: %v", err)
	}
}

// TestAdoptChanged: a file that has changed since it was scanned, or another one in its place, is read, and what is no file refused.
func TestAdoptChanged(t *testing.T) {
	j := newJudge(&Options{}, must(loadKeys(t.Context(), nil)))
	for name, test := range map[string]struct {
		change func(path, other string) error
		want   string // what is read, or a part of what is said
	}{
		"replaced": {func(path, other string) error { return os.Rename(other, path) }, "other"},
		"link":     {func(path, _ string) error { return errors.Join(os.Remove(path), os.Symlink("app", path)) }, string(must(os.ReadFile(offline("artifact"))))},
		"outside":  {func(path, other string) error { return errors.Join(os.Remove(path), os.Symlink(other, path)) }, "leads out of"},
		"written":  {func(path, _ string) error { return os.WriteFile(path, []byte("written"), 0o600) }, "written"},
		"pipe":     {func(path, _ string) error { return errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)) }, "is a named pipe, and no file"},
		"device":   {func(path, _ string) error { return errors.Join(os.Remove(path), os.Symlink("/dev/null", path)) }, "is a device, and no file"},
		"gone":     {func(path, _ string) error { return os.Remove(path) }, "is not there"},
	} {
		item := scanOne(t)
		if name == "device" {
			item.Root = "" // as with --allow-outside
		}
		other := filepath.Join(t.TempDir(), "other")
		if err := os.WriteFile(other, []byte("other"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(test.change(item.Signature, other)); err != nil {
			t.Fatal(err)
		}
		c, adopted, err := readOne(j, item)
		got := string(c.content)
		if err != nil {
			got = err.Error()
		}
		if adopted || !strings.Contains(got, test.want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestAdoptSynced: where what is read may be remembered, its file system was synced before it was read. What somebody writes by way of a mapping would not be
// seen, else.
func TestAdoptSynced(t *testing.T) {
	j := newJudge(&Options{}, must(loadKeys(t.Context(), nil)))
	j.settled = &settledFiles{}
	item := scanOne(t)
	for range 2 {
		if _, adopted, err := readOne(j, item); adopted || err != nil {
			t.Fatalf("what was read before the file system was synced is adopted: %v", err)
		}
	}
	item = scanOne(t)
	if _, adopted, err := readOne(j, item); !adopted || err != nil {
		t.Errorf("what was read after it was synced is read again: %v", err)
	}
}

// TestAdoptedIsNotKept: what waits for its receipt has nothing of its file with it.
func TestAdoptedIsNotKept(t *testing.T) {
	b := newTestRun(t, offline("trusted_root.json"))
	item := scanOne(t)
	item.Problem = formats.NewError(formats.ReasonNoSignature, "no", "none")
	if o := b.handle(t.Context(), item); o.item.Read != nil {
		t.Error("it is kept")
	}
}

// TestSourceStaysBelowRoot: what becomes a link that leads out of the tree is not read, nor what is in a folder that does; with --allow-outside it is.
func TestSourceStaysBelowRoot(t *testing.T) {
	for _, swapped := range []string{"0/app", "0/app.sig", "0"} {
		for _, allowed := range []bool{false, true} {
			tree, outside := makeTree(t, 1), makeTree(t, 1)
			for item, err := range backfill.Scan([]string{tree}, backfill.Options{AllowOutside: allowed}) {
				path := filepath.Join(tree, swapped)
				if err := errors.Join(err, os.RemoveAll(path), os.Symlink(filepath.Join(outside, swapped), path)); err != nil {
					t.Fatal(err)
				}
				for _, isFresh := range []bool{true, false} {
					if item.Seen = time.Now(); !isFresh {
						item.Seen = time.Time{}
					}
					c, err := newTestRun(t, offline("trusted_root.json")).judge.readCandidate(t.Context(), item)
					if err == nil {
						err = c.verify(t.Context())
						c.close()
					}
					if allowed != (err == nil) || err != nil && formats.ReasonOf(err) != backfill.ReasonOutsideRoot {
						t.Errorf("%s, allowed %v, fresh %v: %v", swapped, allowed, isFresh, err)
					}
				}
			}
		}
	}
}
