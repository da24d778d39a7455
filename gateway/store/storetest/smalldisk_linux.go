// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// MountSmall returns a folder on a file system of its own, of so many bytes, in whole pages. Others may look into it. Who may mount none is let off, but not
// root, and not under CI: what a full disk does is shown there.
func MountSmall(t testing.TB, size int64) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "small") // t.TempDir's parents are closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(folder) })
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", size)); err != nil {
		if os.Geteuid() == 0 || os.Getenv("CI") != "" {
			t.Fatalf("mounting a file system, for which root needs CAP_SYS_ADMIN: %v", err)
		}
		t.Skipf("mounting a file system takes rights: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return folder
}
