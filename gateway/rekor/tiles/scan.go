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

// readBundles reads bundles in order, and ends early once all leaves are found. A leaf that was found may
// stand again in what is left.
func (s *scan) readBundles(ctx context.Context, from uint64) error {
	if from >= s.to || len(s.wanted) == 0 {
		return nil
	}
	size := s.tree.cp.Size
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	treeSize := func(context.Context) (uint64, error) { return size, nil }
	next := from / layout.EntryBundleWidth
	for b, err := range client.EntryBundles(ctx, scanWorkers, treeSize, s.tree.reader.Bundle, from, s.to-from) {
		if err != nil {
			return err
		}
		if err := s.searchBundle(ctx, b); err != nil {
			return fmt.Errorf("bundle %d: %w", b.RangeInfo.Index, err)
		}
		next++
		s.AbsentTo = min(next*layout.EntryBundleWidth, s.to)
		if len(s.wanted) == 0 || s.AbsentTo == s.to { // the iterator itself may go on past to
			return nil
		}
	}
	if s.AbsentTo < s.to {
		return fmt.Errorf("%w: bundles end at index %d, before %d", gateway.ErrUnavailable, s.AbsentTo, s.to)
	}
	return nil
}

// searchBundle authenticates a bundle and takes the wanted entries out of it.
func (s *scan) searchBundle(ctx context.Context, b client.Bundle) error {
	entries, err := splitBundle(b)
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	leaves := make([]gateway.LeafHash, len(entries))
	for i, entry := range entries {
		leaves[i] = LeafHash(entry)
	}
	if err := s.tree.authenticateBundle(ctx, b.RangeInfo.Index, leaves); err != nil {
		return err
	}
	first := b.RangeInfo.Index * layout.EntryBundleWidth
	for i := int(b.RangeInfo.First); i < len(entries); i++ {
		index := first + uint64(i)
		if _, again := s.Found[leaves[i]]; again {
			s.Doubled++
		}
		if index >= s.to || !s.wanted[leaves[i]] {
			continue
		}
		hashes, err := s.tree.ProveInclusion(ctx, index, leaves[i])
		if err != nil {
			return err
		}
		s.Found[leaves[i]] = Found{Index: index, Entry: bytes.Clone(entries[i]), Hashes: hashes}
		delete(s.wanted, leaves[i])
	}
	return nil
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
