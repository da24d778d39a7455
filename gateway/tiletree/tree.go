// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"

	"golang.org/x/mod/sumdb/tlog"
)

// TileHeight is that of hash tiles: a whole one has 256 hashes.
const TileHeight = 8

// HashSize is the size of a hash in a tile, in bytes.
const HashSize = tlog.HashSize

// maxSize bounds the records of a tree: hashes are numbered in 63 bits, two for each record.
const maxSize = math.MaxInt64 / 4

// ErrTiles: the tiles that were kept are not those of the tree. Nothing was made of them.
var ErrTiles = errors.New("the tiles are not those of the tree")

// Tree is a state of the log.
type Tree struct {
	Size uint64 // records
	Root [HashSize]byte
}

// Tile is where hashes are: at which level, the how many-eth there, and how many, from 1 to 256.
type Tile struct {
	Level uint8
	Index uint64
	Width int
}

// TileData is a tile with its hashes, one after the other.
type TileData struct {
	Tile
	Hashes []byte
}

// ReadTiles reads tiles of a tree, each with Width hashes, in the order that they are asked for in. One that is kept wider may be
// cut to them. They are kept as they are: who returns them does not change them any more.
type ReadTiles func([]Tile) ([][]byte, error)

// EmptyTree is the tree of a log without records.
func EmptyTree() Tree { return Tree{Root: sha256.Sum256(nil)} }

// AppendRecords returns the tree with further records, given by the hashes of their leaves (RFC 6962, section 2.1), and the tiles
// that are new or wider then. Narrower ones of the same place are not needed any more. Errors: ErrTiles where what read returns
// is not of old, and those of read.
func AppendRecords(old Tree, leaves [][HashSize]byte, read ReadTiles) (Tree, []TileData, error) {
	if old.Size > maxSize || uint64(len(leaves)) > maxSize-old.Size {
		return Tree{}, nil, fmt.Errorf("appending to the tree: %d and %d records are too many", old.Size, len(leaves))
	}
	hashes := newGrowing(old, read)
	size := int64(old.Size)
	for _, leaf := range leaves {
		stored, err := tlog.StoredHashesForRecordHash(size, tlog.Hash(leaf), hashes)
		if err != nil {
			return Tree{}, nil, fmt.Errorf("appending to the tree: %w", err)
		}
		hashes.added = append(hashes.added, stored...)
		size++
	}
	root, err := tlog.TreeHash(size, hashes)
	if err != nil {
		return Tree{}, nil, fmt.Errorf("appending to the tree: %w", err)
	}
	tiles, err := hashes.listTiles(int64(old.Size), size)
	if err != nil {
		return Tree{}, nil, fmt.Errorf("appending to the tree: %w", err)
	}
	return Tree{Size: uint64(size), Root: [HashSize]byte(root)}, tiles, nil
}

// ProveConsistency returns the proof that t goes on from its state with so many records (RFC 6962, section 2.1.2). Errors are as
// AppendRecords'.
func ProveConsistency(t Tree, size uint64, read ReadTiles) ([][HashSize]byte, error) {
	switch {
	case size > t.Size || t.Size > maxSize:
		return nil, fmt.Errorf("proving that the tree has only grown: there are no %d records of %d", size, t.Size)
	case size == 0:
		return nil, nil
	}
	proof, err := tlog.ProveTree(int64(t.Size), int64(size), newGrowing(t, read))
	if err != nil {
		return nil, fmt.Errorf("proving that the tree has only grown: %w", err)
	}
	return convertProof(proof), nil
}

func convertProof(proof []tlog.Hash) [][HashSize]byte {
	out := make([][HashSize]byte, len(proof))
	for i, h := range proof {
		out[i] = h
	}
	return out
}
