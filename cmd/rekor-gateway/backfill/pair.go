// SPDX-License-Identifier: Apache-2.0

package backfill

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/rekor-gateway/rekor-gateway/formats"
	"github.com/rekor-gateway/rekor-gateway/formats/container"
)

const (
	hintPair  = "put it there, or name it in a manifest"
	hintThere = "put the signature there as it was published, " + hintExclude
)

// pair returns the item of a file whose name has the shape sh, and false when it is no signature.
func (s *scanner) pair(f *folder, e entry, sh shape) (Item, bool) {
	item := Item{Signature: f.path(e.name), Name: f.join(e.name)}
	content, size, err := s.readHead(f, e)
	if err != nil {
		item.Problem = explainFile(item.Name, f.tree.path, err)
		return item, true
	}
	item.Size = size
	k, err := s.identify(s.Context, content)
	if k > other && size > formats.MaxSignatureSize {
		item.Problem = errLarge(item.Name)
		return item, true
	}
	if formats.ReasonOf(err) == formats.ReasonSecretKey {
		item.Problem = explainSecret(item.Name, err)
		return item, true
	}
	if k == unknown && sh.base != "" && isSignedMessage(content) {
		item.Problem = errSignedMessage(item.Name)
		return item, true
	}
	if sh.base == "" {
		return s.pairHolding(f, e, sh, item, k)
	}
	if k == unknown {
		return s.pairUnknown(f, sh, item, content, err)
	}
	if k != other {
		s.pairBase(f, e, sh, &item, k)
	}
	return item, k != other
}

// pairHolding is for a file whose name is of one that holds its content.
func (s *scanner) pairHolding(f *folder, e entry, sh shape, item Item, k kind) (Item, bool) {
	if k == holding && sh.tuf {
		item.Keys = f.tufKeys(e.name)
	}
	if k != holding && sh.sure {
		item.Problem = formats.NewError(formats.ReasonNoSignature, show(item.Name)+" is not signed", hintThere)
		return item, true
	}
	return item, k == holding
}

// pairUnknown is for what no format recognises. It is no signature, unless its name or what stands beside it says so.
func (s *scanner) pairUnknown(f *folder, sh shape, item Item, content []byte, err error) (Item, bool) {
	base := f.findBase(item.Name, sh)
	isRaw := sh.raw && len(content) > 0 && len(content) <= maxRaw && formats.ReasonOf(err) == formats.ReasonUnknownFormat
	switch {
	case !sh.sure && !base.there:
		return item, false
	case isRaw:
		item.Artifact, item.Decompress, item.Problem = base.artifact, base.decompress, base.problem
	default:
		item.Problem = explainUnknown(item.Name, err)
	}
	return item, true
}

// explainUnknown says why a file that should be a signature is none.
func explainUnknown(name string, err error) *formats.Error {
	var refusal *formats.Error
	switch {
	case errors.As(err, &refusal) && refusal.Reason == formats.ReasonMissingSignature:
		return formats.NewError(refusal.Reason, show(name)+" is empty", hintThere)
	case refusal == nil || refusal.Reason == formats.ReasonUnknownFormat:
		return formats.NewError(formats.ReasonUnknownFormat, show(name)+" is a signature in no format that is known", hintThere)
	}
	return formats.WrapError(err, refusal.Reason, show(name)+": "+refusal.Message, refusal.Hint)
}

// pairBase is for a signature that is over what stands beside it, or may be.
func (s *scanner) pairBase(f *folder, e entry, sh shape, item *Item, k kind) {
	base := f.findBase(item.Name, sh)
	isInside := k == holding || k == either && !base.there && s.isAttached(f, e)
	if isInside && base.problem != nil && !base.there {
		return
	}
	item.Artifact, item.Decompress, item.Problem = base.artifact, base.decompress, base.problem
}

// base is what a signature is over, as far as names tell.
type base struct {
	there      bool // there is something of that name
	artifact   string
	decompress bool
	problem    *formats.Error // not nil: it cannot be used
}

