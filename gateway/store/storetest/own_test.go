// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// ownMutant is a store with one promise about own logs broken. Those that follow from its queries are broken by the tests of each store.
type ownMutant struct {
	gateway.Store
	sequence func(s gateway.Store, ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error)
	tiles    func(s gateway.Store, ctx context.Context, log string, tiles []tiletree.Tile) ([][]byte, error)
	anchor   func(s gateway.Store, ctx context.Context, log string, a gateway.OwnAnchor) error
	logged   func(s gateway.Store, ctx context.Context, log string, limit int) ([]gateway.Progress, error)
}

func (m ownMutant) Sequence(ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
	if m.sequence != nil {
		return m.sequence(m.Store, ctx, log, limit, grow)
	}
	return m.Store.Sequence(ctx, log, limit, grow)
}

func (m ownMutant) OwnTiles(ctx context.Context, log string, tiles []tiletree.Tile) ([][]byte, error) {
	if m.tiles != nil {
		return m.tiles(m.Store, ctx, log, tiles)
	}
	return m.Store.OwnTiles(ctx, log, tiles)
}

func (m ownMutant) KeepAnchor(ctx context.Context, log string, a gateway.OwnAnchor) error {
	if m.anchor != nil {
		return m.anchor(m.Store, ctx, log, a)
	}
	return m.Store.KeepAnchor(ctx, log, a)
}

func (m ownMutant) LogAnchored(ctx context.Context, log string, limit int) ([]gateway.Progress, error) {
	if m.logged != nil {
		return m.logged(m.Store, ctx, log, limit)
	}
	return m.Store.LogAnchored(ctx, log, limit)
}

// sequenceWith changes what Sequence is told, or says.
func sequenceWith(before func(*int, *gateway.GrowTree), after func(*gateway.OwnLog, *int, *error)) ownMutant {
	return ownMutant{sequence: func(s gateway.Store, ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
		if before != nil {
			before(&limit, &grow)
		}
		l, n, err := s.Sequence(ctx, log, limit, grow)
		if after != nil {
			after(&l, &n, &err)
		}
		return l, n, err
	}}
}

