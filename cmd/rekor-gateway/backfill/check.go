// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// List is a signed list of files (SHA256SUMS, InRelease, .dsc). Its files are compared with it once its signature verifies: before, it is anybody's, and may
// name terabytes.
type List struct {
	InSignature bool // the list is in the signature file; else it is the Artifact

	name         string // of the list's file
	root, folder string // the tree, and the folder in it that the list is in
	allowOutside bool   // names and links may lead out of the tree
}

// MaxList bounds a list, in octets. A longer one is not read.
const MaxList = maxList

// attachList gives item the list that it signs, if it is of one.
func attachList(f *folder, item *Item) {
	if item.Problem != nil || item.Decompress {
		return
	}
	name := path.Base(item.Name)
	if item.Artifact != "" {
		name = filepath.Base(item.Artifact)
	} else if sh, ok := shapeOf(name, func() bool { return false }); ok && sh.base != "" {
		name = sh.base
	}
	if isList(name) {
		item.List = &List{item.Artifact == "", name, f.tree.path, f.name, f.tree.root == nil}
	}
}

func asProblem(name, root string, err error) *formats.Error {
	var p *formats.Error
	if errors.As(err, &p) {
		return p
	}
	return explainFile(name, root, err)
}

// Checked says how the files of a list are.
type Checked struct {
	// Faults are files that are not there, or were not compared, and those that differ: the first of them. Count is how many there are. They
	// are for the report, and nothing against the list's signature: mirrors and downloads have a part of what Release files and SHA256SUMS name.
	Faults []Listed
	Count  int

	// Problem is not nil when files are there and are other ones than the list says.
	Problem *formats.Error

	// Files tells whether the same files are there and none of them was touched: a digest of their names and stamps.
	Files [sha256.Size]byte

	// Whole reports whether all that is there could be read, so that what is known of it holds as long as Files is the same.
	Whole bool
}

// Listed is a file that a signed list names, and what is wrong with it.
type Listed struct {
	Name    string // as the list has it
	Problem *formats.Error
}

// Stamp encodes by what a file is known not to have been touched.
type Stamp func(fs.FileInfo) []byte

// Look returns how the files are of the list in content, without reading any: those that are there count as what the list says. The error is
// the context's, or that the tree is gone.
func (l *List) Look(ctx context.Context, content []byte, stamp Stamp) (*Checked, error) {
	return l.check(ctx, content, stamp, false)
}

// Compare compares each file with what the list in content says of it. The error is as of Look.
func (l *List) Compare(ctx context.Context, content []byte, stamp Stamp) (*Checked, error) {
	return l.check(ctx, content, stamp, true)
}

func (l *List) check(ctx context.Context, content []byte, stamp Stamp, read bool) (*Checked, error) {
	t, err := openTree(l.root, l.allowOutside)
	if err != nil {
		return nil, explainFile(l.root, l.root, err)
	}
	defer t.close()
	c := &comparison{
		ctx: ctx, list: l, folder: &folder{tree: t, name: l.folder}, stamp: stamp, reads: read, left: maxCompared,
		sums: map[fileSum]formats.Digest{}, files: sha256.New(), checked: Checked{Whole: true},
	}
	files, err := l.parse(content)
	if err != nil {
		c.addFault(l.name, asProblem(l.name, t.path, err))
	}
	for _, one := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if problem := c.checkFile(one); problem != nil {
			c.addFault(one.name, problem)
		}
	}
	return c.finish(), ctx.Err()
}

// parse reads the list, or takes it out of its signature.
func (l *List) parse(content []byte) ([]listed, error) {
	if !l.InSignature {
		return parseList(l.name, content)
	}
	signature, err := textlayer.Unwrap(content)
	if err != nil {
		return nil, errList(0, "the list is in UTF-16")
	}
	text, ok := textOf(signature, decodeClear)
	if !ok {
		return nil, errList(0, "the list cannot be taken out of its signature")
	}
	return parseList(l.name, text)
}

// decodeClear returns the text of a file that is one text signed in the clear. Whether the signature is good, is for whoever verifies it.
func decodeClear(signature []byte) ([]byte, bool) {
	block, rest := clearsign.Decode(signature)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, false
	}
	return block.Plaintext, true
}

// comparison is one check of a list's files.
type comparison struct {
	ctx    context.Context
	list   *List
	folder *folder
	stamp  Stamp
	reads  bool  // the files, too
	left   int64 // octets that may be read yet

	sums    map[fileSum]formats.Digest // without reads, of no value
	files   hash.Hash                  // of names and stamps
	differ  int
	checked Checked
}

