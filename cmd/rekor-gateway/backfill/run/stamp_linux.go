// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"io/fs"
	"os"
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

// stampOpen is stampWritten of a file that is open as fd.
func stampOpen(fd int) (fileStamp, error) {
	var s unix.Stat_t
	if err := unix.Fstat(fd, &s); err != nil {
		return fileStamp{}, os.NewSyscallError("fstat", err)
	}
	return fileStamp{size: s.Size, modified: s.Mtim.Nano(), changed: s.Ctim.Nano(), inode: s.Ino, device: uint64(s.Dev)}, nil
}

// findDevice returns the device that a file is on, and whether each change of the file is seen by its stamp there.
func findDevice(path string) (device uint64, keepsChanges bool, err error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return 0, false, err
	}
	defer unix.Close(fd) //nolint:errcheck // only looked at
	var file unix.Stat_t
	var system unix.Statfs_t
	if err := errors.Join(unix.Fstat(fd, &file), unix.Fstatfs(fd, &system)); err != nil {
		return 0, false, err
	}
	return uint64(file.Dev), systemKeepsTimes(int64(system.Type)), nil //nolint:unconvert // another width elsewhere
}

// openKeepsTimes is keepsTimes of the file system that an open file is in.
func openKeepsTimes(file *os.File) bool {
	var system unix.Statfs_t
	err := unix.Fstatfs(int(file.Fd()), &system)
	return err == nil && systemKeepsTimes(int64(system.Type)) //nolint:unconvert // another width elsewhere
}

// systemKeepsTimes is keepsTimes but in tests, whose folders may be in a container's overlay.
var systemKeepsTimes = keepsTimes

// keepsTimes reports whether whatever changes a file gives it another time of change, in a file system of that type.
func keepsTimes(system int64) bool {
	switch system & 0xffff_ffff { // it has a sign on some machines
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.HUGETLBFS_MAGIC:
		return false // what is written by way of a mapping gives a file in memory no other one
	case unix.OVERLAYFS_SUPER_MAGIC:
		return false // it may lie over such a one, which cannot be seen from inside
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return false // it may be the time of modification, or whatever another program says, and can be set
	}
	return true
}