// findBase looks beside the signature for what it is over, which may be compressed.
func (f *folder) findBase(signature string, sh shape) base {
	for _, name := range append([]string{sh.base}, sh.also...) {
		if e, ok := f.find(name); ok && !e.mode.IsDir() {
			return f.useBase(e, false)
		}
	}
	for _, c := range inner {
		name := compressedName(sh.base, c.text, c.of)
		e, ok := entry{}, false
		if name != "" {
			e, ok = f.find(name)
		}
		switch {
		case !ok || e.mode.IsDir():
		case !c.can:
			return base{there: true, problem: formats.NewError(container.ReasonUnknownContainer,
				show(f.join(sh.base))+" is there as "+show(name)+" alone, which the gateway does not decompress", "decompress it beside the signature")}
		default:
			return f.useBase(e, true)
		}
	}
	return base{problem: formats.NewError(formats.ReasonMissingArtifact, show(signature)+" has no "+show(sh.base)+" beside it", hintPair)}
}

// useBase follows a link to the artifact, and refuses what is no file.
func (f *folder) useBase(e entry, decompress bool) base {
	b := base{there: true, decompress: decompress}
	if err := f.checkRegular(e); err != nil {
		b.decompress, b.problem = false, explainFile(f.join(e.name), f.tree.path, err)
		return b
	}
	b.artifact = f.path(e.name)
	return b
}

// checkRegular looks at what a name is, and where it is a link, at what that leads to.
func (f *folder) checkRegular(e entry) error {
	mode := e.mode
	if mode&fs.ModeSymlink != 0 {
		info, err := f.tree.stat(f.join(e.name))
		if err != nil {
			return err
		}
		mode = info.Mode()
	}
	if !mode.IsRegular() {
		return &notRegularError{mode}
	}
	return nil
}

// readHead returns the first maxHead octets of a file, until the next call, and the file's size.
func (s *scanner) readHead(f *folder, e entry) (content []byte, size int64, err error) {
	at := time.Now()
	n, info, err := s.read(f, e, s.head)
	if err != nil {
		return nil, 0, err
	}
	s.last = Read{s.head[:n], info, at}
	return s.last.Content, info.Size(), nil
}

// read fills buf with a file's start, and returns how much there was, and what the file was before.
func (s *scanner) read(f *folder, e entry, buf []byte) (n int, before fs.FileInfo, err error) {
	file, before, err := f.open(e)
	if err != nil {
		return 0, nil, err
	}
	defer file.Close() //nolint:errcheck // only read
	want := min(before.Size(), int64(len(buf)))
	n, err = readExpected(file, buf, int(want))
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, nil, err
	}
	if int64(n) != want {
		return 0, nil, errChanged
	}
	return n, before, checkUnchanged(file, before)
}

// readExpected reads what a file should have, or, where buf has room, some of what it has more: without asking for the end, which its size tells.
func readExpected(file io.Reader, buf []byte, want int) (n int, err error) {
	return io.ReadAtLeast(file, buf[:min(want+1, len(buf))], max(want, 1))
}

// readAll returns all of a file that is no larger than a signature may be.
func (s *scanner) readAll(f *folder, e entry) ([]byte, error) {
	info, err := f.tree.stat(f.join(e.name))
	if err != nil {
		return nil, err
	}
	if info.Size() > formats.MaxSignatureSize {
		return nil, errLarge(f.join(e.name))
	}
	buf := make([]byte, info.Size()+1)
	n, _, err := s.read(f, e, buf)
	return buf[:n], err
}

func errLarge(name string) *formats.Error {
	return formats.NewError(formats.ReasonTooLarge, fmt.Sprintf("%s is larger than the %d bytes that a signature may have", show(name), formats.MaxSignatureSize),
		"a detached signature is small: name it and the file in a manifest, "+hintExclude)
}

// isAttached reports whether a signature holds its content. Of one that cannot be read without its keys, it is not known.
func (s *scanner) isAttached(f *folder, e entry) bool {
	signature, err := s.readAll(f, e)
	if err != nil {
		return false
	}
	parsed, err := s.registry.Parse(formats.EnsureWork(s.Context), "", signature, nil,
		formats.Policy{Now: time.Now(), Historical: formats.AllowAll(true), KnownOnly: true})
	return err != nil || parsed.Describe().Need == formats.NeedNone
}
