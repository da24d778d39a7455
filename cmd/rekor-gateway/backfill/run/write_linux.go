// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// openNoLink keeps whoever can write to a folder from having other files written, or somebody wait.
const openNoLink = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// writeUnnamed writes a file that has no name until it is whole, so that nothing is left of one that is not, and nothing is replaced by it.
// It costs less than a part does. errNoUnnamed is returned where the file system, or the system without /proc, does not do that.
func writeUnnamed(folder *os.Root, name string, raw []byte) error {
	dir, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // only held
	fd, err := unix.Openat(int(dir.Fd()), ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return errNoUnnamed // what is wrong with the folder is told when the part is made
	}
	file := os.NewFile(uintptr(fd), name) // #nosec G115 -- it is not negative
	defer file.Close()                    //nolint:errcheck // what counts was checked before
	if _, err := file.Write(raw); err != nil {
		return err
	}
	err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), int(dir.Fd()), name, unix.AT_SYMLINK_FOLLOW)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EEXIST):
		return errTaken
	case isDiskFault(err):
		return &os.LinkError{Op: "link", Old: "a new file", New: name, Err: err}
	}
	return errNoUnnamed
}

// renameNoReplace returns errors.ErrUnsupported where the file system cannot do that.
func renameNoReplace(folder *os.Root, from, to string) error {
	dir, err := folder.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close() //nolint:errcheck // only held
	err = unix.Renameat2(int(dir.Fd()), from, int(dir.Fd()), to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) {
		return errors.ErrUnsupported
	}
	return err
}

// isOurs reports whether a file is the user's who runs this.
func isOurs(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}

// finishPart leaves the syncing to syncFileSystem.
func finishPart(*os.File) error { return nil }

// syncFileSystem syncs the file system that folder is in.
func syncFileSystem(folder *os.File) error { return unix.Syncfs(int(folder.Fd())) }

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
