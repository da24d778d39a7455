// SPDX-License-Identifier: Apache-2.0

package run

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/fault"
)

// errTaken says that another run has written the receipt meanwhile.
var errTaken = errors.New("the receipt's file is there by now")

// receiptWriter writes receipts so that each is whole or not there, and has them synced together at the end.
type receiptWriter struct {
	mu      sync.Mutex
	folders map[uint64]*os.File     // a folder that was written to, by device: guarded by mu
	good    map[[2]string]time.Time // when checkFolder found nothing wrong with a folder, by root and folder: guarded by mu
	held    heldFolders
}

const (
	// goodTime is how long what checkFolder has found of a folder holds for others that go there.
	goodTime = time.Second
	// maxGoodFolders bounds the folders of which that is known.
	maxGoodFolders = 1024
)

// partName is what the receipt called name is called before it is whole. It is the same in every run, so that what a killed one has left
// is removed by the next.
func partName(name string) string {
	return backfill.PartPrefix + shortenStem(name) + backfill.PartSuffix
}

// otherPartName is for when partName is another run's, or somebody else's.
func otherPartName(name string) string {
	return backfill.PartPrefix + shortenStem(name) + "." + rand.Text()[:randomLetters] + backfill.PartSuffix
}

func shortenStem(name string) string {
	if len(name) > maxPartStem {
		return fmt.Sprintf("%x", sha256.Sum256([]byte(name)))
	}
	return name
}

const (
	// maxPartStem leaves room for what names of parts have more, in the 255 bytes that file systems give a name.
	maxPartStem   = 240
	randomLetters = 8
)

// checkPlace reports why no receipt can be put into path, before its signature is sent.
func checkPlace(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, syscall.ENAMETOOLONG):
		return fault.Fail(fault.ReasonFile, fmt.Errorf("the receipt's name is too long: %s", filepath.Base(path)), "give the file and its signature shorter names")
	case err == nil && info.IsDir():
		return refuseOverwriteHere(path, "is a folder")
	}
	return nil
}

// write puts raw into path, which is below root, unless that is "", and returns what the file is then. Unless replace is set, errTaken is returned where
// something has come there.
func (w *receiptWriter) write(root, path string, raw []byte, replace bool) (fileStamp, error) {
	return w.writeBy(root, path, func(folder *heldFolder, name string) (fileStamp, error) { return writeFile(folder, name, raw, replace) })
}

// writeFresh is write, replacing nothing, in a folder where no killed run has left anything: nothing is looked for.
func (w *receiptWriter) writeFresh(root, path string, raw []byte) (fileStamp, error) {
	return w.writeBy(root, path, func(folder *heldFolder, name string) (fileStamp, error) { return writeFreshFile(folder, name, raw) })
}

// writeBy has write put something into the folder of path.
func (w *receiptWriter) writeBy(root, path string, write func(folder *heldFolder, name string) (fileStamp, error)) (stamp fileStamp, err error) {
	err = w.held.use(root, path, func(folder *heldFolder) error {
		if stamp, err = write(folder, filepath.Base(path)); err != nil {
			return err
		}
		return w.noteFolder(folder)
	})
	return stamp, err
}

// writeFile is write in a folder.
func writeFile(folder *heldFolder, name string, raw []byte, replace bool) (fileStamp, error) {
	if _, there := folder.Lstat(partName(name)); there != nil && !replace { // else what a killed run has left is used up
		return writeFreshFile(folder, name, raw)
	}
	return writePart(folder, name, raw, replace)
}

// writeFreshFile is writeFresh in a folder.
func writeFreshFile(folder *heldFolder, name string, raw []byte) (fileStamp, error) {
	stamp, err := writeUnnamed(folder, name, raw)
	if errors.Is(err, errNoUnnamed) {
		return writePart(folder, name, raw, false)
	}
	return stamp, err
}

// stampWritten returns what a file is that has got its name just now. Nobody else could write to it, so that it is what was written.
func stampWritten(file *os.File) (fileStamp, error) {
	info, err := file.Stat()
	if err != nil {
		return fileStamp{}, err
	}
	return stampOf(info), nil
}

// errNoUnnamed says that a file has to have a name from the beginning.
var errNoUnnamed = errors.New("no file without a name can be made here")

// writePart writes a part first, and gives it its name once it is whole.
func writePart(folder *heldFolder, name string, raw []byte, replace bool) (fileStamp, error) {
	part, called, err := createPart(folder.Root, name)
	if err != nil {
		return fileStamp{}, err
	}
	defer part.Close() //nolint:errcheck // what counts was checked before
	if _, err = part.Write(raw); err == nil {
		err = finishPart(part)
	}
	switch {
	case err != nil:
	case replace:
		err = folder.Rename(called, name)
	default:
		err = renameNew(folder, called, name)
	}
	if err != nil {
		_ = folder.Remove(called)
		return fileStamp{}, err
	}
	return stampWritten(part)
}

