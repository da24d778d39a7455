// SPDX-License-Identifier: Apache-2.0

package tiletree

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// RootAt returns the root that t had when it had so many records. Errors are as AppendRecords'.
func RootAt(t Tree, size uint64, read ReadTiles) ([HashSize]byte, error) {
	switch {
	case size > t.Size || t.Size > maxSize:
		return [HashSize]byte{}, fmt.Errorf("reading an older root: there are no %d records of %d", size, t.Size)
	case size == t.Size:
		return t.Root, nil
	case size == 0:
		return EmptyTree().Root, nil
	}
	root, err := tlog.TreeHash(int64(size), newGrowing(t, read))
	if err != nil {
		return [HashSize]byte{}, fmt.Errorf("reading an older root: %w", err)
	}
	return [HashSize]byte(root), nil
}
