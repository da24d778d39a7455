// SPDX-License-Identifier: Apache-2.0

package ownlog_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rekor-gateway/rekor-gateway/gateway"
	"github.com/rekor-gateway/rekor-gateway/gateway/gatewaytest"
	"github.com/rekor-gateway/rekor-gateway/gateway/ownlog"
	receiptpb "github.com/rekor-gateway/rekor-gateway/proto/rekorgateway/receipt/v1"
)

// countingStore counts what is asked of anchors.
type countingStore struct {
	gateway.Store
	anchors, cosignatures atomic.Int64
}

func (s *countingStore) OwnAnchor(ctx context.Context, log string, index uint64) (gateway.OwnAnchor, error) {
	s.anchors.Add(1)
	return s.Store.OwnAnchor(ctx, log, index)
}

func (s *countingStore) Cosignatures(ctx context.Context, log string, size uint64) ([]gateway.Cosignature, error) {
	s.cosignatures.Add(1)
	return s.Store.Cosignatures(ctx, log, size)
}

// TestNeighboursShareAnAnchor: the store is asked for an anchor once, and records before it and after it are proven as by the store.
func TestNeighboursShareAnAnchor(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	store := &countingStore{Store: openStore(t, filepath.Join(folder, "db"))}
	r := join(t, store, folder, gatewaytest.NewLog(), 50*time.Millisecond, noShards)
	stop := r.run(t)
	leaves := r.logAll(t, "first", 20)
	for index, leaf := range r.logAll(t, "second", 20) {
		leaves[index] = leaf
	}
	stop()
	anchors := map[uint64]bool{}
	for index, leaf := range leaves {
		want := must(store.Store.OwnAnchor(t.Context(), ownID, index))
		anchors[want.Size] = true
		fresh := ownlog.NewReader(store, ownID)
		for _, reader := range []interface {
			ProveRecord(context.Context, uint64) (*receiptpb.OwnRecord, error)
		}{r.own, fresh} {
			if cp := checkProof(t, reader, index, leaf); cp.Size != want.Size {
				t.Errorf("record %d is proven by %d records, want %d", index, cp.Size, want.Size)
			}
		}
	}
	store.anchors.Store(0)
	store.cosignatures.Store(0)
	reader := ownlog.NewReader(store, ownID)
	for index := range uint64(len(leaves)) {
		checkProof(t, reader, index, leaves[index])
	}
	if got := store.anchors.Load(); got != int64(len(anchors)) {
		t.Errorf("asked %d times for %d anchors", got, len(anchors))
	}
	before := store.cosignatures.Load()
	for index := range uint64(len(leaves)) {
		checkProof(t, r.own, index, leaves[index])
	}
	if got := store.cosignatures.Load() - before; got > int64(len(leaves)/2) { // each anchor's are asked for once a second
		t.Errorf("asked %d times for cosignatures", got)
	}
}
