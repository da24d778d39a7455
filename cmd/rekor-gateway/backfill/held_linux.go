// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unrooted returns an open folder that tells what its names are as it is read. What an os.Root has opened looks each name up for that, once more. The folder
// is the same, so that no link leads out of the root; where that cannot be done, it is the one that was given.
func unrooted(folder *os.File) *os.File {
	fd, err := unix.FcntlInt(folder.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return folder
	}
	_ = folder.Close()                            // only read
	return os.NewFile(uintptr(fd), folder.Name()) // #nosec G115 -- it is not negative
}

// holdsFolders reports whether openHeld opens anything.
const holdsFolders = true

// openHeld opens a regular file in an open folder: without looking its path up, and without a look at links, none of which it follows. Where it returns an error,
// there may be one that can be opened by its path.
func openHeld(folder *os.File, name string) (scanned, fs.FileInfo, error) {
	const flags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := retry(func() (int, error) { return unix.Openat(int(folder.Fd()), name, flags, 0) })
	if err != nil {
		return nil, nil, err
	}
	file := &heldFile{fd, name}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrInvalid
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, info, nil
}

// openBeneath opens a regular file below the folder root in one step, in which no link leads out of that. Where it returns an error, older systems may open it
// step by step.
func openBeneath(root, name string) (*os.File, fs.FileInfo, error) {
	folder, err := retry(func() (int, error) { return unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, nil, err
	}
	defer unix.Close(folder) //nolint:errcheck // only looked up
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_MAGICLINKS}
	fd, err := retry(func() (int, error) { return unix.Openat2(folder, name, how) })
	if err != nil {
		return nil, nil, err
	}
	return keepRegular(os.NewFile(uintptr(fd), name)) // #nosec G115 -- it is not negative
}

// heldFile is a regular file for one goroutine. An os.File would have the system's poller watch it, which refuses regular files.
type heldFile struct {
	fd   int
	name string
}

// Read implements io.Reader.
func (f *heldFile) Read(p []byte) (int, error) {
	n, err := retry(func() (int, error) { return unix.Read(f.fd, p) })
	switch {
	case err != nil:
		return 0, &fs.PathError{Op: "read", Path: f.name, Err: err}
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Stat is os.File.Stat.
func (f *heldFile) Stat() (fs.FileInfo, error) {
	info := &heldInfo{name: f.name}
	if _, err := retry(func() (int, error) { return 0, syscall.Fstat(f.fd, &info.stat) }); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: f.name, Err: err}
	}
	return info, nil
}

// Close implements io.Closer.
func (f *heldFile) Close() error { return unix.Close(f.fd) }

// retry calls do until no signal has interrupted it.
func retry(do func() (int, error)) (int, error) {
	for {
		n, err := do()
		if err != unix.EINTR { //nolint:errorlint // as the system has it
			return n, err
		}
	}
}

// heldInfo is what a heldFile is: like what os has of one, by Sys, too.
type heldInfo struct {
	name string
	stat syscall.Stat_t
}

func (i *heldInfo) Name() string       { return i.name }
func (i *heldInfo) Size() int64        { return i.stat.Size }
func (i *heldInfo) ModTime() time.Time { return time.Unix(i.stat.Mtim.Unix()) }
func (i *heldInfo) IsDir() bool        { return i.Mode().IsDir() }
func (i *heldInfo) Sys() any           { return &i.stat }

// Mode tells regular files from all others, which it calls irregular.
func (i *heldInfo) Mode() fs.FileMode {
	mode := fs.FileMode(i.stat.Mode & 0o777)
	if i.stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		mode |= fs.ModeIrregular
	}
	return mode
}
