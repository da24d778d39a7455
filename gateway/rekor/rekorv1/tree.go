// SPDX-License-Identifier: Apache-2.0

package rekorv1

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/bits"
	"net/url"
	"strconv"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/logmetrics"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
	"github.com/rekor-gateway/rekor-gateway/gateway/trustroot"
)

// tree is a tree that can be used.
type tree struct {
	Tree
	api
	name           gateway.Shard
	current        bool // it is the tree that is configured to be written to
	requestTimeout time.Duration
	checkpoints    *tiles.Checkpoints
	seen           logmetrics.Shard // of the checkpoints
}

var _ tiles.Source = (*tree)(nil)

// id is the tree's in the API.
func (t *tree) id() int64 {
	_, id, _ := trustroot.SplitRekorV1(t.name.Origin) // which has this form
	return id
}

// entryID is what the log calls the entry of a leaf: the tree's id and the leaf's hash.
func (t *tree) entryID(leaf gateway.LeafHash) string {
	return fmt.Sprintf("%016x%x", t.id(), leaf)
}

// logInfo is what the log says of its trees.
type logInfo struct {
	TreeID         string       `json:"treeID"`
	SignedTreeHead string       `json:"signedTreeHead"`
	InactiveShards []formerTree `json:"inactiveShards"`
}

type formerTree struct {
	TreeID         string `json:"treeID"`
	SignedTreeHead string `json:"signedTreeHead"`
}

// Checkpoint implements tiles.Source.
func (t *tree) Checkpoint(ctx context.Context) ([]byte, error) {
	var info logInfo
	if err := t.getJSON(ctx, infoPath, nil, maxInfo, &info); err != nil {
		return nil, err
	}
	id := strconv.FormatInt(t.id(), 10)
	if t.current && info.TreeID != id { // what is sent now would be recorded there
		if t.URL != "" {
			return nil, fmt.Errorf("%w: the log writes to tree %.20q now, which is asked for within minutes", gateway.ErrUnavailable, info.TreeID)
		}
		return nil, fmt.Errorf("%w: the log writes to tree %.20q now: set the new origin, and name %s in former", gateway.ErrUnavailable, info.TreeID, t.name.Origin)
	}
	for _, f := range append(info.InactiveShards, formerTree{info.TreeID, info.SignedTreeHead}) {
		if f.TreeID == id {
			return []byte(f.SignedTreeHead), nil
		}
	}
	return nil, fmt.Errorf("%w: the log has no tree %s", gateway.ErrUnavailable, id)
}

// ProvePrefix implements tiles.Source. The log only proposes the proof: it counts by the roots that it leads to.
func (t *tree) ProvePrefix(ctx context.Context, small, large *gateway.Checkpoint) (root [sha256.Size]byte, hashes [][]byte, err error) {
	if hashes, err = t.readProof(ctx, small.Size, large.Size); err != nil {
		return root, nil, err
	}
	verify := func(prefix []byte) error {
		return proof.VerifyConsistency(rfc6962.DefaultHasher, small.Size, large.Size, hashes, prefix, large.Root[:])
	}
	root = small.Root
	err = verify(root[:])
	var other proof.RootMismatchError
	if errors.As(err, &other) && len(other.CalculatedRoot) == len(root) {
		// It may be for another root of that size, which large is an extension of: a fork.
		root = [sha256.Size]byte(other.CalculatedRoot)
		err = verify(root[:])
	}
	if err != nil && isWhole(small.Size) && large.Size > small.Size+1 {
		var candidates [][]byte
		if candidates, err = t.readProof(ctx, small.Size+1, large.Size); err != nil {
			return root, nil, err
		}
		err = errNoPrefix
		for _, c := range candidates {
			if verify(c) == nil {
				root, err = [sha256.Size]byte(c), nil
			}
		}
	}
	if err != nil {
		return root, nil, fmt.Errorf("%w: the proof does not lead to the checkpoint of size %d: %w", gateway.ErrBadAnswer, large.Size, err)
	}
	return root, hashes, nil
}

// isWhole reports whether the tree of that size is one whole subtree of every larger one. A proof from it does not have its root, which is taken for
// known; the proof from one entry more does, but for that from the first entry alone.
func isWhole(size uint64) bool { return bits.OnesCount64(size) == 1 }

var errNoPrefix = errors.New("no hash in the proofs is the root of the smaller tree")

// readProof reads the consistency proof between two sizes.
func (t *tree) readProof(ctx context.Context, from, to uint64) ([][]byte, error) {
	var answer struct {
		Hashes []string `json:"hashes"`
	}
	query := url.Values{
		"firstSize": {strconv.FormatUint(from, 10)}, "lastSize": {strconv.FormatUint(to, 10)}, "treeID": {strconv.FormatInt(t.id(), 10)},
	}
	if err := t.getJSON(ctx, "api/v1/log/proof", query, maxProof, &answer); err != nil {
		return nil, err
	}
	return decodeHashes(answer.Hashes)
}

// decodeHashes reads the hashes of a proof.
func decodeHashes(texts []string) ([][]byte, error) {
	hashes := make([][]byte, len(texts))
	for i, text := range texts {
		hash, err := hex.DecodeString(text)
		if err != nil || len(hash) != sha256.Size {
			return nil, fmt.Errorf("%w: a proof with a malformed hash", gateway.ErrBadAnswer)
		}
		hashes[i] = hash
	}
	return hashes, nil
}
