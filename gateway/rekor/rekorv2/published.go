// SPDX-License-Identifier: Apache-2.0

package rekorv2

import (
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/tessera/api/layout"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/rekor/tiles"
)

// ReadCheckpoint returns the checkpoint of a shard as Size reads it. Errors are Size's.
func (l *Log) ReadCheckpoint(ctx context.Context, name gateway.Shard) (*gateway.Checkpoint, error) {
	s, done, err := l.useShard(name)
	if err != nil {
		return nil, err
	}
	defer done()
	cp, err := s.checkpoints.CurrentCheckpoint(ctx)
	if err != nil {
		return nil, err
	}
	s.seen.NoteRead()
	return cp, nil
}

// ReadTile returns a tile of a shard as it is published (C2SP tlog-tiles), which nobody has verified. Partial is how many hashes it has, 0 for all
// 256. Errors: gateway.ErrNotFound for what no checkpoint that was verified covers, which the log is not asked for, and what is not published;
// gateway.ErrUnavailable, gateway.ErrBadAnswer.
func (l *Log) ReadTile(ctx context.Context, name gateway.Shard, level, index uint64, partial uint8) ([]byte, error) {
	return l.readPublished(name, level, index, partial, func(r *tiles.Reader) ([]byte, error) { return r.PublishedTile(ctx, level, index, partial) })
}

// ReadEntries is ReadTile for an entry bundle.
func (l *Log) ReadEntries(ctx context.Context, name gateway.Shard, index uint64, partial uint8) ([]byte, error) {
	return l.readPublished(name, 0, index, partial, func(r *tiles.Reader) ([]byte, error) { return r.PublishedBundle(ctx, index, partial) })
}

func (l *Log) readPublished(name gateway.Shard, level, index uint64, partial uint8, read func(*tiles.Reader) ([]byte, error)) ([]byte, error) {
	s, done, err := l.useShard(name)
	if err != nil {
		return nil, err
	}
	defer done()
	if !hasTile(s.seen.Size(), level, index, partial) {
		return nil, fmt.Errorf("%w: the log is not as large", gateway.ErrNotFound)
	}
	raw, err := read(s.reader)
	if errors.Is(err, tiles.ErrNotFound) {
		return nil, fmt.Errorf("%w: it is not published", gateway.ErrNotFound)
	}
	return raw, err
}

// hasTile reports whether a tree of size entries has a tile of that width.
func hasTile(size, level, index uint64, partial uint8) bool {
	width := uint64(partial)
	if width == 0 {
		width = layout.TileWidth
	}
	if level >= 64/layout.TileHeight {
		return false
	}
	hashes := size >> (layout.TileHeight * level)
	return hashes >= width && index <= (hashes-width)/layout.TileWidth
}
