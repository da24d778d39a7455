// SPDX-License-Identifier: Apache-2.0

package tiles

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/merkle/testonly"

	"github.com/rekor-gateway/rekor-gateway/gateway"
)

// TestHasher: it hashes as the library does, also what is no hash.
func TestHasher(t *testing.T) {
	all := bytes.Repeat([]byte("0123456789"), 10)
	for l := range len(all) {
		for _, r := range []int{0, 1, sha256.Size, len(all)} {
			got, want := hasher{rfc6962.DefaultHasher}.HashChildren(all[:l], all[:r]), rfc6962.DefaultHasher.HashChildren(all[:l], all[:r])
			if !bytes.Equal(got, want) {
				t.Fatalf("%d and %d bytes: %x, want %x", l, r, got, want)
			}
		}
	}
}

// makeProof returns a proof in a tree of size entries.
func makeProof(tb testing.TB, index, size uint64) (*gateway.Checkpoint, gateway.LeafHash, [][]byte) {
	tb.Helper()
	tree := testonly.New(rfc6962.DefaultHasher)
	for i := range size {
		tree.AppendData([]byte{byte(i), byte(i >> 8)})
	}
	hashes, err := tree.InclusionProof(index, size)
	if err != nil {
		tb.Fatal(err)
	}
	return &gateway.Checkpoint{Size: size, Root: [sha256.Size]byte(tree.Hash())}, gateway.LeafHash(tree.LeafHash(index)), hashes
}

// TestVerifyInclusion: a proof holds, and no other.
func TestVerifyInclusion(t *testing.T) {
	for _, size := range []uint64{1, 2, 7, 8, 100} {
		for index := range size {
			cp, leaf, hashes := makeProof(t, index, size)
			if err := VerifyInclusion(cp, index, leaf, hashes); err != nil {
				t.Fatalf("entry %d of %d: %v", index, size, err)
			}
			bad := [][][]byte{append(slices.Clone(hashes), leaf[:])}
			for i := range hashes {
				short, changed := slices.Clone(hashes), slices.Clone(hashes)
				short[i], changed[i] = hashes[i][1:], make([]byte, sha256.Size)
				bad = append(bad, slices.Delete(slices.Clone(hashes), i, i+1), short, changed)
			}
			for _, b := range bad {
				if err := VerifyInclusion(cp, index, leaf, b); !errors.Is(err, gateway.ErrBadAnswer) {
					t.Fatalf("entry %d of %d by %x: %v", index, size, b, err)
				}
			}
		}
	}
}

// BenchmarkVerifyInclusion checks a proof as of each entry that a log of its size answers.
func BenchmarkVerifyInclusion(b *testing.B) {
	cp, leaf, hashes := makeProof(b, 12345, 1<<15+17)
	b.ReportAllocs()
	for b.Loop() {
		if err := VerifyInclusion(cp, 12345, leaf, hashes); err != nil {
			b.Fatal(err)
		}
	}
}
