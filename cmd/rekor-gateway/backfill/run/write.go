// SPDX-License-Identifier: Apache-2.0

package run

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// errTaken says that another run has written the receipt meanwhile.
var errTaken = errors.New("the receipt's file is there by now")

// receiptWriter writes receipts so that each is whole or not there, and has them synced together at the end.
type receiptWriter struct {
	mu      sync.Mutex
	folders map[uint64]string // a folder that was written to, by device: guarded by mu
	last    string            // the folder that was written to last: guarded by mu
}

// partName is where a receipt is written before it gets its name. It is the same in every run, so that what a killed one has left
// there is used up by the next.
func partName(path string) string {
	name := filepath.Base(path)
	if len(name) > maxPartStem {
		name = fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	}
	return filepath.Join(filepath.Dir(path), "."+name+".part")
}

// maxPartStem leaves room for what partName has more, in the 255 bytes that file systems give a name.
const maxPartStem = 240

// checkPlace reports why no receipt can be put into path, before its signature is sent.
func checkPlace(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fault.Fail(fault.ReasonFile, fmt.Errorf("the receipt's name is too long: %s", filepath.Base(path)), "give the file and its signature shorter names")
	case err == nil && info.IsDir():
		return refuseOverwriteHere(path, "is a folder")
	}
	if info, err := os.Lstat(partName(path)); err == nil && !info.Mode().IsRegular() {
		return fault.Fail(fault.ReasonFileExists, fmt.Errorf("%s is no file, and is where the receipt is written first", partName(path)), "see what it is, and move it away")
	}
	return nil
}

// write puts raw into path. Unless replace is set, errTaken is returned where something has come there.
func (w *receiptWriter) write(path string, raw []byte, replace bool) error {
	err := errNoUnnamed
	if !replace && !isPartThere(path) {
		err = writeUnnamed(path, raw)
	}
	if errors.Is(err, errNoUnnamed) {
		err = writePart(path, raw, replace)
	}
	if err == nil {
		w.noteFolder(filepath.Dir(path))
	}
	return err
}

// errNoUnnamed says that a file has to have a name from the beginning.
var errNoUnnamed = errors.New("no file without a name can be made here")

// isPartThere reports whether there is a part, which a killed run has left or another one writes.
func isPartThere(path string) bool {
	_, err := os.Lstat(partName(path))
	return err == nil
}

// writePart writes a part of path first, and gives it that name once it is whole.
func writePart(path string, raw []byte, replace bool) error {
	part, err := openPart(partName(path))
	if err != nil {
		return err
	}
	defer part.Close() //nolint:errcheck // what counts was checked before
	if _, err := os.Lstat(path); err == nil && !replace {
		return errors.Join(errTaken, os.Remove(part.Name()))
	}
	err = fillPart(part, raw)
	if err == nil {
		err = os.Rename(part.Name(), path)
	}
	if err != nil {
		_ = os.Remove(part.Name())
	}
	return err
}

func fillPart(part *os.File, raw []byte) error {
	if err := part.Truncate(0); err != nil {
		return err
	}
	if _, err := part.WriteAt(raw, 0); err != nil {
		return err
	}
	return finishPart(part)
}

// maxPartTries bounds how often another run may have been faster.
const maxPartTries = 100

// openPart opens the file that a receipt is written into, and locks out other runs until it is closed.
func openPart(path string) (*os.File, error) {
	for range maxPartTries {
		part, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|openNoLink, 0o644) // #nosec G302 -- receipts are public
		if err != nil {
			return nil, err
		}
		own, err := lockPart(part)
		if err == nil && own {
			return part, nil
		}
		_ = part.Close()
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("%s: %w", path, errTaken)
}

// lockPart locks the file. It is not the run's own when another one has renamed or removed it before.
func lockPart(part *os.File) (own bool, err error) {
	if err := lockFile(part); err != nil {
		return false, err
	}
	return isNamed(part)
}

// isNamed reports whether a regular file has the name still by which it was opened.
func isNamed(file *os.File) (bool, error) {
	info, err := file.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, &fs.PathError{Op: "open", Path: file.Name(), Err: errors.New("no regular file")}
	}
	named, err := os.Lstat(file.Name())
	return err == nil && os.SameFile(info, named), nil
}

// noteFolder has the file system of a folder synced at the end.
func (w *receiptWriter) noteFolder(folder string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if folder == w.last {
		return
	}
	info, err := os.Stat(folder)
	if err != nil {
		return
	}
	_, _, device := changedAt(info)
	w.last = folder
	if w.folders == nil {
		w.folders = map[uint64]string{}
	}
	w.folders[device] = folder
}

// sync has all that was written outlast a power failure.
func (w *receiptWriter) sync() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, folder := range w.folders {
		if err := syncFileSystem(folder); err != nil {
			return fault.Fail(fault.ReasonFile, fmt.Errorf("syncing the receipts in %s: %w", folder, err), "see that the disk is in order, and run the command again with --verify-receipts")
		}
	}
	return nil
}

// makeReceiptFolder makes the folder that a receipt goes to.
func makeReceiptFolder(path string) error {
	return os.MkdirAll(filepath.Dir(path), 0o755) // #nosec G301 -- receipts are public
}

// isDiskFault reports whether nothing more can be written, whatever the file.
func isDiskFault(err error) bool {
	for _, fault := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS} {
		if errors.Is(err, fault) {
			return true
		}
	}
	return false
}
