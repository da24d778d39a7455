// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"cmp"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// growing are the hashes of a tree by their storage index (tlog.StoredHashIndex): those of kept tiles, which are checked against
// the tree's root as they are read, and those that were added. It implements tlog.HashReader.
type growing struct {
	tiles *keptTiles
	kept  tlog.HashReader
	end   int64 // the index that the first added hash has
	added []tlog.Hash
}

func newGrowing(t Tree, read ReadTiles) *growing {
	size, tiles := int64(t.Size), &keptTiles{read: read, known: make(map[tlog.Tile][]byte)}
	return &growing{tiles: tiles, kept: tlog.TileHashReader(tlog.Tree{N: size, Hash: tlog.Hash(t.Root)}, tiles), end: tlog.StoredHashCount(size)}
}

// ReadHashes implements tlog.HashReader.
func (g *growing) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	var old, places []int64
	for i, index := range indexes {
		if index < g.end {
			old, places = append(old, index), append(places, int64(i))
			continue
		}
		if index-g.end >= int64(len(g.added)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		out[i] = g.added[index-g.end]
	}
	if len(old) == 0 {
		return out, nil
	}
	hashes, err := g.kept.ReadHashes(old)
	if err != nil {
		return nil, cmp.Or(g.tiles.failure, fmt.Errorf("%w: %w", ErrTiles, err))
	}
	for i, place := range places {
		out[place] = hashes[i]
	}
	return out, nil
}

// listTiles returns the tiles in which a tree of a new size differs from one of an old size.
func (g *growing) listTiles(old, size int64) ([]TileData, error) {
	var tiles []TileData
	for _, t := range tlog.NewTiles(TileHeight, old, size) {
		data, err := tlog.ReadTileData(t, g)
		if err != nil {
			return nil, err
		}
		tiles = append(tiles, TileData{convertTile(t), data})
	}
	return tiles, nil
}

func convertTile(t tlog.Tile) Tile { return Tile{Level: uint8(t.L), Index: uint64(t.N), Width: t.W} }

// keptTiles reads each tile once. It implements tlog.TileReader.
type keptTiles struct {
	read    ReadTiles
	known   map[tlog.Tile][]byte
	failure error                   // of read
	confirm func(tlog.Tile, []byte) // is called with each that is one of the tree; nil: nothing is
}

// Height implements tlog.TileReader.
func (*keptTiles) Height() int { return TileHeight }

// ReadTiles implements tlog.TileReader.
func (k *keptTiles) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var missing []tlog.Tile
	var asked []Tile
	for _, t := range tiles {
		if _, ok := k.known[t]; !ok {
			missing, asked = append(missing, t), append(asked, convertTile(t))
		}
	}
	if len(missing) > 0 {
		read, err := k.read(asked)
		if k.failure = err; err != nil {
			return nil, err
		}
		if len(read) != len(missing) {
			return nil, fmt.Errorf("%d tiles were read, not %d", len(read), len(missing))
		}
		for i, t := range missing { // their sizes are checked by who asks
			k.known[t] = read[i]
		}
	}
	out := make([][]byte, len(tiles))
	for i, t := range tiles {
		out[i] = k.known[t]
	}
	return out, nil
}

// SaveTiles implements tlog.TileReader: these tiles have been checked.
func (k *keptTiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {
	for i, t := range tiles {
		if k.confirm != nil {
			k.confirm(t, data[i])
		}
	}
}