// fileSum is a digest of one file, whatever its names: lists may name a large file many times.
type fileSum struct {
	id        fileID
	algorithm formats.DigestAlgorithm
}

// addFault keeps as much as a report has.
func (c *comparison) addFault(name string, problem *formats.Error) {
	c.checked.Count++
	if size := len(name) + len(problem.Message); len(c.checked.Faults) < MaxFaults && size <= maxFault {
		c.checked.Faults = append(c.checked.Faults, Listed{name, problem})
	}
	if problem.Reason != formats.ReasonArtifactMismatch {
		return
	}
	if c.differ++; c.differ == 1 {
		c.checked.Problem = formats.NewError(formats.ReasonArtifactMismatch, problem.Message,
			"put the files there as they were published, or leave the list out: --exclude "+show(c.list.name)+"*")
	}
}

func (c *comparison) finish() *Checked {
	if c.differ > 1 {
		c.checked.Problem.Message += fmt.Sprintf(", and %d more", c.differ-1)
	}
	c.files.Sum(c.checked.Files[:0])
	return &c.checked
}

// checkFile returns what is wrong with a listed file, or nil.
func (c *comparison) checkFile(l listed) *formats.Error {
	t := c.folder.tree
	name, ok := c.folder.resolve(l.name)
	if !ok {
		return formats.NewError(ReasonOutsideRoot, show(l.name)+" leads out of "+show(t.path), "name a folder that has all of it, or give --allow-outside if nobody else writes there")
	}
	if l.digest == nil {
		return formats.NewError(formats.ReasonWeakAlgorithm, show(l.name)+" is listed with no digest that is checked here: MD5, SHA-1",
			"nothing need be done; the signature of the list counts all the same")
	}
	info, err := t.stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = &notRegularError{info.Mode()}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return formats.NewError(formats.ReasonMissingArtifact, show(l.name)+" is listed and not there", "put it there to have it checked; the signature of the list counts all the same")
	}
	if err != nil {
		return explainFile(l.name, t.path, err)
	}
	_, _ = fmt.Fprintf(c.files, "%q%x\n", l.name, c.stamp(info)) // a hash takes all
	if l.size >= 0 && info.Size() != l.size {
		return errDiffers(l.name, "size")
	}
	return c.checkContent(l, name, info)
}

// checkContent compares a file's digest, unless nothing is to be read.
func (c *comparison) checkContent(l listed, name string, info fs.FileInfo) *formats.Error {
	id, known := identifyFile(info)
	at := fileSum{id, l.digest.Algorithm}
	sum, done := c.sums[at]
	if !done {
		if info.Size() > c.left {
			return formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("%s is not compared: the list's files have more than %d bytes", show(l.name), int64(maxCompared)),
				"check it with the tool that made the list; the signature of the list counts all the same")
		}
		c.left -= info.Size()
		if c.reads {
			var err error
			if sum.Value, err = c.readSum(name, info, at.algorithm); err != nil {
				c.checked.Whole = false
				return explainFile(l.name, c.folder.tree.path, err)
			}
		}
		sum.Algorithm = at.algorithm
		if known {
			c.sums[at] = sum
		}
	}
	if c.reads && !sum.Equal(*l.digest) {
		return errDiffers(l.name, "digest")
	}
	return nil
}

// readSum returns the digest of a file, which is as it was when before was looked up.
func (c *comparison) readSum(name string, before fs.FileInfo, algorithm formats.DigestAlgorithm) ([]byte, error) {
	file, info, err := c.folder.tree.reopenFile(name)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	h := algorithm.New()
	if _, err = formats.Copy(c.ctx, h, io.LimitReader(file, info.Size()+1)); err != nil {
		return nil, err
	}
	after, err := file.Stat()
	if err == nil && !bytes.Equal(c.stamp(before), c.stamp(after)) {
		err = errChanged
	}
	return h.Sum(nil), err
}

func errDiffers(name, what string) *formats.Error {
	return formats.NewError(formats.ReasonArtifactMismatch, show(name)+" has another "+what+" than the list says", "put the file there as it was published")
}

// resolve returns the name in the tree of one that a list in the folder has, and false when it leads out of a tree that it may
// not lead out of. Links are the tree's to refuse.
func (f *folder) resolve(name string) (string, bool) {
	if f.tree.root == nil {
		if path.IsAbs(name) {
			return path.Clean(name), true
		}
		return f.join(name), true
	}
	inTree := f.join(name)
	return inTree, !path.IsAbs(name) && !strings.ContainsRune(name, 0) && filepath.IsLocal(filepath.FromSlash(inTree))
}
