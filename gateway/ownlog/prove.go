// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway/receipt"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// wholeTile is how many hashes a tile has that does not change any more.
const wholeTile = 1 << tiletree.TileHeight

// tileKey is the place of a tile.
type tileKey struct {
	level uint8
	index uint64
}

// ProveRecord returns what a receipt has of a record: its inclusion in the smallest checkpoint that is anchored and covers it, and the anchors.
// Whoever else asks has the same anchors. The error is gateway.ErrNotFound before there is such a checkpoint.
func (l *Reader) ProveRecord(ctx context.Context, index uint64) (*receiptpb.OwnRecord, error) {
	anchor, err := l.findAnchor(ctx, index)
	if err != nil {
		return nil, fmt.Errorf("proving record %d of own log %s: %w", index, l.id, err)
	}
	kept, err := l.readAnchor(ctx, anchor.Submission)
	if err != nil {
		return nil, err
	}
	checkpoint, err := l.addCosignatures(ctx, anchor.Size, kept.checkpoint)
	if err != nil {
		return nil, err
	}
	hashes, err := l.proofs.ProveInclusion(anchor.Tree, index, l.tileReader(ctx))
	if err != nil {
		return nil, fmt.Errorf("proving record %d of own log %s: %w", index, l.id, err)
	}
	return receipt.NewOwnRecord(index, hashes, checkpoint, kept.anchors)
}

// tileReader reads tiles from the store. Whole ones are kept.
func (l *Reader) tileReader(ctx context.Context) tiletree.ReadTiles {
	return func(asked []tiletree.Tile) ([][]byte, error) {
		out := make([][]byte, len(asked))
		var missing []tiletree.Tile
		var places []int
		for i, t := range asked {
			hashes, ok := l.tiles.Get(tileKey{t.Level, t.Index})
			if !ok {
				missing, places = append(missing, t), append(places, i)
				continue
			}
			out[i] = hashes[:t.Width*tiletree.HashSize]
		}
		if len(missing) == 0 {
			return out, nil
		}
		read, err := l.store.OwnTiles(ctx, l.id, missing)
		if err != nil {
			return nil, err
		}
		for i, t := range missing {
			out[places[i]] = read[i]
			if t.Width == wholeTile {
				l.tiles.Add(tileKey{t.Level, t.Index}, read[i])
			}
		}
		return out, nil
	}
}
