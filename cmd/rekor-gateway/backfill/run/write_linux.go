// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
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

// writeUnnamed writes a file that has no name until it is whole, so that nothing is left of one that is not, and nothing is replaced by it.
// It costs less than a part does. errNoUnnamed is returned where the file system, or the system without /proc, does not do that.
func writeUnnamed(path string, raw []byte) error {
	fd, err := unix.Open(filepath.Dir(path), unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return errNoUnnamed // what is wrong with the folder is told when the part is made
	}
	file := os.NewFile(uintptr(fd), path) // #nosec G115 -- it is not negative
	defer file.Close()                    //nolint:errcheck // what counts was checked before
	if _, err := file.Write(raw); err != nil {
		return err
	}
	err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		return errTaken
	case isDiskFault(err):
		return &os.LinkError{Op: "link", Old: file.Name(), New: path, Err: err}
	}
	return errNoUnnamed
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
