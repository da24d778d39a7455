// SPDX-License-Identifier: Apache-2.0

package run

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

// changedAt returns when a file, or its name or rights, changed last, in nanoseconds, and its number. Whoever writes a file can
// set its modification time, and cannot set this one.
func changedAt(info fs.FileInfo) (nanoseconds int64, inode, device uint64) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, 0
	}
	return s.Ctim.Nano(), s.Ino, uint64(s.Dev)
}

// keepsChanges reports whether each change of a file is seen by its stamp where it is. What is written by way of a mapping gives a file in memory
// (tmpfs) no other time.
func keepsChanges(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type != unix.TMPFS_MAGIC
}
