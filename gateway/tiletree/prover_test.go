// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"errors"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// TestProverGrows: what was remembered of a log holds in each state that goes on from it, the smallest last, too; and what is not known yet
// is checked as ever.
func TestProverGrows(t *testing.T) {
	k, p := kept{}, NewProver()
	var trees []Tree
	for _, sizes := range [][]uint64{{1}, {1, 200}, {1, 200, 256}, {1, 200, 256, 300}, {1, 200, 256, 300, 1500}} {
		trees = append(trees, grow(t, k, sizes...))
	}
	for _, tree := range append(trees, trees...) {
		for _, index := range []uint64{0, 1, 199, 255, 256, 299, 1024, 1499} {
			if index >= tree.Size {
				continue
			}
			hashes, err := p.ProveInclusion(tree, index, k.read)
			if err != nil {
				t.Fatal(err)
			}
			leaf := leavesOf(index, index+1)[0]
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, tree.Size, leaf[:], toSlices(hashes), tree.Root[:]); err != nil {
				t.Errorf("record %d of %d: %v", index, tree.Size, err)
			}
		}
	}
	damaged := func(tiles []Tile) ([][]byte, error) {
		read, err := k.read(tiles)
		if err == nil {
			read[0] = append([]byte{read[0][0] ^ 1}, read[0][1:]...)
		}
		return read, err
	}
	if _, err := p.ProveInclusion(trees[len(trees)-1], 777, damaged); !errors.Is(err, ErrTiles) {
		t.Errorf("a damaged tile: %v", err)
	}
}

// BenchmarkProve proves records one after the other, as receipts of a batch are asked for.
func BenchmarkProve(b *testing.B) {
	const size = 1 << 17
	k := kept{}
	tree, tiles, err := AppendRecords(EmptyTree(), leavesOf(0, size), k.read)
	if err != nil {
		b.Fatal(err)
	}
	k.keep(tiles)
	p := NewProver()
	for _, c := range []struct {
		name string
		next func() *Prover
	}{{"one prover", func() *Prover { return p }}, {"a new one each", NewProver}} {
		b.Run(c.name, func(b *testing.B) {
			for i := range b.N {
				if _, err := c.next().ProveInclusion(tree, uint64(i%size), k.read); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
