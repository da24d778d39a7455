// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"bytes"
	"context"
	"crypto/elliptic"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"

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
	From    uint64   // the index from which on one of Keys counts in it
	Keys    [][]byte // SPKIs of the anchor keys that do, former ones too; the one in use is always looked for
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
	places := sync.OnceValues(func() ([]anchorPlace, error) { return l.listPlaces(ctx) })
	for _, shard := range shards {
		from := shard.From
		for _, sub := range known {
			for _, e := range sub.Entries {
				if e.Log == shard.Log && e.Shard == shard.Shard && e.LogIndex != nil {
					from = max(from, *e.LogIndex+1)
				}
			}
		}
		if err := l.checkShard(ctx, shard, from, places); err != nil {
			return err
		}
	}
	return nil
}

func (l *Log) checkShard(ctx context.Context, shard AnchorShard, from uint64, places func() ([]anchorPlace, error)) error {
	keys := make(map[string]bool)
	var encoded [][]byte
	for _, spki := range append([][]byte{l.cfg.Anchorer.SPKI()}, shard.Keys...) {
		keys[string(spki)] = true
		encoded = append(encoded, []byte(base64.StdEncoding.EncodeToString(spki)))
	}
	err := shard.Entries.EachEntry(ctx, shard.Shard, from, func(index uint64, body []byte) error {
		if !slices.ContainsFunc(encoded, func(key []byte) bool { return bytes.Contains(body, key) }) { // most are others'
			return nil
		}
		record, err := hashedrekord.Parse(body)
		if err != nil || !keys[string(record.SPKI)] || record.Verify() != nil {
			return nil
		}
		known, err := l.isKnown(ctx, record, places)
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

// anchorPlace is where the store may have anchors: by the tenant of an own log, and in a log.
type anchorPlace struct{ tenant, log string }

// listPlaces returns all: of this log and of former ones, which may have had the same anchor key, and in logs that are not used any more.
func (l *Log) listPlaces(ctx context.Context) (places []anchorPlace, err error) {
	own, err := l.cfg.Store.ListOwnLogs(ctx)
	if err != nil {
		return nil, err
	}
	logs, err := l.cfg.Store.ListLogs(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range own {
		for _, log := range logs {
			places = append(places, anchorPlace{gateway.AnchorTenant(o.ID), log.Log})
		}
	}
	return places, nil
}

// isKnown reports whether the store has an anchor of the same checkpoint. Whoever can read an anchor can record it again, in any log and in
// another form, and keeps the own log from writing by nothing that its anchor key has not signed.
func (l *Log) isKnown(ctx context.Context, record hashedrekord.Record, places func() ([]anchorPlace, error)) (bool, error) {
	leaves, err := listForms(record)
	if err != nil {
		return false, err
	}
	all, err := places()
	if err != nil {
		return false, err
	}
	for _, at := range all {
		for _, leaf := range leaves {
			_, err := l.cfg.Store.ByLeaf(ctx, at.tenant, at.log, leaf)
			if !errors.Is(err, gateway.ErrNotFound) {
				return err == nil, err
			}
		}
	}
	return false, nil
}

// listForms returns the leaf hashes that an anchor may have which says what record does. Anybody can put a certificate of his own in the place of
// the key, and turn the ECDSA signature (r, s) into (r, n-s), which is as good.
func listForms(record hashedrekord.Record) (leaves []gateway.LeafHash, err error) {
	var signature struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(record.Signature, &signature); err != nil {
		return nil, fmt.Errorf("reading an anchor's signature: %w", err)
	}
	record.Certificate = nil
	for range 2 {
		if record.Signature, err = asn1.Marshal(signature); err != nil {
			return nil, fmt.Errorf("encoding an anchor's signature: %w", err)
		}
		body, err := hashedrekord.Body(record)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, hashedrekord.LeafHash(body))
		signature.S.Sub(elliptic.P256().Params().N, signature.S)
	}
	return leaves, nil
}
