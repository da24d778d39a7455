// SPDX-License-Identifier: Apache-2.0

package rekorv2

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

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// treeTiles bounds a tree's cache to 512 KiB. A long scan needs few tiles at a time: bundles
// stand in for the lowest level, and one tile of the next covers 65,536 entries.
const treeTiles = 64

// tree builds proofs from the tiles, for one verified checkpoint. What it returns leads to that
// checkpoint's root, however wrong the tiles. It lives for one operation, so that wrong tiles
// are forgotten, and is not safe for concurrent use.
type tree struct {
	cp     *gateway.Checkpoint
	reader *reader
	tiles  *lru.Cache[tileAddress, []byte]
	failed error // why the last tile could not be had: the proof builder keeps only its text
}

type tileAddress struct{ level, index uint64 }

func newTree(cp *gateway.Checkpoint, r *reader) (*tree, error) {
	tiles, err := lru.New[tileAddress, []byte](treeTiles)
	if err != nil {
		return nil, fmt.Errorf("making tile cache: %w", err)
	}
	return &tree{cp: cp, reader: r, tiles: tiles}, nil
}

// fetch is a client.TileFetcherFunc. It asks for the tile's width at the checkpoint's size,
// whatever size the proof is for: narrower partial tiles may be gone.
func (t *tree) fetch(ctx context.Context, level, index uint64, _ uint8) ([]byte, error) {
	addr := tileAddress{level, index}
	if raw, ok := t.tiles.Get(addr); ok {
		return raw, nil
	}
	raw, err := t.reader.tile(ctx, level, index, layout.PartialTileSize(level, index, t.cp.Size))
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

// failure turns a proof builder's error into ours: that of the tile it could not get, or else
// tiles that make no proof.
func (t *tree) failure(err error) error {
	if t.failed != nil {
		return t.failed
	}
	return fmt.Errorf("%w: building proof: %w", gateway.ErrBadAnswer, err)
}

// inclusion returns a proof that leaf is at index, verified.
func (t *tree) inclusion(ctx context.Context, index uint64, leaf gateway.LeafHash) ([][]byte, error) {
	builder, err := client.NewProofBuilder(ctx, t.cp.Size, t.fetch)
	if err != nil {
		return nil, t.failure(err)
	}
	hashes, err := builder.InclusionProof(ctx, index)
	if err != nil {
		return nil, t.failure(err)
	}
	if err := verifyInclusion(t.cp, index, leaf, hashes); err != nil {
		return nil, err
	}
	return hashes, nil
}

func verifyInclusion(cp *gateway.Checkpoint, index uint64, leaf gateway.LeafHash, hashes [][]byte) error {
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, cp.Size, leaf[:], hashes, cp.Root[:]); err != nil {
		return fmt.Errorf("%w: verifying inclusion at index %d: %w", gateway.ErrBadAnswer, index, err)
	}
	return nil
}

// prefixRoot returns the root that the checkpoint's tree had at a smaller size, above zero.
// The tiles only propose it: a consistency proof must lead from it to the checkpoint's root.
// So it differs from another checkpoint's root only if the log signed two histories.
func (t *tree) prefixRoot(ctx context.Context, size uint64) (root [sha256.Size]byte, err error) {
	nodes, err := client.FetchRangeNodes(ctx, size, t.fetch)
	if err != nil {
		return root, t.failure(err)
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	prefix, err := factory.NewRange(0, size, nodes)
	if err != nil {
		return root, t.failure(err)
	}
	hash, err := prefix.GetRootHash(nil)
	if err != nil {
		return root, t.failure(err)
	}
	builder, err := client.NewProofBuilder(ctx, t.cp.Size, t.fetch)
	if err != nil {
		return root, t.failure(err)
	}
	hashes, err := builder.ConsistencyProof(ctx, size, t.cp.Size)
	if err != nil {
		return root, t.failure(err)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, size, t.cp.Size, hashes, hash, t.cp.Root[:]); err != nil {
		return root, fmt.Errorf("%w: tiles do not lead to the checkpoint of size %d: %w", gateway.ErrBadAnswer, t.cp.Size, err)
	}
	return [sha256.Size]byte(hash), nil
}
