// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// scanWorkers is how many bundles are read ahead. A bundle is 16 MiB at the worst, and about
// 400 KiB as a rule.
const scanWorkers = 4

// Found is an entry that is proven to be in the tree.
type Found struct {
	Index  uint64
	Entry  []byte   // the entry's bytes
	Hashes [][]byte // the inclusion proof, as ProveInclusion's
}

// Searched is what a search has shown.
type Searched struct {
	Found map[gateway.LeafHash]Found
	// AbsentTo is the index up to which, and without which, the other leaves are proven absent, from
	// where the search began.
	AbsentTo uint64
	// Doubled is how often a leaf was met again after it was found.
	Doubled int
}

// Find looks for leaves at indexes from the first one given up to, and without, to, or the size of the
// tree. Every entry that it read is proven to be in the checkpoint, so that absence is as certain as
// presence. Where a leaf is logged twice, the first counts. Errors are gateway.ErrUnavailable and
// gateway.ErrBadAnswer; what was shown before is returned beside them.
func (t *Tree) Find(ctx context.Context, leaves []gateway.LeafHash, from, to uint64) (Searched, error) {
	to = min(to, t.cp.Size)
	s := &scan{tree: t, to: to, wanted: map[gateway.LeafHash]bool{}, Searched: Searched{Found: map[gateway.LeafHash]Found{}, AbsentTo: from}}
	for _, leaf := range leaves {
		s.wanted[leaf] = true
	}
	if err := s.readBundles(ctx, from); err != nil {
		return s.Searched, fmt.Errorf("scanning the log from index %d: %w", from, err)
	}
	s.AbsentTo = to
	return s.Searched, nil
}

// scan is one pass over the entry bundles of one checkpoint.
type scan struct {
	Searched
	tree   *Tree
	to     uint64
	wanted map[gateway.LeafHash]bool // not yet found
}

// readBundles searches bundles in order, and ends early once all leaves are found. A leaf that was found may
// stand again in what is left.
func (s *scan) readBundles(ctx context.Context, from uint64) error {
	if from >= s.to || len(s.wanted) == 0 {
		return nil
	}
	return s.tree.eachBundle(ctx, from, s.to, func(b bundle) (more bool, err error) {
		err = s.searchBundle(ctx, b)
		if err == nil {
			s.AbsentTo = min(b.first+layout.EntryBundleWidth, s.to)
		}
		return len(s.wanted) > 0, err
	})
}

// bundle is an entry bundle that is proven to be in the tree.
type bundle struct {
	first   uint64 // index of the first entry
	skip    int    // how many of them are before where reading began
	entries [][]byte
	leaves  []gateway.LeafHash
}

// eachBundle calls visit with the bundles that have entries at indexes from one up to, and without, another, in order, until it has had
// enough of them.
func (t *Tree) eachBundle(ctx context.Context, from, to uint64, visit func(bundle) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	treeSize := func(context.Context) (uint64, error) { return t.cp.Size, nil }
	next := from / layout.EntryBundleWidth
	for read, err := range client.EntryBundles(ctx, scanWorkers, treeSize, t.reader.Bundle, from, to-from) {
		if err != nil {
			return err
		}
		b, err := t.openBundle(ctx, read)
		more := false
		if err == nil {
			more, err = visit(b)
		}
		if err != nil {
			return fmt.Errorf("bundle %d: %w", read.RangeInfo.Index, err)
		}
		next++
		if !more || next*layout.EntryBundleWidth >= to { // the iterator itself may go on past to
			return nil
		}
	}
	return fmt.Errorf("%w: bundles end at index %d, before %d", gateway.ErrUnavailable, next*layout.EntryBundleWidth, to)
}

// openBundle authenticates a bundle.
func (t *Tree) openBundle(ctx context.Context, read client.Bundle) (bundle, error) {
	entries, err := splitBundle(read)
	if err != nil {
		return bundle{}, fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	b := bundle{
		first: read.RangeInfo.Index * layout.EntryBundleWidth, skip: int(read.RangeInfo.First), entries: entries, leaves: make([]gateway.LeafHash, len(entries)),
	}
	for i, entry := range entries {
		b.leaves[i] = LeafHash(entry)
	}
	return b, t.authenticateBundle(ctx, read.RangeInfo.Index, b.leaves)
}

// searchBundle takes the wanted entries out of a bundle.
func (s *scan) searchBundle(ctx context.Context, b bundle) error {
	for i := b.skip; i < len(b.entries); i++ {
		index, leaf := b.first+uint64(i), b.leaves[i]
		if _, again := s.Found[leaf]; again {
			s.Doubled++
		}
		if index >= s.to || !s.wanted[leaf] {
			continue
		}
		hashes, err := s.tree.ProveInclusion(ctx, index, leaf)
		if err != nil {
			return err
		}
		s.Found[leaf] = Found{Index: index, Entry: bytes.Clone(b.entries[i]), Hashes: hashes}
		delete(s.wanted, leaf)
	}
	return nil
}

// EachEntry calls f with every entry from an index on, in order, each proven to be in the checkpoint. Errors are f's, gateway.ErrUnavailable
// and gateway.ErrBadAnswer.
func (t *Tree) EachEntry(ctx context.Context, from uint64, f func(index uint64, entry []byte) error) error {
	if from >= t.cp.Size {
		return nil
	}
	return t.eachBundle(ctx, from, t.cp.Size, func(b bundle) (bool, error) {
		for i := b.skip; i < len(b.entries); i++ {
			if err := f(b.first+uint64(i), b.entries[i]); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// splitBundle returns all entries that the bundle has at the checkpoint's size; more than those
// are there when the full bundle was read in place of a partial one.
func splitBundle(b client.Bundle) ([][]byte, error) {
	var bundle api.EntryBundle
	if err := bundle.UnmarshalText(b.Data); err != nil {
		return nil, fmt.Errorf("reading entry bundle: %w", err)
	}
	width := tileWidth(b.RangeInfo.Partial)
	if len(bundle.Entries) < width || len(bundle.Entries) > layout.EntryBundleWidth {
		return nil, errors.New("entry bundle of a wrong width")
	}
	return bundle.Entries[:width], nil
}

// authenticateBundle puts the bundle's own leaf hashes in the place of its tile and proves one
// of them: its proof is made of all the others, so that none can be wrong or missing.
func (t *Tree) authenticateBundle(ctx context.Context, index uint64, leaves []gateway.LeafHash) error {
	tile := make([]byte, 0, len(leaves)*len(gateway.LeafHash{}))
	for _, leaf := range leaves {
		tile = append(tile, leaf[:]...)
	}
	t.tiles.Add(tileAddress{0, index}, tile)
	_, err := t.ProveInclusion(ctx, index*layout.EntryBundleWidth, leaves[0])
	return err
}
