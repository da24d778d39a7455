// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rekor-gateway/rekor-gateway/formats"
)

// place is where something is that a manifest names.
type place struct {
	url    bool
	path   string  // for whoever opens it
	name   string  // for reports and receipts: never one that leads out of the folder they are written to
	folder *folder // of a file
	base   string  // the file's name in it
}

// giveRow yields the item of a row.
func (s *scanner) giveRow(t *tree, r row, line int) error {
	item := Item{Signature: r.Signature, Name: fmt.Sprintf("line %d", line), Format: r.Format, Labels: r.Labels}
	at, problem := t.locate(r.Signature)
	if problem == nil {
		item.Signature, item.Name = at.path, at.name
		if !s.filter.takesPath(item.Name) {
			return nil
		}
		problem = s.fillRow(t, at, r, &item)
	}
	if problem == nil && item.Problem == nil {
		attachRowList(t, at, r, &item)
	}
	if problem == nil {
		problem = item.Problem
	}
	if problem != nil {
		item.Problem = formats.WrapError(problem, problem.Reason, fmt.Sprintf("line %d: %s", line, problem.Message), problem.Hint)
	}
	return s.give(t, item)
}

// fillRow looks at all that a row names.
func (s *scanner) fillRow(t *tree, at place, r row, item *Item) *formats.Error {
	if r.Format != "" {
		if _, err := s.registry.Get(r.Format); err != nil {
			return asProblem(at.name, t.path, err)
		}
	}
	for _, k := range r.Keys {
		key, problem := t.locateFile(k)
		if problem != nil {
			return problem
		}
		item.Keys = append(item.Keys, key.path)
	}
	if r.Artifact != "" && r.Digest != "" {
		return formats.NewError(ReasonMalformedManifest, "there is an artifact, and a digest as well", "leave out one of them")
	}
	if r.Digest != "" {
		digest, err := formats.ParseDigest(r.Digest)
		if err != nil {
			return asProblem(at.name, t.path, err)
		}
		item.Digest = digest.String()
	}
	if r.Artifact != "" {
		artifact, problem := t.locateFile(r.Artifact)
		if problem != nil {
			return problem
		}
		item.Artifact = artifact.path
		item.Decompress = isInner(at.path, artifact.path)
	}
	if r.Decompress != nil {
		item.Decompress = *r.Decompress
	}
	if at.url {
		return nil
	}
	return s.lookAt(at, r, item)
}

// isInner reports whether by their names the signature is over what is in the compressed artifact.
func isInner(signature, artifact string) bool {
	sh, ok := shapeOf(path.Base(filepath.ToSlash(signature)), func() bool { return false })
	return ok && isCompressed(path.Base(filepath.ToSlash(artifact)), sh.base)
}

// lookAt reads the signature of a row, and pairs it where the row does not.
func (s *scanner) lookAt(at place, r row, item *Item) *formats.Error {
	e, ok := at.folder.find(at.base)
	if !ok {
		_, err := at.folder.tree.lstat(at.folder.join(at.base))
		return explainFile(at.name, at.folder.tree.path, orMissing(err))
	}
	content, size, err := s.readHead(at.folder, e)
	if err != nil {
		return explainFile(at.name, at.folder.tree.path, err)
	}
	k, err := s.identify(s.Context, content)
	sh, _ := shapeOf(at.base, at.folder.hasRoot)
	isNamed := item.Artifact != "" || item.Digest != ""
	switch {
	case formats.ReasonOf(err) == formats.ReasonSecretKey:
		return explainSecret(at.name, err)
	case size > formats.MaxSignatureSize:
		return errLarge(at.name)
	case k == other:
		return formats.NewError(formats.ReasonNoSignature, show(at.name)+" is a public key", "name the signature; keys go to the column keys")
	case k == unknown && (len(content) == 0 || len(content) > maxRaw) && r.Format == "":
		return explainUnknown(at.name, err)
	case k == holding && sh.tuf && len(item.Keys) == 0:
		item.Keys = at.folder.tufKeys(at.base)
	}
	switch {
	case isNamed || k == holding && sh.base == "":
		return nil
	case sh.base != "":
		s.pairBase(at.folder, e, sh, item, k)
		return item.Problem
	case k == either && s.isAttached(at.folder, e):
		return nil
	}
	return formats.NewError(formats.ReasonMissingArtifact, show(at.name)+" has neither artifact nor digest", "name one of them in the manifest")
}

