// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"errors"
	"testing"
)

// TestRootAt: whatever the size was, its root is that of a tree that ended there.
func TestRootAt(t *testing.T) {
	k := kept{}
	tree := grow(t, k, 1, 255, 256, 257, 700)
	for _, size := range []uint64{0, 1, 2, 255, 256, 257, 511, 512, 513, 699, 700} {
		want := grow(t, kept{}, size)
		if got, err := RootAt(tree, size, k.read); err != nil || got != want.Root {
			t.Errorf("the root at %d is %x (%v), want %x", size, got, err, want.Root)
		}
	}
	if root, err := RootAt(tree, 701, k.read); err == nil || root != [HashSize]byte{} {
		t.Errorf("a root of records that there are not: %x, %v", root, err)
	}
	k[[2]uint64{0, 1}][7]++
	if root, err := RootAt(tree, 300, k.read); !errors.Is(err, ErrTiles) || root != [HashSize]byte{} {
		t.Errorf("a root of other tiles: %x, %v", root, err)
	}
}
