// SPDX-License-Identifier: Apache-2.0

package run

import (
	"errors"
	"io"
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
func writeUnnamed(folder *heldFolder, name string, raw []byte) (fileStamp, error) {
	dir := int(folder.dir.Fd())
	fd, err := unix.Openat(dir, ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return fileStamp{}, errNoUnnamed // what is wrong with the folder is told when the part is made
	}
	defer unix.Close(fd) //nolint:errcheck // what counts was checked before
	if err := writeAll(fd, raw); err != nil {
		return fileStamp{}, &os.PathError{Op: "write", Path: name, Err: err}
	}
	err = unix.Linkat(unix.AT_FDCWD, "/proc/self/fd/"+strconv.Itoa(fd), dir, name, unix.AT_SYMLINK_FOLLOW)
	switch {
	case err == nil:
		return stampOpen(fd)
	case errors.Is(err, unix.EEXIST):
		return fileStamp{}, errTaken
	case isDiskFault(err):
		return fileStamp{}, &os.LinkError{Op: "link", Old: "a new file", New: name, Err: err}
	}
	return fileStamp{}, errNoUnnamed
}

// writeAll writes all of raw into a new regular file. An os.File would ask once more whether that is one to be waited for.
func writeAll(fd int, raw []byte) error {
	for len(raw) > 0 {
		n, err := unix.Write(fd, raw)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			return io.ErrUnexpectedEOF
		}
		raw = raw[max(n, 0):]
	}
	return nil
}

// renameNoReplace returns errors.ErrUnsupported where the file system cannot do that.
func renameNoReplace(folder *heldFolder, from, to string) error {
	dir := int(folder.dir.Fd())
	err := unix.Renameat2(dir, from, dir, to, unix.RENAME_NOREPLACE)
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
