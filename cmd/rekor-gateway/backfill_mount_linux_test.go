// SPDX-License-Identifier: Apache-2.0

package main

import (
	"syscall"
	"testing"
)

// mountSmall returns a folder with a file system of its own of that size.
func mountSmall(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skip("mounting a file system takes rights: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}
