// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// TileWidth is how many hashes a whole tile has.
const TileWidth = 1 << tiletree.TileHeight

// CheckOwnNames refuses what no log of the gateway's own is called.
func CheckOwnNames(log, origin string) error {
	for _, text := range []string{log, origin} {
		if text == "" || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n") {
			return fmt.Errorf("%q is no name of an own log", text)
		}
	}
	return nil
}

// GrowOwn calls grow, and refuses what cannot be the tree with so many leaves more.
func GrowOwn(old tiletree.Tree, leaves []gateway.LeafHash, grow gateway.GrowTree, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
	tree, tiles, err := grow(old, leaves, read)
	if err != nil {
		return tiletree.Tree{}, nil, err
	}
	if tree.Size != old.Size+uint64(len(leaves)) || tree.Size > math.MaxInt64 || len(tiles) == 0 {
		return tiletree.Tree{}, nil, fmt.Errorf("a tree of %d records has %d with %d more, and %d tiles differ", old.Size, tree.Size, len(leaves), len(tiles))
	}
	for _, t := range tiles {
		if !isTile(t.Tile) || len(t.Hashes) != t.Width*tiletree.HashSize {
			return tiletree.Tree{}, nil, fmt.Errorf("tile %d/%d of %d hashes has %d bytes", t.Level, t.Index, t.Width, len(t.Hashes))
		}
	}
	return tree, tiles, nil
}

func isTile(t tiletree.Tile) bool {
	return t.Width > 0 && t.Width <= TileWidth && t.Index <= math.MaxInt64
}

// CutTile returns the first hashes of a kept tile, as many as t has. The error is gateway.ErrNotFound where it has fewer, or where t is no
// tile.
func CutTile(t tiletree.Tile, hashes []byte) ([]byte, error) {
	if !isTile(t) || len(hashes) < t.Width*tiletree.HashSize {
		return nil, fmt.Errorf("%w: no tile %d/%d of %d hashes", gateway.ErrNotFound, t.Level, t.Index, t.Width)
	}
	end := t.Width * tiletree.HashSize
	return hashes[:end:end], nil
}

// CheckAnchor refuses a checkpoint that is not a state of an own log, as it is now, or behind the end of one that is closed.
func CheckAnchor(l gateway.OwnLog, a gateway.OwnAnchor, read tiletree.ReadTiles) error {
	tree := l.Tree
	if l.Closed && a.Size > l.Anchored.Size {
		return fmt.Errorf("%w: %s has ended at %d records", gateway.ErrOwnLogClosed, l.ID, l.Anchored.Size)
	}
	if a.Size == 0 || a.Size > tree.Size {
		return fmt.Errorf("%w: it has %d records, the log %d", gateway.ErrOtherAnchor, a.Size, tree.Size)
	}
	root, err := tiletree.RootAt(tree, a.Size, read)
	if err == nil && root != a.Root {
		err = fmt.Errorf("%w: its root at %d is another", gateway.ErrOtherAnchor, a.Size)
	}
	return err
}

// maxCosignature bounds the line of a cosignature, and the key that it verifies with: those of ML-DSA-44 have 3,300 bytes.
const maxCosignature = 8 << 10

// CheckCosignature refuses what no cosignature is.
func CheckCosignature(size uint64, c gateway.Cosignature) error {
	for _, text := range []string{c.Witness, c.Line} {
		if text == "" || len(text) > maxCosignature || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n") {
			return fmt.Errorf("%.80q is no line of a cosignature, or no key of it", text)
		}
	}
	if size > math.MaxInt64 || c.Time.Unix() <= 0 || !c.Time.Equal(c.Time.Truncate(time.Second)) {
		return fmt.Errorf("no cosignature is of %v, or of %d records", c.Time, size)
	}
	return nil
}

// CheckContradiction refuses what no witness says.
func CheckContradiction(c gateway.Contradiction) error {
	if c.Witness == "" || len(c.Witness) > maxCosignature || !utf8.ValidString(c.Witness) || strings.ContainsAny(c.Witness, "\x00\n") {
		return fmt.Errorf("%.80q is no key of a witness", c.Witness)
	}
	if c.Size > math.MaxInt64 || c.Lasted < 0 || c.Lasted != c.Lasted.Truncate(time.Second) {
		return fmt.Errorf("no witness contradicts with %d records for %v", c.Size, c.Lasted)
	}
	return nil
}

// CheckLooks refuses what is no look at a log.
func CheckLooks(looks []gateway.OwnLook) error {
	for _, l := range looks {
		if l.Shard.Origin == "" || l.From > l.To || l.To > math.MaxInt64 {
			return fmt.Errorf("no look at %q is from %d to %d", l.Shard.Origin, l.From, l.To)
		}
	}
	return nil
}

// AnchoredEnd is up to which index entries are Logged next, at most limit of them.
func AnchoredEnd(l gateway.OwnLog, limit int) uint64 {
	return max(l.Logged, min(l.Anchored.Size, l.Logged+uint64(max(limit, 0))))
}

// CheckClose refuses to close an own log before all that is anchored is Logged, and to have another one take over that is closed, or the
// same.
func CheckClose(from, to gateway.OwnLog) error {
	switch {
	case from.ID == to.ID:
		return fmt.Errorf("an own log cannot take over from itself: %s", to.ID)
	case to.Closed:
		return fmt.Errorf("%w: %s", gateway.ErrOwnLogClosed, to.ID)
	case from.Logged != from.Anchored.Size:
		return fmt.Errorf("%d records of %s are anchored, and %d are logged", from.Anchored.Size, from.ID, from.Logged)
	}
	return nil
}
