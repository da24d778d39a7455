// SPDX-License-Identifier: Apache-2.0

package ownlog

import (
	"context"
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/tiletree"
)

// ReadStore is what reading an own log needs of a gateway.Store.
type ReadStore interface {
	OwnLog(ctx context.Context, log string) (gateway.OwnLog, error)
	OwnTiles(ctx context.Context, log string, tiles []tiletree.Tile) ([][]byte, error)
	OwnRecords(ctx context.Context, log string, from uint64, n int) ([][]byte, error)
	OwnAnchor(ctx context.Context, log string, index uint64) (gateway.OwnAnchor, error)
	Cosignatures(ctx context.Context, log string, size uint64) ([]gateway.Cosignature, error)
	Archived(ctx context.Context, tenant, id string) (gateway.Archived, error)
}

// Reader shows what the store has of an own log, whether or not this gateway has its keys. Methods are safe for concurrent use.
type Reader struct {
	id        string
	store     ReadStore
	witnesses []string                               // keys of all who will have cosigned a checkpoint at last; none: others on the store may have some
	kept      *lru.Cache[string, keptAnchor]         // by submission
	cosigned  *lru.Cache[string, cosignedCheckpoint] // by what is cosigned: the store may go back, and on with another of that size
	tiles     *lru.Cache[tileKey, []byte]            // whole ones, which do not change
	proofs    *tiletree.Prover
	covering  coveringAnchors
}

// NewReader returns a reader of the own log with that ID.
func NewReader(store ReadStore, id string) *Reader {
	l := &Reader{id: id, store: store, proofs: tiletree.NewProver()}
	l.kept, _ = lru.New[string, keptAnchor](maxKeptAnchors) // fails for sizes below one
	l.cosigned, _ = lru.New[string, cosignedCheckpoint](maxKeptAnchors)
	l.tiles, _ = lru.New[tileKey, []byte](maxKeptTiles)
	return l
}

// readAnchor returns what the store has of an anchor. What is complete is kept.
func (l *Reader) readAnchor(ctx context.Context, submission string) (keptAnchor, error) {
	if kept, ok := l.kept.Get(submission); ok {
		return kept, nil
	}
	archived, err := l.store.Archived(ctx, gateway.AnchorTenant(l.id), submission)
	if err != nil {
		return keptAnchor{}, err
	}
	kept, complete, err := openAnchor(archived)
	if err != nil {
		return keptAnchor{}, fmt.Errorf("reading anchor %s of own log %s: %w", submission, l.id, err)
	}
	if complete {
		l.kept.Add(submission, kept)
	}
	return kept, nil
}
