// SPDX-License-Identifier: Apache-2.0

package receipt

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

// FuzzOwnInclusion: a proof in a tree of any size is followed to the end, as another library follows it. hashes are taken in pieces of their size; where
// repair is set, they are as many as that tree takes, and its root is where they lead.
func FuzzOwnInclusion(f *testing.F) {
	for _, size := range []uint64{0, 1, 2, 3, 5, 256, 1<<32 + 1, maxOwnTree - 1, maxOwnTree, maxOwnTree + 1, 1<<63 - 1} {
		for _, index := range []uint64{0, size / 2, size - 1, size} {
			f.Add(index, size, []byte("hashes"), true)
			f.Add(index, size, bytes.Repeat([]byte{1}, 3*sha256.Size), false)
		}
	}
	f.Fuzz(func(t *testing.T, index, size uint64, hashes []byte, repair bool) {
		if index >= 1<<63 || size >= 1<<63 { // parseNumber refuses them
			return
		}
		p, c := OwnProof{Index: index}, ownCheckpoint{size: size}
		body, lists := []byte("body"), make([][]byte, 0, maxOwnHashes)
		for len(hashes) >= sha256.Size && len(p.Hashes) < maxOwnHashes {
			p.Hashes, hashes = append(p.Hashes, [sha256.Size]byte(hashes)), hashes[sha256.Size:]
		}
		if nodes, err := proof.Inclusion(index, size); repair && err == nil {
			p.Hashes = make([][sha256.Size]byte, len(nodes.IDs))
		}
		for i := range p.Hashes {
			lists = append(lists, p.Hashes[i][:])
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(body)
		if root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, index, size, leaf, lists); repair && err == nil {
			c.root = [sha256.Size]byte(root)
		}
		theirs := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, leaf, lists, c.root[:])
		if ours := checkOwnInclusion(body, p, c); (ours == nil) != (theirs == nil && size <= maxOwnTree) {
			t.Errorf("record %d of %d by %d hashes: %v, by the other library %v", index, size, len(p.Hashes), ours, theirs)
		}
	})
}