func orMissing(err error) error {
	if err == nil {
		return fs.ErrNotExist
	}
	return err
}

// attachRowList is attachList, with the folder that the list is in.
func attachRowList(t *tree, at place, r row, item *Item) {
	if at.url || item.Digest != "" {
		return
	}
	f := at.folder
	if r.Artifact != "" {
		artifact, problem := t.locate(r.Artifact)
		if problem != nil || artifact.url {
			return
		}
		f = artifact.folder
	}
	attachList(f, item)
}

// locateFile is locate for what has to be there, if it is a file.
func (t *tree) locateFile(text string) (place, *formats.Error) {
	at, problem := t.locate(text)
	if problem != nil || at.url {
		return at, problem
	}
	e, ok := at.folder.find(at.base)
	if !ok {
		_, err := t.lstat(at.folder.join(at.base))
		return at, explainFile(at.name, t.path, orMissing(err))
	}
	if err := at.folder.checkRegular(e); err != nil {
		return at, explainFile(at.name, t.path, err)
	}
	return at, nil
}

// locate finds out what a path or URL of a manifest means.
func (t *tree) locate(text string) (place, *formats.Error) {
	switch {
	case text == "":
		return place{}, formats.NewError(ReasonMalformedManifest, "no signature is named", "give each row a signature")
	case strings.Contains(text, "://"):
		return locateURL(text)
	case strings.ContainsRune(text, 0):
		return place{}, formats.NewError(ReasonMalformedManifest, fmt.Sprintf("%q is no name", text), "write the file's name")
	}
	name, err := t.relative(text)
	if err != nil {
		return place{}, explainFile(text, t.path, err)
	}
	shown, err := t.nameOf(name)
	if err != nil {
		return place{}, explainFile(text, t.path, err)
	}
	f := &folder{tree: t, name: path.Dir(name)}
	return place{path: t.join(name), name: shown, folder: f, base: path.Base(name)}, nil
}

// relative returns the name in the tree of a path, which may be absolute.
func (t *tree) relative(text string) (string, error) {
	name := filepath.Clean(text)
	if filepath.IsAbs(name) {
		dir, err := filepath.Abs(t.path)
		if err != nil {
			return "", err
		}
		if rel, err := filepath.Rel(dir, name); err == nil && filepath.IsLocal(rel) {
			name = rel
		}
	}
	if t.root != nil && !filepath.IsLocal(name) {
		return "", &fs.PathError{Op: "open", Path: text, Err: errEscape}
	}
	return filepath.ToSlash(name), nil
}

var errEscape = errors.New("path escapes from parent") // as os.Root says it

// safeName returns a name that stays below the folder that is put before it.
func safeName(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// nameOf returns the name in reports of one in the tree; of one outside of it, the whole path.
func (t *tree) nameOf(name string) (string, error) {
	if filepath.IsLocal(filepath.FromSlash(name)) {
		return name, nil
	}
	whole, err := filepath.Abs(t.join(name))
	return safeName(filepath.ToSlash(strings.TrimPrefix(whole, filepath.VolumeName(whole)))), err
}

// locateURL takes what can be fetched. The name is host and path.
func locateURL(text string) (place, *formats.Error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return place{}, formats.NewError(ReasonMalformedManifest, "there is a URL that cannot be fetched", "write a path, or a URL that begins with https:// and has no password in it")
	}
	if hasDots(u) {
		return place{}, formats.NewError(ReasonMalformedManifest, "there is a URL with . or .. between its slashes, as they are or as %2e", "write the URL that those lead to")
	}
	return place{url: true, path: text, name: safeName(u.Host + "/" + u.Path)}, nil
}

// hasDots reports whether a URL has elements that lead up: what is named after it would be called like another host's file.
func hasDots(u *url.URL) bool {
	return slices.ContainsFunc(strings.Split(u.Host+"/"+u.Path, "/"), func(e string) bool { return e == "." || e == ".." })
}