// renameNew is os.Root.Rename that replaces nothing.
func renameNew(folder *heldFolder, from, to string) error {
	err := renameNoReplace(folder, from, to)
	if errors.Is(err, errors.ErrUnsupported) {
		if err = folder.Link(from, to); err == nil {
			return folder.Remove(from)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		return errTaken
	case isDiskFault(err):
		return err
	}
	if _, err := folder.Lstat(to); err == nil { // the file system knows neither
		return errTaken
	}
	return folder.Rename(from, to)
}

// maxPartTries bounds how often another run may have been faster.
const maxPartTries = 100

// createPart makes the file that a receipt is written into. It is new, so that nobody else has it open, and nobody is waited for: where the usual name is
// another run's, or somebody else's, there is another one.
func createPart(folder *os.Root, name string) (_ *os.File, called string, err error) {
	usual := partName(name)
	called = usual
	for range maxPartTries {
		part, err := folder.OpenFile(called, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644) // #nosec G302 -- receipts are public
		switch {
		case err == nil && (called != usual || holdPart(folder, part, called)):
			return part, called, nil
		case err == nil:
			_ = part.Close()
			called = otherPartName(name)
		case !errors.Is(err, fs.ErrExist):
			return nil, "", err
		case !removeLeft(folder, called):
			called = otherPartName(name)
		}
	}
	return nil, "", fmt.Errorf("%s: %w", called, errTaken)
}

// holdPart keeps other runs from removing the part as one that was left, and reports whether none has yet.
func holdPart(folder *os.Root, part *os.File, name string) bool {
	locked, err := tryLockFile(part)
	return err == nil && locked && isNamed(folder, part, name)
}

// removeLeft removes what a killed run of the same user has left. It returns false for all else.
func removeLeft(folder *os.Root, name string) bool {
	info, err := folder.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || !isOurs(info) {
		return false
	}
	left, err := folder.OpenFile(name, os.O_RDWR|openNoLink, 0)
	if err != nil {
		return false
	}
	defer left.Close() //nolint:errcheck // only locked
	return holdPart(folder, left, name) && folder.Remove(name) == nil
}

// isNamed reports whether a regular file has the name in the folder.
func isNamed(folder *os.Root, file *os.File, name string) bool {
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	named, err := folder.Lstat(name)
	return err == nil && os.SameFile(info, named)
}

// noteFolder has the file system of a folder synced at the end.
func (w *receiptWriter) noteFolder(folder *heldFolder) error {
	_, _, device := changedAt(folder.info)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.folders[device] != nil {
		return nil
	}
	dir, err := folder.Open(".")
	if err != nil {
		return err
	}
	if w.folders == nil {
		w.folders = map[uint64]*os.File{}
	}
	w.folders[device] = dir
	return nil
}

// sync has all that was written outlast a power failure.
func (w *receiptWriter) sync() error {
	w.held.close()
	w.mu.Lock()
	defer w.mu.Unlock()
	for device, folder := range w.folders {
		err := syncFileSystem(folder)
		_ = folder.Close() // only held
		if err != nil {
			return fault.Fail(fault.ReasonFile, fmt.Errorf("syncing the receipts in %s: %w", folder.Name(), err), "see that the disk is in order, and run the command again with --verify-receipts")
		}
		delete(w.folders, device)
	}
	return nil
}

// makeReceiptFolder makes the folder below root that a receipt goes to.
func makeReceiptFolder(root, path string) error {
	const public = 0o755
	if root == "" {
		return os.MkdirAll(filepath.Dir(path), public) // #nosec G301 -- receipts are public
	}
	if err := os.MkdirAll(root, public); err != nil { // #nosec G301 -- receipts are public
		return err
	}
	top, err := os.OpenRoot(root)
	if err != nil {
		return err
	}
	defer top.Close() //nolint:errcheck // only held
	name, err := filepath.Rel(root, filepath.Dir(path))
	if err != nil {
		return err
	}
	if err := top.MkdirAll(name, public); err != nil {
		return backfill.ExplainFolder(filepath.Dir(path), root, err)
	}
	return nil
}

// checkFolder reports why a receipt cannot go to the folder of path, before its signature is sent. What was found of a folder holds for a moment: writing
// finds what is wrong by then.
func (w *receiptWriter) checkFolder(root, path string) error {
	key, now := [2]string{root, filepath.Dir(path)}, time.Now()
	if w.isGood(key, now) {
		return nil
	}
	if err := checkWritable(path); err != nil {
		return err
	}
	if err := w.held.use(root, path, func(*heldFolder) error { return nil }); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.good == nil || len(w.good) >= maxGoodFolders {
		w.good = map[[2]string]time.Time{}
	}
	w.good[key] = now
	return nil
}

func (w *receiptWriter) isGood(key [2]string, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, found := w.good[key]
	return found && now.Sub(at) < goodTime
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
