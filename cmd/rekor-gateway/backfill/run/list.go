// SPDX-License-Identifier: Apache-2.0

package run

import (
	"context"
	"io"
	"io/fs"
	"runtime"

	"github.com/rekor-gateway/rekor-gateway/cmd/rekor-gateway/backfill"
	"github.com/rekor-gateway/rekor-gateway/formats"
)

// stampListed is the backfill.Stamp of a list's files.
func stampListed(info fs.FileInfo) []byte { return stampOf(info).encode(nil) }

// listFile returns the file that the list of item is in, and how much of it is read at most.
func listFile(item backfill.Item) (name string, limit int64) {
	if item.List.InSignature {
		return item.Signature, formats.MaxSignatureSize
	}
	return item.Artifact, backfill.MaxList
}

// holdList waits until there is room for the list of item, and what is made of it. No more files of lists are read at once than there are processors: they may
// be large, and the signatures beside them go on meanwhile.
func (b *runner) holdList(ctx context.Context, item backfill.Item) (release func(), err error) {
	name, limit := listFile(item)
	size := min(max(heldPerByte*min(sizeOf(name), limit), maxHeld/int64(runtime.GOMAXPROCS(0))), maxHeld)
	if err := b.lists.Acquire(ctx, size); err != nil {
		return nil, err
	}
	return func() { b.lists.Release(size) }, nil
}

// compareList compares the files of the list that c signs with it, once the signature verifies. It returns nil where there is no list. The error is
// that files are there and are other ones, too.
func (b *runner) compareList(ctx context.Context, c *candidate) (*backfill.Checked, error) {
	if c.item.List == nil {
		return nil, nil
	}
	release, err := b.holdList(ctx, c.item)
	if err != nil {
		return nil, err
	}
	defer release()
	content := c.content
	if !c.item.List.InSignature {
		if content, err = c.readArtifact(ctx, backfill.MaxList); err != nil {
			return nil, err
		}
	}
	settled := b.known != nil // else nothing is remembered
	stamp := func(info fs.FileInfo) []byte {
		settled = settled && b.known.settled.has(stampOf(info))
		return stampListed(info)
	}
	checked, err := c.item.List.Compare(ctx, content, stamp)
	if err == nil {
		checked.Whole = checked.Whole && settled
	}
	if err == nil && checked.Problem != nil {
		err = checked.Problem
	}
	return checked, err
}

// readArtifact returns what was signed, or one byte more than most of it.
func (c *candidate) readArtifact(ctx context.Context, most int64) ([]byte, error) {
	reader, closer, err := c.openBytes(ctx)
	if err != nil || reader == nil {
		return nil, err
	}
	defer closer.Close() //nolint:errcheck // only read
	return io.ReadAll(io.LimitReader(reader, most+1))
}

// lookAtList returns how the files of a list are that was compared before, or nil.
func (b *runner) lookAtList(ctx context.Context, item backfill.Item) *backfill.Checked {
	release, err := b.holdList(ctx, item)
	if err != nil {
		return nil
	}
	defer release()
	name, limit := listFile(item)
	s, err := openSource(ctx, item.Root, name, limit)
	if err != nil {
		return nil
	}
	defer s.close()
	content, err := s.readSome(limit)
	if err != nil {
		return nil
	}
	checked, err := item.List.Look(ctx, content, stampListed)
	if err != nil {
		return nil
	}
	return checked
}
