// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// kept are tiles as a store keeps them: the widest of each place.
type kept map[[2]uint64][]byte

func (k kept) keep(tiles []TileData) {
	for _, t := range tiles {
		k[[2]uint64{uint64(t.Level), t.Index}] = t.Hashes
	}
}

func (k kept) read(tiles []Tile) ([][]byte, error) {
	var all [][]byte
	for _, t := range tiles {
		hashes := k[[2]uint64{uint64(t.Level), t.Index}]
		if len(hashes) < t.Width*HashSize {
			return nil, fmt.Errorf("no tile %+v", t)
		}
		all = append(all, hashes[:t.Width*HashSize])
	}
	return all, nil
}

func leavesOf(from, to uint64) (leaves [][HashSize]byte) {
	for i := from; i < to; i++ {
		leaves = append(leaves, [HashSize]byte(rfc6962.DefaultHasher.HashLeaf(fmt.Append(nil, "record ", i))))
	}
	return leaves
}

// grow appends records up to each size, and holds each root to that of another library.
func grow(t *testing.T, k kept, sizes ...uint64) Tree {
	t.Helper()
	tree := EmptyTree()
	other := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for _, size := range sizes {
		leaves := leavesOf(tree.Size, size)
		for _, leaf := range leaves {
			if err := other.Append(leaf[:], nil); err != nil {
				t.Fatal(err)
			}
		}
		next, tiles, err := AppendRecords(tree, leaves, k.read)
		if err != nil {
			t.Fatalf("from %d to %d: %v", tree.Size, size, err)
		}
		k.keep(tiles)
		tree = next
		want, err := other.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		if size == 0 {
			want = rfc6962.DefaultHasher.EmptyRoot()
		}
		if tree.Size != size || !bytes.Equal(tree.Root[:], want) {
			t.Fatalf("%d records: %d, %x, want %x", size, tree.Size, tree.Root, want)
		}
	}
	return tree
}

// TestTree: however a tree grows, its root, inclusion proofs and consistency proofs are those of RFC 6962, as another library says.
func TestTree(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	sizes := []uint64{0, 0, 1, 2, 3, 255, 256, 257, 257, 511, 512, 600}
	for size := uint64(600); size < 70_000; {
		size += 1 + random.Uint64N(9000)
		sizes = append(sizes, size)
	}
	k := kept{}
	tree := grow(t, k, sizes...)
	hasher := rfc6962.DefaultHasher
	once := NewProver()
	for i := range 400 {
		index, prover := random.Uint64N(tree.Size), once
		if i%2 == 0 {
			prover = NewProver()
		}
		hashes, err := prover.ProveInclusion(tree, index, k.read)
		if err != nil {
			t.Fatal(err)
		}
		leaf := leavesOf(index, index+1)[0]
		if err := proof.VerifyInclusion(hasher, index, tree.Size, leaf[:], toSlices(hashes), tree.Root[:]); err != nil {
			t.Errorf("record %d: %v", index, err)
		}
	}
	small := kept{}
	for _, size := range []uint64{1, 255, 256, 300, 65_536, tree.Size} {
		before := grow(t, small, size)
		hashes, err := ProveConsistency(tree, size, k.read)
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyConsistency(hasher, size, tree.Size, toSlices(hashes), before.Root[:], tree.Root[:]); err != nil {
			t.Errorf("from %d: %v", size, err)
		}
	}
}

func toSlices(hashes [][HashSize]byte) (out [][]byte) {
	for i := range hashes {
		out = append(out, hashes[i][:])
	}
	return out
}

// TestWrongTiles: nothing is made of tiles that are not those of the tree, or cannot be read.
func TestWrongTiles(t *testing.T) {
	k := kept{}
	tree := grow(t, k, 300, 70_000)
	broken := errors.New("disk is broken")
	changed := func(change func([][]byte)) ReadTiles {
		return func(tiles []Tile) ([][]byte, error) {
			read, err := k.read(tiles)
			for i := range read {
				read[i] = bytes.Clone(read[i])
			}
			change(read)
			return read, err
		}
	}
	for name, c := range map[string]struct {
		read ReadTiles
		want error
	}{
		"a bit":     {changed(func(read [][]byte) { read[len(read)-1][5] ^= 1 }), ErrTiles},
		"too short": {changed(func(read [][]byte) { read[0] = read[0][:len(read[0])-HashSize] }), ErrTiles},
		"too long":  {changed(func(read [][]byte) { read[0] = append(read[0], make([]byte, HashSize)...) }), ErrTiles},
		"unread":    {func([]Tile) ([][]byte, error) { return nil, broken }, broken},
		"too few":   {func([]Tile) ([][]byte, error) { return nil, nil }, ErrTiles},
	} {
		if _, _, err := AppendRecords(tree, leavesOf(tree.Size, tree.Size+1), c.read); !errors.Is(err, c.want) {
			t.Errorf("%s: appending: %v", name, err)
		}
		if _, err := NewProver().ProveInclusion(tree, 1, c.read); !errors.Is(err, c.want) {
			t.Errorf("%s: inclusion: %v", name, err)
		}
		if _, err := ProveConsistency(tree, 300, c.read); !errors.Is(err, c.want) {
			t.Errorf("%s: consistency: %v", name, err)
		}
	}
	other := tree
	other.Root[0] ^= 1
	if _, _, err := AppendRecords(other, leavesOf(tree.Size, tree.Size+1), k.read); !errors.Is(err, ErrTiles) {
		t.Errorf("of another root: %v", err)
	}
}

// TestNoSuchRecord: what is asked for beyond the tree is refused.
func TestNoSuchRecord(t *testing.T) {
	k := kept{}
	tree := grow(t, k, 5)
	if _, err := NewProver().ProveInclusion(tree, 5, k.read); err == nil {
		t.Error("a record that is not there is proven")
	}
	if _, err := ProveConsistency(tree, 6, k.read); err == nil {
		t.Error("a tree that is not there yet is proven")
	}
	if hashes, err := ProveConsistency(tree, 0, k.read); err != nil || len(hashes) != 0 {
		t.Errorf("from nothing: %v, %v", hashes, err)
	}
	if _, _, err := AppendRecords(Tree{Size: maxSize}, leavesOf(0, 1), k.read); err == nil {
		t.Error("a tree grows beyond its bound")
	}
}

// BenchmarkAppend appends a thousand records at a time to a tree of a million.
func BenchmarkAppend(b *testing.B) {
	k, tree := kept{}, EmptyTree()
	add := func(leaves [][HashSize]byte) {
		next, tiles, err := AppendRecords(tree, leaves, k.read)
		if err != nil {
			b.Fatal(err)
		}
		k.keep(tiles)
		tree = next
	}
	add(leavesOf(0, 1_000_000))
	leaves := leavesOf(0, 1000)
	for b.Loop() {
		add(leaves)
	}
}
