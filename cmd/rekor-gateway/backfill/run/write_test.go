// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A receipt is whole or not there. What a killed run has left is used up, and nobody's link is followed.
func TestReceiptWriter(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "app.receipt.json")
	var w receiptWriter
	if err := os.WriteFile(partName(path), []byte(strings.Repeat("left by a killed run", 100)), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := w.write(path, []byte("one"), false); err != nil || string(must(os.ReadFile(path))) != "one" {
		t.Errorf("%v", err)
	}
	if err := w.write(path, []byte("two"), false); !errors.Is(err, errTaken) || string(must(os.ReadFile(path))) != "one" {
		t.Errorf("%v", err)
	}
	if err := w.write(path, []byte("two"), true); err != nil || string(must(os.ReadFile(path))) != "two" {
		t.Errorf("%v", err)
	}
	victim := filepath.Join(dir, "victim")
	if err := errors.Join(os.WriteFile(victim, []byte("mine"), 0o644), os.Symlink(victim, partName(path))); err != nil {
		t.Fatal(err)
	}
	if err := w.write(path, []byte("three"), true); err == nil || string(must(os.ReadFile(victim))) != "mine" {
		t.Errorf("a link was followed: %v", err)
	}
	if err := errors.Join(os.Remove(partName(path)), w.sync()); err != nil {
		t.Error(err)
	}
}

func TestReceiptWritersAtOnce(t *testing.T) {
	for round := range 50 {
		path := filepath.Join(t.TempDir(), "app.receipt.json")
		var wrote atomic.Int64
		var writers sync.WaitGroup
		for i := range 4 {
			writers.Go(func() {
				err := new(receiptWriter).write(path, bytes.Repeat([]byte{byte('a' + i)}, 5000), false)
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
		if _, err := os.Lstat(partName(path)); err == nil {
			t.Fatalf("round %d: a part is left", round)
		}
	}
}
