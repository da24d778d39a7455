// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"context"
	"crypto/sha256"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api/layout"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// treeTiles bounds a tree's cache to 512 KiB. A long scan needs few tiles at a time: bundles
// stand in for the lowest level, and one tile of the next covers 65,536 entries.
const treeTiles = 64

// Tree builds proofs (RFC 6962) from the tiles, for one verified checkpoint. What it returns
// leads to that checkpoint's root, however wrong the tiles. It is made for one operation, so
// that wrong tiles are forgotten, and belongs to one goroutine.
type Tree struct {
	cp     *gateway.Checkpoint
	reader *Reader
	tiles  *lru.Cache[tileAddress, []byte]
	failed error // why the last tile could not be had: the proof builder keeps only its text
}

type tileAddress struct{ level, index uint64 }

// NewTree returns the tree of a checkpoint that has been verified; reader gets its tiles.
func NewTree(cp *gateway.Checkpoint, reader *Reader) (*Tree, error) {
	tiles, err := lru.New[tileAddress, []byte](treeTiles)
	if err != nil {
		return nil, fmt.Errorf("making tile cache: %w", err)
	}
	return &Tree{cp: cp, reader: reader, tiles: tiles}, nil
}

// LeafHash is the hash of a log entry in the tree: RFC 6962, SHA-256(0x00 ‖ entry).
func LeafHash(entry []byte) gateway.LeafHash {
	return gateway.LeafHash(rfc6962.DefaultHasher.HashLeaf(entry))
}

// fetchTile is a client.TileFetcherFunc. It asks for the tile's width at the checkpoint's size,
// whatever size the proof is for: narrower partial tiles may be gone.
func (t *Tree) fetchTile(ctx context.Context, level, index uint64, _ uint8) ([]byte, error) {
	addr := tileAddress{level, index}
	if raw, ok := t.tiles.Get(addr); ok {
		return raw, nil
	}
	raw, err := t.reader.Tile(ctx, level, index, layout.PartialTileSize(level, index, t.cp.Size))
	if err != nil {
		t.failed = err
		return nil, err
	}
	t.tiles.Add(addr, raw)
	return raw, nil
}

// tileWidth returns how many nodes or entries a tile or bundle has; a full one has partial 0.
func tileWidth(partial uint8) int {
	if partial == 0 {
		return layout.TileWidth
	}
	return int(partial)
}

// proofError turns a proof builder's error into ours: that of the tile it could not get, or else
// tiles that make no proof.
func (t *Tree) proofError(err error) error {
	if t.failed != nil {
		return t.failed
	}
	return fmt.Errorf("%w: building proof: %w", gateway.ErrBadAnswer, err)
}

// ProveInclusion returns the hashes of a proof that leaf is at index, verified: each of 32
// bytes, from the leaf up. Errors are gateway.ErrUnavailable and gateway.ErrBadAnswer.
func (t *Tree) ProveInclusion(ctx context.Context, index uint64, leaf gateway.LeafHash) ([][]byte, error) {
	builder, err := client.NewProofBuilder(ctx, t.cp.Size, t.fetchTile)
	if err != nil {
		return nil, t.proofError(err)
	}
	hashes, err := builder.InclusionProof(ctx, index)
	if err != nil {
		return nil, t.proofError(err)
	}
	if err := VerifyInclusion(t.cp, index, leaf, hashes); err != nil {
		return nil, err
	}
	return hashes, nil
}

// VerifyInclusion checks a proof (RFC 6962) that leaf is at index in the tree of cp. Its error
// is gateway.ErrBadAnswer.
func VerifyInclusion(cp *gateway.Checkpoint, index uint64, leaf gateway.LeafHash, hashes [][]byte) error {
	if err := proof.VerifyInclusion(hasher{rfc6962.DefaultHasher}, index, cp.Size, leaf[:], hashes, cp.Root[:]); err != nil {
		return fmt.Errorf("%w: verifying inclusion at index %d: %w", gateway.ErrBadAnswer, index, err)
	}
	return nil
}

// hasher is the one of RFC 6962, without what that allocates for each hash of a proof beside the hash: a proof of each entry is checked.
type hasher struct{ *rfc6962.Hasher }

// HashChildren implements merkle.LogHasher. What a proof has that is no hash, the library takes as it comes.
func (h hasher) HashChildren(l, r []byte) []byte {
	if len(l) != tlog.HashSize || len(r) != tlog.HashSize {
		return h.Hasher.HashChildren(l, r)
	}
	node := tlog.NodeHash(tlog.Hash(l), tlog.Hash(r))
	return node[:]
}

// ProvePrefix implements Source.
func (r *Reader) ProvePrefix(ctx context.Context, small, large *gateway.Checkpoint) (root [sha256.Size]byte, hashes [][]byte, err error) {
	tree, err := NewTree(large, r)
	if err != nil {
		return root, nil, err
	}
	return tree.ProvePrefix(ctx, small.Size)
}

// ProvePrefix returns the root that the checkpoint's tree had at a smaller size, above zero,
// and the hashes that prove it: an RFC 6962 consistency proof from it to the checkpoint's
// root, verified. The tiles only propose the root. So it differs from another checkpoint's
// root only if the log signed two histories. Errors are gateway.ErrUnavailable and
// gateway.ErrBadAnswer.
func (t *Tree) ProvePrefix(ctx context.Context, size uint64) (root [sha256.Size]byte, hashes [][]byte, err error) {
	proposed, err := t.proposePrefix(ctx, size)
	if err != nil {
		return root, nil, t.proofError(err)
	}
	builder, err := client.NewProofBuilder(ctx, t.cp.Size, t.fetchTile)
	if err != nil {
		return root, nil, t.proofError(err)
	}
	hashes, err = builder.ConsistencyProof(ctx, size, t.cp.Size)
	if err != nil {
		return root, nil, t.proofError(err)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, t.cp.Size, hashes, proposed, t.cp.Root[:]); err != nil {
		return root, nil, fmt.Errorf("%w: tiles do not lead to the checkpoint of size %d: %w", gateway.ErrBadAnswer, t.cp.Size, err)
	}
	return [sha256.Size]byte(proposed), hashes, nil
}

// proposePrefix computes the root at a smaller size from the tiles alone.
func (t *Tree) proposePrefix(ctx context.Context, size uint64) ([]byte, error) {
	nodes, err := client.FetchRangeNodes(ctx, size, t.fetchTile)
	if err != nil {
		return nil, err
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	prefix, err := factory.NewRange(0, size, nodes)
	if err != nil {
		return nil, err
	}
	return prefix.GetRootHash(nil)
}
