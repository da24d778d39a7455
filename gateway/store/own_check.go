// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// ErrUnsound: what is stored of an own log does not agree with itself.
var ErrUnsound = errors.New("own log is not sound")

// checkedAtOnce bounds the records that are held at once.
const checkedAtOnce = 16 * TileWidth

// OwnTree is what is stored of an own log's tree, as one transaction reads it.
type OwnTree struct {
	Log gateway.OwnLog
	// Leaves returns the leaf hashes of the records from an index on, at most n: fewer where one is missing, or is of no entry of the log.
	Leaves func(from uint64, n int) ([]gateway.LeafHash, error)
	Tiles  tiletree.ReadTiles
	// NextAnchor returns the smallest anchor that is larger than a size; of size 0 where there is none.
	NextAnchor func(size uint64) (gateway.OwnAnchor, error)
	// CountTiles returns how many tiles are kept, and how many hashes are in them.
	CountTiles func() (tiles, hashes uint64, err error)
}

// Check builds the tree anew of the leaves, a few at a time, and compares it with all tiles, anchors, and the root. The error is
// ErrUnsound where they differ.
func (o OwnTree) Check() error {
	tree := tiletree.EmptyTree()
	for tree.Size < o.Log.Tree.Size {
		var err error
		if tree, err = o.checkNext(tree); err != nil {
			return err
		}
	}
	if tree != o.Log.Tree {
		return fmt.Errorf("%w: its root is not that of its %d records", ErrUnsound, tree.Size)
	}
	anchor, err := o.NextAnchor(tree.Size)
	if err == nil && anchor.Size > 0 {
		err = fmt.Errorf("%w: %d records are anchored, it has %d", ErrUnsound, anchor.Size, tree.Size)
	}
	if err != nil {
		return err
	}
	return o.checkCount()
}

// checkNext checks the records that follow, up to the next anchor at most, and returns the tree with them.
func (o OwnTree) checkNext(tree tiletree.Tree) (tiletree.Tree, error) {
	anchor, err := o.NextAnchor(tree.Size)
	if err != nil {
		return tiletree.Tree{}, err
	}
	end := min(o.Log.Tree.Size, tree.Size+checkedAtOnce)
	if anchor.Size > tree.Size {
		end = min(end, anchor.Size)
	}
	leaves, err := o.readLeaves(tree.Size, end)
	if err != nil {
		return tiletree.Tree{}, err
	}
	next, tiles, err := tiletree.AppendRecords(tree, leaves, o.Tiles)
	if err != nil {
		return tiletree.Tree{}, explainTiles(err)
	}
	if anchor.Size == next.Size && anchor.Root != next.Root {
		return tiletree.Tree{}, fmt.Errorf("%w: the anchor of %d records has another root", ErrUnsound, next.Size)
	}
	return next, o.compareTiles(tiles)
}

func (o OwnTree) readLeaves(from, end uint64) ([][tiletree.HashSize]byte, error) {
	read, err := o.Leaves(from, int(end-from))
	if err == nil && uint64(len(read)) != end-from {
		err = fmt.Errorf("%w: record %d is not there", ErrUnsound, from+uint64(len(read)))
	}
	leaves := make([][tiletree.HashSize]byte, len(read))
	for i, leaf := range read {
		leaves[i] = leaf
	}
	return leaves, err
}

// compareTiles compares tiles with those that are kept.
func (o OwnTree) compareTiles(tiles []tiletree.TileData) error {
	for _, want := range tiles {
		got, err := o.Tiles([]tiletree.Tile{want.Tile})
		if err != nil {
			return explainTiles(err)
		}
		if len(got) != 1 || !bytes.Equal(got[0], want.Hashes) {
			return fmt.Errorf("%w: tile %d/%d has other hashes than its records", ErrUnsound, want.Level, want.Index)
		}
	}
	return nil
}

// checkCount checks that there are no tiles, or hashes in them, that the tree has not.
func (o OwnTree) checkCount() error {
	tiles, hashes, err := o.CountTiles()
	if err != nil {
		return err
	}
	var wantTiles, wantHashes uint64
	for n := o.Log.Tree.Size; n > 0; n /= TileWidth {
		wantTiles, wantHashes = wantTiles+(n+TileWidth-1)/TileWidth, wantHashes+n
	}
	if tiles != wantTiles || hashes != wantHashes {
		return fmt.Errorf("%w: %d hashes are in %d tiles, and should be %d in %d", ErrUnsound, hashes, tiles, wantHashes, wantTiles)
	}
	return nil
}

// explainTiles makes ErrUnsound of what is said of tiles that are not those of the tree.
func explainTiles(err error) error {
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		return fmt.Errorf("%w: a tile is missing, or too narrow", ErrUnsound)
	case errors.Is(err, tiletree.ErrTiles):
		return fmt.Errorf("%w: %w", ErrUnsound, err)
	}
	return err
}
