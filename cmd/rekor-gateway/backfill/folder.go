// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// entry is a name in a folder and what it is; of a link, that it is one.
type entry struct {
	name string
	mode fs.FileMode // its type alone
}

// folder is a folder of a tree. One whose names were not read looks them up one by one.
type folder struct {
	tree    *tree
	name    string   // "." for the tree itself
	held    *os.File // open until close; nil where files in it are opened by their paths
	read    bool
	parts   bool    // one of the entries isPart
	entries []entry // in lexical order

	tuf *tufNames // nil until findTUF
}

// readFolder reads all names of a folder. It refuses one with more than maxFolder. The caller closes it.
func readFolder(t *tree, name string) (*folder, error) {
	file, err := t.open(name)
	if err != nil {
		return nil, err
	}
	file = unrooted(file)
	f := &folder{tree: t, name: name, read: true}
	if err := f.readNames(file); err != nil || !holdsFolders {
		_ = file.Close() // only read
		return f, err
	}
	f.held = file
	return f, nil
}

func (f *folder) close() {
	if f.held != nil {
		_ = f.held.Close() // only read
	}
}

func (f *folder) readNames(file *os.File) error {
	for {
		batch, err := file.ReadDir(readBatch)
		for _, e := range batch {
			f.entries = append(f.entries, entry{e.Name(), e.Type()})
			f.parts = f.parts || isPart(e.Name())
		}
		if len(f.entries) > maxFolder {
			return formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("the folder %s has more than %d names", show(f.name), maxFolder),
				"spread its files over several folders, or name them in a manifest")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	slices.SortFunc(f.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return nil
}

// isPart reports whether a file may be what is left of a run that was killed.
func isPart(name string) bool {
	return strings.HasPrefix(name, PartPrefix) && strings.HasSuffix(name, PartSuffix)
}

// find returns the entry called name.
func (f *folder) find(name string) (entry, bool) {
	if f.read {
		i, ok := slices.BinarySearchFunc(f.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
		if !ok {
			return entry{}, false
		}
		return f.entries[i], true
	}
	info, err := f.tree.lstat(f.join(name))
	if err != nil {
		return entry{}, false
	}
	return entry{name, info.Mode().Type()}, true
}

// maxBeside bounds the names that lookBeside looks at.
const maxBeside = 64

// lookBeside reports whether no other signature over the same file is in the folder, by its name (app.asc beside app.sig), and whether no receipt of either is,
// nor a part of any.
// They are false where that is not known.
func (f *folder) lookBeside(name string) (alone, bare bool) {
	base, suffix := CutSuffix(name)
	if !f.read {
		return false, false
	}
	alone, bare = suffix != "", !f.parts // without a suffix, base is all of the name
	first, _ := slices.BinarySearchFunc(f.entries, base+".", func(e entry, name string) int { return strings.Compare(e.name, name) })
	for i, e := range f.entries[first:] {
		switch {
		case !strings.HasPrefix(e.name, base+"."):
			return alone, bare
		case i == maxBeside:
			return false, false
		}
		alone = alone && (e.name == name || !isSuffix(e.name[len(base):]))
		bare = bare && !strings.HasSuffix(e.name, ReceiptSuffix)
	}
	return alone, bare
}

// join returns the name in the tree of a name in the folder.
func (f *folder) join(name string) string { return path.Join(f.name, name) }

// path returns the path of a name in the folder.
func (f *folder) path(name string) string { return f.tree.join(f.join(name)) }

// scanned is a regular file that is open to be read.
type scanned interface {
	io.ReadCloser
	Stat() (fs.FileInfo, error)
}

// open opens a regular file in the folder, and returns what it is.
func (f *folder) open(e entry) (scanned, fs.FileInfo, error) {
	if !e.mode.IsRegular() {
		return f.tree.openFile(f.join(e.name))
	}
	if f.held == nil {
		return f.tree.reopenFile(f.join(e.name))
	}
	if file, info, err := openHeld(f.held, e.name); err == nil {
		return file, info, nil
	}
	return f.tree.openFile(f.join(e.name)) // another one is there by now, or it cannot be read
}