var ownMutants = map[string]ownMutant{
	"says what was before": {sequence: func(s gateway.Store, ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
		before, err := s.OwnLog(ctx, log)
		_, n, sequenceErr := s.Sequence(ctx, log, limit, grow)
		return before, n, errors.Join(err, sequenceErr)
	}},
	"grows by nothing": {sequence: func(s gateway.Store, ctx context.Context, log string, limit int, grow gateway.GrowTree) (gateway.OwnLog, int, error) {
		l, n, err := s.Sequence(ctx, log, limit, grow)
		if err == nil && n == 0 {
			_, _, err = grow(l.Tree, nil, func(tiles []tiletree.Tile) ([][]byte, error) { return s.OwnTiles(ctx, log, tiles) })
		}
		return l, n, err
	}},
	"takes one more":          sequenceWith(func(limit *int, _ *gateway.GrowTree) { *limit++ }, nil),
	"counts one more":         sequenceWith(nil, func(_ *gateway.OwnLog, n *int, _ *error) { *n++ }),
	"loses the root":          sequenceWith(nil, func(l *gateway.OwnLog, _ *int, _ *error) { l.Tree.Root = [32]byte{} }),
	"makes nothing of errors": sequenceWith(nil, func(_ *gateway.OwnLog, _ *int, err *error) { *err = nil }),
	"hides errors of growing": sequenceWith(nil, func(_ *gateway.OwnLog, _ *int, err *error) {
		if *err != nil {
			*err = errors.New("some error")
		}
	}),
	"hands leaves over backwards": sequenceWith(func(_ *int, grow *gateway.GrowTree) {
		given := *grow
		*grow = func(old tiletree.Tree, leaves []gateway.LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
			slices.Reverse(leaves)
			return given(old, leaves, read)
		}
	}, nil),
	"keeps no tiles of the second level": sequenceWith(func(_ *int, grow *gateway.GrowTree) {
		given := *grow
		*grow = func(old tiletree.Tree, leaves []gateway.LeafHash, read tiletree.ReadTiles) (tiletree.Tree, []tiletree.TileData, error) {
			tree, tiles, err := given(old, leaves, read)
			return tree, slices.DeleteFunc(tiles, func(t tiletree.TileData) bool { return t.Level > 0 }), err
		}
	}, nil),
	"gives tiles as they are": {tiles: func(s gateway.Store, ctx context.Context, log string, tiles []tiletree.Tile) ([][]byte, error) {
		whole := slices.Clone(tiles)
		for i := range whole {
			for wider := whole[i]; wider.Width < 256; whole[i] = wider {
				wider.Width++
				if _, err := s.OwnTiles(ctx, log, []tiletree.Tile{wider}); err != nil {
					break
				}
			}
		}
		return s.OwnTiles(ctx, log, whole)
	}},
	"gives narrower tiles": {tiles: func(s gateway.Store, ctx context.Context, log string, tiles []tiletree.Tile) ([][]byte, error) {
		all, err := s.OwnTiles(ctx, log, tiles)
		for narrow := slices.Clone(tiles); errors.Is(err, gateway.ErrNotFound) && narrow[0].Width > 1; {
			narrow[0].Width--
			all, err = s.OwnTiles(ctx, log, narrow)
		}
		return all, err
	}},
	"anchors what it never was": {anchor: func(s gateway.Store, ctx context.Context, log string, a gateway.OwnAnchor) error {
		if err := s.KeepAnchor(ctx, log, a); !errors.Is(err, gateway.ErrOtherAnchor) {
			return err
		}
		return nil
	}},
	"anchors what it is now": {anchor: func(s gateway.Store, ctx context.Context, log string, a gateway.OwnAnchor) error {
		l, err := s.OwnLog(ctx, log)
		if err == nil {
			a.Tree = l.Tree
			err = s.KeepAnchor(ctx, log, a)
		}
		return err
	}},
	"logs all that is anchored": {logged: func(s gateway.Store, ctx context.Context, log string, _ int) ([]gateway.Progress, error) {
		return s.LogAnchored(ctx, log, 1000)
	}},
	"tells of nothing": {logged: func(s gateway.Store, ctx context.Context, log string, limit int) ([]gateway.Progress, error) {
		_, err := s.LogAnchored(ctx, log, limit)
		return nil, err
	}},
}

// TestOwnMutants: a store that breaks a promise about own logs fails a test; one that keeps all passes.
func TestOwnMutants(t *testing.T) {
	driverOf := func(m ownMutant) Driver {
		return func(t *testing.T, o Options) Opened {
			path := filepath.Join(t.TempDir(), "store.db")
			broken := func() gateway.Store {
				m := m
				m.Store = openFile(t, path, o)
				return m
			}
			return Opened{Store: broken(), Another: broken}
		}
	}
	rest := map[string]func(testing.TB, opening){}
	for name, test := range ownTests {
		if name != "Own/cold" { // which these stores cannot hide
			rest[name] = test
		}
	}
	if failed := findFailure(t, driverOf(ownMutant{}), "", rest, ownCloseTests, ownWitnessTests, ownContradictionTests, ownLookTests, ownMirrorTests, ownAtOnceTests); failed != "" {
		t.Errorf("a good store fails %q", failed)
	}
	for name, m := range ownMutants {
		t.Run(name, func(t *testing.T) {
			failed := findFailure(t, driverOf(m), "", rest, ownCloseTests, ownWitnessTests, ownContradictionTests, ownLookTests, ownMirrorTests, ownAtOnceTests)
			if failed == "" {
				t.Error("passes")
			}
			t.Log("fails", failed)
		})
	}
}
