// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// openNoLink keeps whoever can write to a folder from having other files written, or somebody wait.
const openNoLink = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// lockFile waits until no other process has the file locked. The lock ends when the file is closed.
func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			return err
		}
	}
}

// finishPart leaves the syncing to syncFileSystem.
func finishPart(*os.File) error { return nil }

// syncFileSystem syncs the file system that folder is in.
func syncFileSystem(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	return unix.Syncfs(int(f.Fd()))
}

// checkWritable reports why no file can be made beside path.
func checkWritable(path string) error {
	folder := filepath.Dir(path)
	if err := unix.Access(folder, unix.W_OK|unix.X_OK); err != nil {
		return &os.PathError{Op: "write", Path: folder, Err: err}
	}
	return nil
}

// tryLockFile locks the file unless another process has it locked.
func tryLockFile(f *os.File) (locked bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}
