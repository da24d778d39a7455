// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// What a restore puts beside the store's file.
const (
	// lockSuffix names the file that every process that uses the store holds shared, and a restore
	// exclusively. The file has nothing in it and stays: only its lock means something.
	lockSuffix = ".lock"
	// stagingSuffix names the copy that a restore has prepared, from when it is complete until it is
	// in place. While it is there, the store's own files may be half moved away.
	stagingSuffix = ".restore"
)

var (
	// ErrInUse is returned by Restore when another process uses the store, and by all others when
	// a restore is under way.
	ErrInUse = errors.New("another process uses the store")
	// ErrInterrupted is returned where a restore was interrupted while it replaced the store.
	ErrInterrupted = errors.New("a restore of the store was interrupted: run it again")
)

// lockStore holds the store at path, as one of many, until the lock is closed. Readers hold it, too:
// the files that they open may not be replaced one by one meanwhile.
func lockStore(path string) (*flock.Flock, error) {
	lock := newLock(path)
	held, err := lock.TryRLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", lock.Path(), err)
	case !held:
		return nil, errors.Join(fmt.Errorf("%w: it is being restored", ErrInUse), lock.Close())
	case exists(path + stagingSuffix):
		return nil, errors.Join(ErrInterrupted, lock.Close())
	}
	return lock, nil
}

// lockExclusively keeps everybody else from the store at path until the lock is closed.
func lockExclusively(path string) (*flock.Flock, error) {
	lock := newLock(path)
	held, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("locking %s: %w", lock.Path(), err)
	case !held:
		return nil, errors.Join(ErrInUse, lock.Close())
	}
	return lock, nil
}

func newLock(path string) *flock.Flock {
	return flock.New(path+lockSuffix, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
}

// resolvePath returns the path of the file itself, which need not be there, so that what stands beside
// it is found by whatever link it is opened. Its folder has to be there.
func resolvePath(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path given")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	file, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(folder, filepath.Base(path)), err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
