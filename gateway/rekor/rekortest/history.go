// SPDX-License-Identifier: Apache-2.0

package rekortest

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
)

// history is a log's entries with their Merkle tree. Nodes are computed when asked for, which
// is fast enough for a test's few thousand entries.
type history struct {
	bodies [][]byte
	leaves [][]byte
}

func (h *history) appendBody(body []byte) uint64 {
	h.bodies = append(h.bodies, body)
	h.leaves = append(h.leaves, rfc6962.DefaultHasher.HashLeaf(body))
	return uint64(len(h.bodies)) - 1
}

func (h *history) cloneHistory() *history {
	return &history{bodies: slices.Clone(h.bodies), leaves: slices.Clone(h.leaves)}
}

// replaceBody changes an entry that is logged already, which no honest log does.
func (h *history) replaceBody(index uint64, body []byte) {
	h.bodies[index], h.leaves[index] = body, rfc6962.DefaultHasher.HashLeaf(body)
}

// computeRoot returns the root hash of the first size entries.
func (h *history) computeRoot(size uint64) []byte {
	return rangeRoot(h.leaves[:size])
}

func rangeRoot(leaves [][]byte) []byte {
	if len(leaves) == 0 {
		return rfc6962.DefaultHasher.EmptyRoot()
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := factory.NewEmptyRange(0)
	for _, leaf := range leaves {
		must(r.Append(leaf, nil))
	}
	root, err := r.GetRootHash(nil)
	must(err)
	return root
}

// proveInclusion returns the inclusion proof of index in the tree of the first size entries.
func (h *history) proveInclusion(index, size uint64) [][]byte {
	tile := func(_ context.Context, level, index uint64, partial uint8) ([]byte, error) {
		return h.encodeTile(level, index, partial)
	}
	builder, err := client.NewProofBuilder(context.Background(), size, tile)
	must(err)
	hashes, err := builder.InclusionProof(context.Background(), index)
	must(err)
	return hashes
}

var errNoTile = errors.New("no such tile")

// encodeTile returns a tile's content; partial is its width, 0 when full.
func (h *history) encodeTile(level, index uint64, partial uint8) ([]byte, error) {
	span := uint64(1) << (level * layout.TileHeight) // entries below each node
	nodes := uint64(len(h.leaves)) / span
	first := index * layout.TileWidth
	if first+tileWidth(partial) > nodes {
		return nil, errNoTile
	}
	var tile api.HashTile
	for node := first; node < first+tileWidth(partial); node++ {
		tile.Nodes = append(tile.Nodes, rangeRoot(h.leaves[node*span:(node+1)*span]))
	}
	return tile.MarshalText()
}

// encodeBundle returns an entry bundle's content.
func (h *history) encodeBundle(index uint64, partial uint8) ([]byte, error) {
	first := index * layout.EntryBundleWidth
	if first+tileWidth(partial) > uint64(len(h.bodies)) {
		return nil, errNoTile
	}
	var raw []byte
	for _, body := range h.bodies[first : first+tileWidth(partial)] {
		raw = binary.BigEndian.AppendUint16(raw, uint16(len(body)))
		raw = append(raw, body...)
	}
	return raw, nil
}

func tileWidth(partial uint8) uint64 {
	if partial == 0 {
		return layout.TileWidth
	}
	return uint64(partial)
}

// must is for what fails only when this package is wrong.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
