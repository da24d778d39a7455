// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestScanUnreadable: what permissions hide is named, and the rest is scanned.
func TestScanUnreadable(t *testing.T) {
	dir := t.TempDir()
	signature(t, dir)
	write(t, dir+"/b.sig", "")
	write(t, dir+"/c/app.sig", "")
	for _, name := range []string{"/b.sig", "/c"} {
		if err := os.Chmod(dir+name, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(dir+name, 0o755) })
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	beNobody(t)
	got, err := collect(dir, Scan([]string{dir}, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	checkLines(t, got, []string{`"app.sig" over app`, `"b.sig": FILE`, `"c": FILE`})
}

// beNobody has this thread read files as somebody who may not read all: tests may run as root.
func beNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Setfsuid(0)
		runtime.UnlockOSThread()
	})
}
