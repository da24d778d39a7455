// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/hashedrekord"
)

// ErrForgotten: a checkpoint of the log is anchored, or cosigned, that the store does not know: the store is an older copy, or another one. What it would
// do next would be a second history under the same name, so that nothing more is done. Another origin is the way out.
var ErrForgotten = errors.New("the store does not know an anchor of its own log, or what a witness has cosigned")

// AnchorShard is where anchors are, in a log that can be read.
type AnchorShard struct {
	Log string // its ID
	gateway.Shard
	Entries gateway.EntryReader
	From    uint64 // the index from which on the anchor key counts in it
}

// knownAnchors is how many of the newest anchors are asked for the index from which on others are looked for.
const knownAnchors = 100

// checkAnchors looks for anchors that the store does not know, in all that was added to the logs since the last one that it does. Until that
// has ended well once, nothing is sequenced, since the store may be an older copy of itself. The error is ErrForgotten, or what keeps it
// from being known.
func (l *Log) checkAnchors(ctx context.Context) error {
	known, _, err := l.cfg.Store.List(ctx, gateway.AnchorTenant(l.cfg.ID), gateway.ListParams{PageSize: knownAnchors})
	if err != nil {
		return err
	}
	shards, err := l.cfg.AnchorShards()
	if err != nil {
		return err
	}
	for _, shard := range shards {
		from := shard.From
		for _, sub := range known {
			for _, e := range sub.Entries {
				if e.Log == shard.Log && e.Shard == shard.Shard && e.LogIndex != nil {
					from = max(from, *e.LogIndex+1)
				}
			}
		}
		if err := l.checkShard(ctx, shard, from); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) checkShard(ctx context.Context, shard AnchorShard, from uint64) error {
	spki := l.cfg.Anchorer.SPKI()
	encoded := []byte(base64.StdEncoding.EncodeToString(spki))
	err := shard.Entries.EachEntry(ctx, shard.Shard, from, func(index uint64, body []byte) error {
		if !bytes.Contains(body, encoded) { // most are others'
			return nil
		}
		record, err := hashedrekord.Parse(body)
		if err != nil || !bytes.Equal(record.SPKI, spki) {
			return nil
		}
		known, err := l.isKnown(ctx, shard.Log, hashedrekord.LeafHash(body))
		if err == nil && !known {
			err = fmt.Errorf("%w: entry %d of log %s", ErrForgotten, index, shard.Log)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("looking for anchors from index %d of log %s on: %w", from, shard.Log, err)
	}
	return nil
}

// isKnown reports whether the store has an anchor of this leaf: of this log, or of a former one, which may have had the same anchor key.
func (l *Log) isKnown(ctx context.Context, log string, leaf gateway.LeafHash) (bool, error) {
	own, err := l.cfg.Store.ListOwnLogs(ctx)
	if err != nil {
		return false, err
	}
	for _, o := range own {
		_, err := l.cfg.Store.ByLeaf(ctx, gateway.AnchorTenant(o.ID), log, leaf)
		if !errors.Is(err, gateway.ErrNotFound) {
			return err == nil, err
		}
	}
	return false, nil
}
