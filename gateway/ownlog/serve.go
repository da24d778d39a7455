// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// What is served ends where the last anchored checkpoint does: nothing leaves the process before its anchor is logged.

// ReadCheckpoint returns the last checkpoint that is anchored, a signed note with the cosignatures that there are. The error is gateway.ErrNotFound before the first.
func (l *Reader) ReadCheckpoint(ctx context.Context) ([]byte, error) {
	state, err := l.readAnchored(ctx)
	if err != nil {
		return nil, err
	}
	kept, err := l.readAnchor(ctx, state.Submission)
	if err != nil {
		return nil, err
	}
	return l.addCosignatures(ctx, state.Size, kept.checkpoint)
}

func (l *Reader) readAnchored(ctx context.Context) (gateway.OwnAnchor, error) {
	state, err := l.store.OwnLog(ctx, l.id)
	if err != nil {
		return gateway.OwnAnchor{}, fmt.Errorf("reading own log %s: %w", l.id, err)
	}
	if state.Anchored.Size == 0 {
		return gateway.OwnAnchor{}, fmt.Errorf("reading own log %s: %w: nothing is anchored yet", l.id, gateway.ErrNotFound)
	}
	return state.Anchored, nil
}

// ReadTile returns a tile of hashes (https://c2sp.org/tlog-tiles). The error is gateway.ErrNotFound where the anchored tree is not that
// wide.
func (l *Reader) ReadTile(ctx context.Context, t tiletree.Tile) ([]byte, error) {
	anchored, err := l.readAnchored(ctx)
	if err != nil {
		return nil, err
	}
	if !reaches(anchored.Size, t) {
		return nil, fmt.Errorf("reading own log %s: %w: tile %+v", l.id, gateway.ErrNotFound, t)
	}
	read, err := l.tileReader(ctx)([]tiletree.Tile{t})
	if err != nil {
		return nil, err
	}
	return read[0], nil
}

// reaches reports whether a tree of that size has all hashes of t.
func reaches(size uint64, t tiletree.Tile) bool {
	shift := uint(t.Level) * tiletree.TileHeight
	if t.Width < 1 || t.Width > wholeTile || shift >= 64 {
		return false
	}
	hashes := size >> shift // at that level
	return t.Index < hashes>>tiletree.TileHeight || t.Index == hashes>>tiletree.TileHeight && uint64(t.Width) <= hashes%wholeTile
}

// ReadEntries returns the entry bundle (https://c2sp.org/tlog-tiles) at an index, of so many records. The error is gateway.ErrNotFound
// where the anchored tree does not have them all.
func (l *Reader) ReadEntries(ctx context.Context, index uint64, width int) ([]byte, error) {
	anchored, err := l.readAnchored(ctx)
	if err != nil {
		return nil, err
	}
	if !reaches(anchored.Size, tiletree.Tile{Index: index, Width: width}) {
		return nil, fmt.Errorf("reading own log %s: %w: %d records of bundle %d", l.id, gateway.ErrNotFound, width, index)
	}
	records, err := l.store.OwnRecords(ctx, l.id, index*wholeTile, width)
	if err != nil {
		return nil, err
	}
	if len(records) != width {
		return nil, fmt.Errorf("reading own log %s: there are %d records of bundle %d, not %d", l.id, len(records), index, width)
	}
	const lengthSize = 2
	size := 0
	for _, record := range records {
		size += lengthSize + len(record)
	}
	bundle := make([]byte, 0, size)
	for _, record := range records {
		bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(record))) // at most hashedrekord.MaxBody, which fits
		bundle = append(bundle, record...)
	}
	return bundle, nil
}
