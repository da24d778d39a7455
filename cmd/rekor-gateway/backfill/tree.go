// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// tree is a folder that was named. Names in it are relative to it, with slashes.
type tree struct {
	path string
	root *os.Root // keeps every path and link within it; nil where they may lead out
}

func openTree(path string, allowOutside bool) (*tree, error) {
	if allowOutside {
		return &tree{path: path}, nil
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &tree{path, root}, nil
}

func (t *tree) close() {
	if t.root != nil {
		_ = t.root.Close() // only read
	}
}

// join returns the path of name for whoever opens it.
func (t *tree) join(name string) string {
	name = filepath.FromSlash(name)
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(t.path, name)
}

func (t *tree) lstat(name string) (fs.FileInfo, error) {
	if t.root == nil {
		return os.Lstat(t.join(name))
	}
	return t.root.Lstat(filepath.FromSlash(name))
}

// stat follows links.
func (t *tree) stat(name string) (fs.FileInfo, error) {
	if t.root == nil {
		return os.Stat(t.join(name))
	}
	return t.root.Stat(filepath.FromSlash(name))
}

// open opens a file or folder. It does not wait for whoever is at the other end of a pipe.
func (t *tree) open(name string) (*os.File, error) {
	const flags = os.O_RDONLY | syscall.O_NONBLOCK
	if t.root == nil {
		return os.OpenFile(t.join(name), flags, 0)
	}
	return t.root.OpenFile(filepath.FromSlash(name), flags, 0)
}

// openFile opens a regular file, and nothing else: a device may do something when it is opened.
func (t *tree) openFile(name string) (*os.File, fs.FileInfo, error) {
	info, err := t.stat(name)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &notRegularError{info.Mode()}
	}
	return t.reopenFile(name)
}

// reopenFile is openFile for what was a regular file a moment ago.
func (t *tree) reopenFile(name string) (*os.File, fs.FileInfo, error) {
	file, err := t.open(name)
	if err != nil {
		return nil, nil, err
	}
	return keepRegular(file)
}

// keepRegular returns an open file and what it is, and closes what is none.
func keepRegular(file *os.File) (*os.File, fs.FileInfo, error) {
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &notRegularError{info.Mode()}
	}
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Open opens the regular file path to be read, and refuses all else without waiting: a pipe that somebody put where the file
// was found, a device. It returns what the file was then, too.
func Open(path string) (*os.File, fs.FileInfo, error) {
	file, info, err := (&tree{}).openFile(filepath.ToSlash(path))
	if err != nil {
		return nil, nil, explainFile(path, "", err)
	}
	return file, info, nil
}

// Reopen is Open for what was a regular file a moment ago: Item.IsFresh.
func Reopen(path string) (*os.File, fs.FileInfo, error) {
	file, info, err := (&tree{}).reopenFile(filepath.ToSlash(path))
	if err != nil {
		return nil, nil, explainFile(path, "", err)
	}
	return file, info, nil
}

// OpenBelow is Open for a path below the folder root that no link may lead out of that: ReasonOutsideRoot.
func OpenBelow(root, path string) (*os.File, fs.FileInfo, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return ReopenBelow(root, path)
	}
	return openBelow(root, path)
}

// ReopenBelow is OpenBelow for what was a regular file a moment ago: Item.IsFresh.
func ReopenBelow(root, path string) (*os.File, fs.FileInfo, error) {
	if name, err := filepath.Rel(root, path); err == nil {
		if file, info, err := openBeneath(root, name); err == nil {
			return file, info, nil
		}
	}
	return openBelow(root, path) // which says why not
}

// openBelow looks up one part of the path after the other.
func openBelow(root, path string) (*os.File, fs.FileInfo, error) {
	name, err := filepath.Rel(root, path)
	if err != nil {
		return nil, nil, explainFile(path, root, err)
	}
	t, err := openTree(root, false)
	if err != nil {
		return nil, nil, explainFile(path, root, err)
	}
	defer t.close()
	file, info, err := t.openFile(filepath.ToSlash(name))
	if err != nil {
		return nil, nil, explainFile(path, root, err)
	}
	return file, info, nil
}

// notRegularError is what is found where a file should be.
type notRegularError struct{ mode fs.FileMode }

func (e *notRegularError) Error() string { return describeMode(e.mode) + ", and no file" }

func describeMode(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	}
	return "something else"
}

// errChanged is of a file that somebody writes to while it is read.
var errChanged = errors.New("the file changed while it was read")

const hintExclude = "or pass it over: --exclude NAME"

// explainFile says what is wrong with the file called name in the folder root.
func explainFile(name, root string, err error) *formats.Error {
	name = show(name)
	var other *notRegularError
	switch {
	case isEscape(err):
		return formats.WrapError(err, ReasonOutsideRoot, name+" leads out of "+show(root),
			"name a folder that has all of it, or give --allow-outside if nobody else writes there")
	case errors.As(err, &other):
		return formats.WrapError(err, ReasonFile, name+" is "+other.Error(), "put the file itself there, "+hintExclude)
	case errors.Is(err, syscall.ELOOP):
		return formats.WrapError(err, ReasonFile, name+" is a symbolic link that leads to itself, or over more than eight others", "mend the link, "+hintExclude)
	case errors.Is(err, errChanged):
		return formats.WrapError(err, ReasonFileChanged, name+" changed while it was read", "run it again once nobody writes to it")
	case errors.Is(err, fs.ErrNotExist):
		return formats.WrapError(err, ReasonFile, name+" is not there, or is a symbolic link to nothing", "put the file there, "+hintExclude)
	case errors.Is(err, fs.ErrPermission):
		return formats.WrapError(err, ReasonFile, name+" cannot be read: permission denied",
			"run it as somebody who may read it, "+hintExclude)
	}
	return formats.WrapError(err, ReasonFile, fmt.Sprintf("%s cannot be read: %v", name, cause(err)), "check the disk, "+hintExclude)
}

// ExplainFolder says why the folder below root cannot be opened or made.
func ExplainFolder(folder, root string, err error) error { return explainFile(folder, root, err) }

// cause leaves out the path, which stands in the message.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// isEscape reports whether os.Root refused a path that leaves it. The standard library has no name for it; a test holds
// the words.
func isEscape(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "path escapes from parent"
}

// show returns a name on one line, quoted where it has to be, as it is where nobody would see the blank at its end.
func show(name string) string {
	if name != strings.TrimSpace(name) {
		return strconv.Quote(name)
	}
	for _, r := range name {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			return strconv.Quote(name)
		}
	}
	return name
}
