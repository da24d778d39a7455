// SPDX-License-Identifier: Apache-2.0

//go:build unix

package run

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// A receipt is whole or not there. What a killed run has left is used up, and nobody's link is followed.
func TestReceiptWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.receipt.json")
	part := filepath.Join(dir, partName("app.receipt.json"))
	var w receiptWriter
	if err := os.WriteFile(part, []byte(strings.Repeat("left by a killed run", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := w.write(dir, path, []byte("one"), false); err != nil || string(must(os.ReadFile(path))) != "one" {
		t.Errorf("%v", err)
	}
	if _, err := w.write("", path, []byte("two"), false); !errors.Is(err, errTaken) || string(must(os.ReadFile(path))) != "one" {
		t.Errorf("%v", err)
	}
	if _, err := w.write(dir, path, []byte("two"), true); err != nil || string(must(os.ReadFile(path))) != "two" {
		t.Errorf("%v", err)
	}
	if names := must(os.ReadDir(dir)); len(names) != 1 {
		t.Errorf("there is %v", names)
	}
	victim := filepath.Join(dir, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o644), os.Symlink(victim, part)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.write(dir, path, []byte("three"), true); err != nil || string(must(os.ReadFile(victim))) != "mine" || string(must(os.ReadFile(path))) != "three" {
		t.Errorf("a link was followed: %v", err)
	}
	if err := errors.Join(os.Remove(part), w.sync()); err != nil {
		t.Error(err)
	}
}

// TestReceiptIsTheRunsOwn: a receipt never is a file that somebody else has made or has open, and nobody is waited for, whatever stands where it is written first.
func TestReceiptIsTheRunsOwn(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"another's file": func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("mine"), 0o666), os.Chown(path, 65534, 65534))
		},
		"link":   func(path string) error { return os.Symlink("nowhere", path) },
		"pipe":   func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"folder": func(path string) error { return os.Mkdir(path, 0o777) },
	} {
		if name == "another's file" && os.Geteuid() != 0 {
			continue // nobody else may be made its owner
		}
		for _, replace := range []bool{false, true} {
			dir := t.TempDir()
			path, part := filepath.Join(dir, "app.receipt.json"), filepath.Join(dir, partName("app.receipt.json"))
			if err := put(part); err != nil {
				t.Fatal(err)
			}
			before := must(os.Lstat(part))
			if _, err := new(receiptWriter).write(dir, path, []byte("{}"), replace); err != nil || string(must(os.ReadFile(path))) != "{}" {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if after, err := os.Lstat(part); err != nil || !os.SameFile(before, after) || os.SameFile(after, must(os.Lstat(path))) {
				t.Errorf("%s: not left as it was: %v", name, err)
			}
		}
	}
}

// TestPartsAreSeen: the scan knows what a killed run has left by its name.
func TestPartsAreSeen(t *testing.T) {
	isBare := func(files ...string) bool {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS("../testdata/tree/minisign")); err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for item, err := range backfill.Scan([]string{dir}, backfill.Options{}) {
			return err == nil && item.Bare
		}
		t.Fatal("nothing was found")
		return false
	}
	if !isBare() {
		t.Error("bare where nothing was left: false")
	}
	for _, name := range []string{"app.receipt.json", strings.Repeat("a", maxPartStem+1)} {
		for _, part := range []string{partName(name), otherPartName(name)} {
			if isBare(part) {
				t.Errorf("bare beside %s", part)
			}
		}
	}
}

// TestWriteWaitsForNobody: whoever may read the folder may lock a file in it.
func TestWriteWaitsForNobody(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.receipt.json")
	held := must(os.OpenFile(filepath.Join(dir, partName("app.receipt.json")), os.O_CREATE|os.O_RDONLY, 0o644))
	defer held.Close()
	if err := syscall.Flock(int(held.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := new(receiptWriter).write(dir, path, []byte("{}"), false)
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil || string(must(os.ReadFile(path))) != "{}" {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Error("a receipt's writing waits for ever for whoever has locked the part file")
	}
}

// TestReceiptStaysInItsTree: a folder that is a link by the time the receipt is written leads nowhere else.
func TestReceiptStaysInItsTree(t *testing.T) {
	root, elsewhere := t.TempDir(), t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(root, "real"), 0o755), os.Symlink(elsewhere, filepath.Join(root, "out")), os.Symlink("real", filepath.Join(root, "in"))); err != nil {
		t.Fatal(err)
	}
	for _, replace := range []bool{false, true} {
		_, err := new(receiptWriter).write(root, filepath.Join(root, "out/app.receipt.json"), []byte("{}"), replace)
		if left := must(os.ReadDir(elsewhere)); formats.ReasonOf(err) != backfill.ReasonOutsideRoot || len(left) != 0 {
			t.Errorf("%v, %v", err, left)
		}
	}
	for _, name := range []string{"app.receipt.json", "new/1.0/app.receipt.json", "in/new/app.receipt.json"} {
		path := filepath.Join(root, name)
		if err := errors.Join(makeReceiptFolder(root, path), new(receiptWriter).checkFolder(root, path)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := makeReceiptFolder(root, filepath.Join(root, "out/new/app.receipt.json")); err == nil || len(must(os.ReadDir(elsewhere))) != 0 {
		t.Errorf("a folder was made: %v", err)
	}
	if _, err := new(receiptWriter).write(root, filepath.Join(root, "in/app.receipt.json"), []byte("{}"), false); err != nil {
		t.Error(err)
	}
	if _, err := new(receiptWriter).write("", filepath.Join(root, "out/app.receipt.json"), []byte("{}"), false); err != nil {
		t.Errorf("where it may lead out: %v", err)
	}
}

func TestReceiptWritersAtOnce(t *testing.T) {
	for round := range 50 {
		hasPart := round%2 == 1 // then it is written by a part
		path := filepath.Join(t.TempDir(), "app.receipt.json")
		if hasPart {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), partName(filepath.Base(path))), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var wrote atomic.Int64
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				_, err := new(receiptWriter).write("", path, bytes.Repeat([]byte{byte('a' + i)}, 5000), false)
				if err == nil {
					wrote.Add(1)
				} else if !errors.Is(err, errTaken) {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		writers.Wait()
		raw := must(os.ReadFile(path))
		if wrote.Load() != 1 || len(raw) != 5000 || bytes.Count(raw, raw[:1]) != 5000 {
			t.Fatalf("round %d: %d have written it, %d bytes", round, wrote.Load(), len(raw))
		}
		if names := must(os.ReadDir(filepath.Dir(path))); len(names) != 1 {
			t.Fatalf("round %d: a part is left", round)
		}
	}
}
