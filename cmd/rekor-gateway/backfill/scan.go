// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/all"
)

// Scan yields every signature under the roots, folders and files, in lexical order, as it is found. What cannot be read is an Item with a Problem; an error
// ends it: a root that is not there, Options.Context's.
//
// It holds the names of the folder that it is in and of those above it, and nothing of what it has yielded.
// Names are relative to their root. Of several roots, those in a folder begin with what RootName says of it.
func Scan(roots []string, o Options) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		s, err := newScanner(o, yield)
		for _, root := range roots {
			if err == nil {
				err = s.scanRoot(root, len(roots) > 1)
			}
		}
		s.finish(err)
	}
}

// scanner is one scan, or one reading of a manifest.
type scanner struct {
	Options
	filter   *filter
	registry *formats.Registry
	yield    func(Item, error) bool
	head     []byte // maxHead octets, for the file that is looked at
	last     Read   // of that file; its content is in head

	followed map[fileID]bool // folders that were reached through links
	above    []fileID        // the folders that the scan is in; without Follow none
	prefix   string          // of the names in the root that is scanned
}

// RootName returns what a root is called by itself, wherever it is: of two with one name, items may have the same names.
func RootName(root string) string {
	if whole, err := filepath.Abs(root); err == nil {
		root = whole
	}
	return filepath.Base(root)
}

func newScanner(o Options, yield func(Item, error) bool) (*scanner, error) {
	if o.Context == nil {
		o.Context = context.Background()
	}
	s := &scanner{Options: o, registry: all.Formats(), yield: yield, head: make([]byte, maxHead), followed: map[fileID]bool{}}
	var err error
	s.filter, err = newFilter(o)
	return s, err
}

// errStop is of a caller who wants no more.
var errStop = errors.New("stopped")

func (s *scanner) finish(err error) {
	if err != nil && !errors.Is(err, errStop) {
		s.yield(Item{}, err)
	}
}

func (s *scanner) give(t *tree, item Item) error {
	if err := s.Context.Err(); err != nil {
		return err
	}
	item.Name = s.prefix + item.Name
	if t.root != nil {
		item.Root = t.path
	}
	if !s.yield(item, nil) {
		return errStop
	}
	return nil
}

func (s *scanner) scanRoot(root string, isOneOfMany bool) error {
	s.prefix = ""
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return s.scanFile(root)
	}
	t, err := openTree(root, s.AllowOutside)
	if err != nil {
		return err
	}
	defer t.close()
	if isOneOfMany {
		s.prefix = strings.TrimPrefix(filepath.ToSlash(RootName(root)), "/") + "/"
	}
	return s.walk(t, ".", 0)
}

// scanFile is for a file that was named itself.
func (s *scanner) scanFile(path string) error {
	dir, name := filepath.Split(filepath.Clean(path))
	t, err := openTree(filepath.Clean(dir), s.AllowOutside)
	if err != nil {
		return err
	}
	defer t.close()
	f := &folder{tree: t, name: "."}
	sh, ok := shapeOf(name, f.hasRoot)
	if !ok {
		return s.give(t, Item{Signature: path, Name: name, Problem: formats.NewError(formats.ReasonNoSignature,
			show(name)+" is not called like a signature", "name the signature, the folder, or name it in a manifest")})
	}
	if !s.filter.takes(name) {
		return nil
	}
	e, ok := f.find(name)
	if !ok {
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return s.giveFile(f, e, sh)
}

// walk scans a folder and those in it.
func (s *scanner) walk(t *tree, name string, depth int) error {
	if err := s.Context.Err(); err != nil {
		return err
	}
	if depth > maxDepth {
		return s.giveProblem(t, name, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("%s is more than %d folders deep", show(name), maxDepth),
			"name the folder itself"))
	}
	leave, err := s.enter(t, name)
	if err != nil {
		return s.giveProblem(t, name, explainFile(name, t.path, err))
	}
	defer leave()
	f, err := readFolder(t, name)
	if err != nil {
		var problem *formats.Error
		if !errors.As(err, &problem) {
			problem = explainFile(name, t.path, err)
		}
		return s.giveProblem(t, name, problem)
	}
	defer f.close()
	for i := range f.entries {
		if err := s.visit(f, f.entries[i], depth); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) giveProblem(t *tree, name string, p *formats.Error) error {
	return s.give(t, Item{Signature: t.join(name), Name: name, Problem: p})
}

// visit is for one name in a folder.
func (s *scanner) visit(f *folder, e entry, depth int) error {
	name := f.join(e.name)
	if e.mode.IsDir() {
		if !s.filter.enters(name) {
			return nil
		}
		return s.walk(f.tree, name, depth+1)
	}
	isLink := e.mode&fs.ModeSymlink != 0
	if isLink && !s.Follow {
		return nil
	}
	if isLink && s.filter.enters(name) {
		if info, err := f.tree.stat(name); err == nil && info.IsDir() {
			return s.follow(f.tree, name, info, depth)
		} else if isEscape(err) || errors.Is(err, syscall.ELOOP) {
			return s.giveProblem(f.tree, name, explainFile(name, f.tree.path, err))
		}
	}
	sh, ok := shapeOf(e.name, f.hasRoot)
	if !ok || !s.filter.takes(name) {
		return nil
	}
	return s.giveFile(f, e, sh)
}

// follow scans a folder behind a link, once. A link to a folder that the scan is in leads to what is found anyway. What a link
// leads to in the tree is scanned there as well, under its own name.
func (s *scanner) follow(t *tree, name string, info fs.FileInfo, depth int) error {
	id, ok := identifyFile(info)
	if !ok {
		return s.giveProblem(t, name, formats.NewError(ReasonFile, show(name)+" is a link to a folder, which cannot be followed on this system",
			"name the folder itself"))
	}
	if s.followed[id] || slices.Contains(s.above, id) {
		return nil
	}
	if len(s.followed) == maxFollowed {
		return s.giveProblem(t, name, formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("more than %d folders are reached through links", maxFollowed),
			"name the folders that they lead to"))
	}
	s.followed[id] = true
	return s.walk(t, name, depth+1)
}

// enter notes the folder that the scan goes into, and returns what forgets it.
func (s *scanner) enter(t *tree, name string) (leave func(), err error) {
	if !s.Follow {
		return func() {}, nil
	}
	info, err := t.stat(name)
	if err != nil {
		return nil, err
	}
	if id, ok := identifyFile(info); ok {
		s.above = append(s.above, id)
		return func() { s.above = s.above[:len(s.above)-1] }, nil
	}
	return func() {}, nil
}

// giveFile yields what a file is, if it is a signature.
func (s *scanner) giveFile(f *folder, e entry, sh shape) error {
	item, ok := s.pair(f, e, sh)
	if !ok {
		return s.Context.Err()
	}
	attachList(f, &item)
	if item.Problem == nil {
		item.Seen, item.Read = time.Now(), s.last.keep()
	}
	item.Alone, item.Bare = f.lookBeside(e.name)
	return s.give(f.tree, item)
}

// keep returns a copy of what is all of a small file, or nil.
func (r Read) keep() *Read {
	if len(r.Content) > maxRead || int64(len(r.Content)) != r.Info.Size() {
		return nil
	}
	r.Content = bytes.Clone(r.Content)
	return &r
}
