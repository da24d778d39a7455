// SPDX-License-Identifier: Apache-2.0

package run

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestWriteUnnamed: what is written has all of it, and the stamp that its file has, and what cannot be written is the disk's fault.
func TestWriteUnnamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.receipt.json")
	folder := must(holdFolder("", path))
	defer folder.close()
	raw := bytes.Repeat([]byte("receipt"), 1<<18)
	stamp, err := writeUnnamed(folder, filepath.Base(path), raw)
	if errors.Is(err, errNoUnnamed) {
		t.Skip("the file system has no files without names")
	}
	if err != nil || stamp != stampOf(must(os.Stat(path))) || !bytes.Equal(must(os.ReadFile(path)), raw) {
		t.Errorf("%+v, %v", stamp, err)
	}
	full := must(os.OpenFile("/dev/full", os.O_WRONLY, 0))
	defer full.Close()
	if err := writeAll(int(full.Fd()), raw); !isDiskFault(err) {
		t.Errorf("a full disk: %v", err)
	}
}
