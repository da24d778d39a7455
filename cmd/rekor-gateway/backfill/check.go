// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp/clearsign"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/textlayer"
)

// checkLists checks the files that a signed list names, when item is of one. A file that is there and differs is the item's Problem; one that is not there is
// no more than the list's: mirrors and downloads have a part of what is listed. An error is the Context's.
func (s *scanner) checkLists(f *folder, item *Item) error {
	if item.Problem != nil {
		return nil
	}
	name := path.Base(item.Name)
	if item.Artifact != "" {
		name = filepath.Base(item.Artifact)
	} else if sh, ok := shapeOf(name, func() bool { return false }); ok && sh.base != "" {
		name = sh.base
	}
	if !isList(name) || item.Decompress || s.Done != nil && s.Done(s.named(*item)) {
		return nil
	}
	files, err := s.readList(f, *item, name)
	if err != nil {
		item.Listed = []Listed{{name, asProblem(name, f.tree.path, err)}}
		return nil
	}
	return s.checkFiles(f, item, name, files)
}

func asProblem(name, root string, err error) *formats.Error {
	var p *formats.Error
	if errors.As(err, &p) {
		return p
	}
	return explainFile(name, root, err)
}

// readList reads the list that item signs.
func (s *scanner) readList(f *folder, item Item, name string) ([]listed, error) {
	if item.Artifact != "" {
		content, err := s.readBounded(f, name)
		if err != nil {
			return nil, err
		}
		return parseList(name, content)
	}
	e, _ := f.find(path.Base(item.Name))
	signature, err := s.readAll(f, e)
	if err != nil {
		return nil, err
	}
	if signature, err = textlayer.Unwrap(signature); err != nil {
		return nil, errList(0, "the list is in UTF-16")
	}
	content, ok := textOf(signature, decodeClear)
	if !ok {
		return nil, errList(0, "the list cannot be taken out of its signature")
	}
	return parseList(name, content)
}

// decodeClear returns the text of a file that is one text signed in the clear. Whether the signature is good, is for whoever verifies it.
func decodeClear(signature []byte) ([]byte, bool) {
	block, rest := clearsign.Decode(signature)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, false
	}
	return block.Plaintext, true
}

func (s *scanner) readBounded(f *folder, name string) ([]byte, error) {
	file, before, err := f.tree.openFile(f.join(name))
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	content, err := io.ReadAll(io.LimitReader(file, maxList+1))
	if err != nil {
		return nil, err
	}
	return content, checkUnchanged(file, before)
}

// checkFiles compares each file with what the list says of it.
func (s *scanner) checkFiles(f *folder, item *Item, list string, files []listed) error {
	sums := map[fileSum]formats.Digest{}
	differ := 0
	for _, l := range files {
		problem := s.checkListed(f, l, sums)
		if err := s.Context.Err(); err != nil {
			return err
		}
		item.Listed = append(item.Listed, Listed{l.name, problem})
		if problem == nil || problem.Reason != formats.ReasonArtifactMismatch {
			continue
		}
		if differ++; differ == 1 {
			item.Problem = formats.NewError(formats.ReasonArtifactMismatch, problem.Message,
				"put the files there as they were published, or leave the list out: --exclude "+show(list)+"*")
		}
	}
	if differ > 1 {
		item.Problem.Message += fmt.Sprintf(", and %d more", differ-1)
	}
	return nil
}

// fileSum is a digest of one file, whatever its names: lists may name a large file many times.
type fileSum struct {
	id        fileID
	algorithm formats.DigestAlgorithm
}

// checkListed returns what is wrong with a listed file, or nil.
func (s *scanner) checkListed(f *folder, l listed, sums map[fileSum]formats.Digest) *formats.Error {
	name, ok := f.resolve(l.name)
	if !ok {
		return formats.NewError(ReasonOutsideRoot, show(l.name)+" leads out of "+show(f.tree.path), "name a folder that has all of it, or give --allow-outside if nobody else writes there")
	}
	if l.digest == nil {
		return formats.NewError(formats.ReasonWeakAlgorithm, show(l.name)+" is listed with no digest that is checked here: MD5, SHA-1",
			"nothing need be done; the signature of the list counts all the same")
	}
	file, info, err := f.tree.openFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return formats.NewError(formats.ReasonMissingArtifact, show(l.name)+" is listed and not there", "put it there to have it checked; the signature of the list counts all the same")
	}
	if err != nil {
		return explainFile(l.name, f.tree.path, err)
	}
	defer file.Close() //nolint:errcheck // only read
	if l.size >= 0 && info.Size() != l.size {
		return errDiffers(l.name, "size")
	}
	id, known := identifyFile(info)
	sum, done := sums[fileSum{id, l.digest.Algorithm}]
	if !done {
		h := l.digest.Algorithm.New()
		if _, err = formats.Copy(s.Context, h, io.LimitReader(file, info.Size()+1)); err == nil {
			err = checkUnchanged(file, info)
		}
		if err != nil {
			return explainFile(l.name, f.tree.path, err)
		}
		sum = formats.Digest{Algorithm: l.digest.Algorithm, Value: h.Sum(nil)}
		if known {
			sums[fileSum{id, l.digest.Algorithm}] = sum
		}
	}
	if !sum.Equal(*l.digest) {
		return errDiffers(l.name, "digest")
	}
	return nil
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
