// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// scanWorkers is how many bundles are read ahead. A bundle is 16 MiB at the worst, and about
// 400 KiB as a rule.
const scanWorkers = 4

// Find implements gateway.Log. Every entry that it read is proven to be in the checkpoint, so
// that absence is as certain as presence. Where a leaf is logged twice, the first counts.
func (l *Log) Find(ctx context.Context, leaves []gateway.LeafHash, from uint64) (found map[gateway.LeafHash]*gateway.Inclusion, err error) {
	defer func(start time.Time) { l.metrics.observe(callFind, start, err) }(time.Now())
	cp, err := l.current(ctx)
	if err != nil {
		return nil, err
	}
	tiles, err := newTree(cp, l.reader)
	if err != nil {
		return nil, err
	}
	s := &scan{log: l, tree: tiles, wanted: map[gateway.LeafHash]bool{}, found: map[gateway.LeafHash]*gateway.Inclusion{}}
	for _, leaf := range leaves {
		s.wanted[leaf] = true
	}
	if err := s.run(ctx, from); err != nil {
		return nil, fmt.Errorf("scanning the log from index %d: %w", from, err)
	}
	return s.found, nil
}

// scan is one pass over the entry bundles of one checkpoint.
type scan struct {
	log    *Log
	tree   *tree
	wanted map[gateway.LeafHash]bool // not yet found
	found  map[gateway.LeafHash]*gateway.Inclusion
}

// run reads bundles in order, and ends early once all leaves are found.
func (s *scan) run(ctx context.Context, from uint64) error {
	size := s.tree.cp.Size
	if from >= size || len(s.wanted) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	treeSize := func(context.Context) (uint64, error) { return size, nil }
	next := from / layout.EntryBundleWidth
	for b, err := range client.EntryBundles(ctx, scanWorkers, treeSize, s.log.reader.bundle, from, size-from) {
		if err != nil {
			return err
		}
		if err := s.bundle(ctx, b); err != nil {
			return fmt.Errorf("bundle %d: %w", b.RangeInfo.Index, err)
		}
		if len(s.wanted) == 0 {
			return nil
		}
		next++
	}
	if next*layout.EntryBundleWidth < size {
		return fmt.Errorf("%w: bundles end before the log's size of %d", gateway.ErrUnavailable, size)
	}
	return nil
}

// bundle authenticates a bundle and takes the wanted entries out of it.
func (s *scan) bundle(ctx context.Context, b client.Bundle) error {
	entries, err := unbundle(b)
	if err != nil {
		return fmt.Errorf("%w: %w", gateway.ErrBadAnswer, err)
	}
	leaves := make([]gateway.LeafHash, len(entries))
	for i, entry := range entries {
		leaves[i] = hashedrekord.LeafHash(entry)
	}
	first := b.RangeInfo.Index * layout.EntryBundleWidth
	if err := s.tree.authenticate(ctx, b.RangeInfo.Index, leaves); err != nil {
		return err
	}
	for i := int(b.RangeInfo.First); i < len(entries); i++ {
		if !s.wanted[leaves[i]] {
			continue
		}
		index := first + uint64(i)
		hashes, err := s.tree.inclusion(ctx, index, leaves[i])
		if err != nil {
			return err
		}
		s.found[leaves[i]] = s.log.newInclusion(s.tree.cp, index, bytes.Clone(entries[i]), hashes)
		delete(s.wanted, leaves[i])
	}
	return nil
}

// unbundle returns all entries that the bundle has at the checkpoint's size; more than those
// are there when the full bundle was read in place of a partial one.
func unbundle(b client.Bundle) ([][]byte, error) {
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

// authenticate puts the bundle's own leaf hashes in the place of its tile and proves one of
// them: its proof is made of all the others, so that none can be wrong or missing.
func (t *tree) authenticate(ctx context.Context, index uint64, leaves []gateway.LeafHash) error {
	tile := make([]byte, 0, len(leaves)*len(gateway.LeafHash{}))
	for _, leaf := range leaves {
		tile = append(tile, leaf[:]...)
	}
	t.tiles.Add(tileAddress{0, index}, tile)
	_, err := t.inclusion(ctx, index*layout.EntryBundleWidth, leaves[0])
	return err
}
